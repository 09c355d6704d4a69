"""Sphinx configuration of skrand's documentation; ``docs/contributing.md`` says how to build it."""

import importlib
import inspect
import os
import sys
from pathlib import Path

import sphinx.util.logging

import skrand

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
# Pictures are the same size and style on every machine, and need no display.
os.environ["MPLBACKEND"] = "agg"
# Help texts are wrapped for the page, not for the terminal that the build runs in.
os.environ["COLUMNS"] = "88"

logger = sphinx.util.logging.getLogger(__name__)

project = "skrand"
author = "the skrand developers"
project_copyright = author
version = release = skrand.__version__

extensions = [
    "benchmark_tables",
    "example_picture",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx_argparse_cli",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
# In docstrings `x` is a piece of code.
default_role = "literal"
smartquotes = False
nitpicky = True
# Types are described in words, as numpydoc does; names of other packages are not looked up, so
# that the build needs no network.
nitpick_ignore_regex = [(r"py:.*", r"(?!skrand).*")]

extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s")}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autosummary_ignore_module_all = False
autosummary_imported_members = True
# Estimators are documented once, as `skrand.X`, and not again in the module that has them.
autosummary_context = {"top": [name for name in skrand.__all__ if not name.startswith("__")]}
autodoc_typehints = "none"
numpydoc_show_class_members = False

# A folder of examples is a gallery if it has a header; the template of a plugin has none.
examples = Path(__file__).parents[1] / "examples"
galleries = sorted(header.parent.name for header in examples.glob("*/GALLERY_HEADER.rst"))
sphinx_gallery_conf = {
    "examples_dirs": [f"../examples/{name}" for name in galleries],
    "gallery_dirs": [f"auto_examples/{name}" for name in galleries],
    "backreferences_dir": "api/backreferences",
    "doc_module": ("skrand", "skrand_features"),
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skrand {version}"
html_static_path = ["_static"]
html_css_files = ["skrand.css"]
html_theme_options = {"navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}


def skip_foreign_members(app, what, name, obj, skip, options):
    """Leave out what a class inherits from other packages: scikit-learn documents that itself."""
    if what in ("class", "exception") and inspect.isroutine(obj):
        module = getattr(inspect.unwrap(obj), "__module__", None) or ""
        if not module.startswith("skrand"):
            return True
    return None


def drop_docs_of_type(app, what, name, obj, options, lines):
    """Leave out what Python says about tuples and sets in general where a constant has no doc."""
    if what == "data" and lines and lines[0] in (inspect.getdoc(type(obj)) or "").splitlines():
        lines.clear()


def check_reference(app, env):
    """Warn of public names that the API reference does not have."""
    documented = env.domains.python_domain.objects
    for module in [name for name, entry in documented.items() if entry.objtype == "module"]:
        parts = module.split(".")
        homes = [".".join(parts[: end + 1]) for end in range(len(parts))]
        for name in getattr(importlib.import_module(module), "__all__", ()):
            if name[0] != "_" and not any(f"{home}.{name}" in documented for home in homes):
                logger.warning("the API reference has no %s.%s", module, name)


def setup(app):
    """Connect what is above."""
    app.connect("autodoc-skip-member", skip_foreign_members)
    app.connect("autodoc-process-docstring", drop_docs_of_type, priority=100)
    app.connect("env-check-consistency", check_reference)
