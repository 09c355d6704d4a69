"""Who may import whom, read from the source."""

import ast
from pathlib import Path

import pytest

import skrand

ROOT = Path(__file__).resolve().parents[1]
# The package that is tested may be the installed one.
PACKAGE = Path(skrand.__file__).resolve().parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").glob("*/src/**/*.py"))
OUTSIDE = [path for name in ("examples", "benchmarks") for path in (ROOT / name).rglob("*.py")]

#: What is no mathematical domain. Every other sub-package is one.
FOUNDATION = {"_ext", "cli", "inspection", "linalg", "registry", "testing", "datasets"}
DOMAINS = {
    path.name
    for path in PACKAGE.iterdir()
    if (path / "__init__.py").exists() and path.name not in FOUNDATION
}

#: Sub-package -> the parts of skrand that it may import. Single modules may be imported by all.
ALLOWED = {
    "_ext": {"_ext"},
    "linalg": {"_ext", "linalg"},
    "registry": {"registry"},
    "datasets": {"datasets", "linalg"},
    **{domain: {domain, "_ext", "linalg", "registry"} for domain in DOMAINS},
}


#: Modules of a domain that show it off: they sit above it, beside ``testing``, which they use.
SHOWCASE = {"claims", "demo", "lp_claims"}


def imports(path):
    """Yield (line, module) for every import, lazy ones included; `from a import b` is a.b too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""
            for name in node.names:
                yield node.lineno, f"{node.module}.{name.name}"


def names(path):
    """Yield (line, identifier) for every attribute and name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id


def label(path):
    return str(path.relative_to(PACKAGE.parent if path.is_relative_to(PACKAGE) else ROOT))


def part_of(path):
    """Return the sub-package, or the file, of skrand that a source belongs to."""
    return path.relative_to(PACKAGE).parts[0]


SINGLE = [p for p in SOURCES if p.name == part_of(p) and p.stem not in ("__init__", "__main__")]


def test_the_domains_are_seen():
    assert "regression" in DOMAINS


def subpackage(module):
    """Return the sub-package of skrand that a module is in, or None."""
    package, _, rest = module.partition(".")
    part = rest.partition(".")[0]
    return part if package == "skrand" and part in FOUNDATION | DOMAINS else None


@pytest.mark.parametrize("path", [p for p in SOURCES if part_of(p) in ALLOWED], ids=label)
def test_layers(path):
    part = part_of(path)
    allowed = ALLOWED[part] | ({"testing"} if path.stem in SHOWCASE else set())
    for line, module in imports(path):
        used = subpackage(module)
        assert used is None or used in allowed, f"{label(path)}:{line}: {part} imports {module}"


@pytest.mark.parametrize("path", [p for p in SOURCES if part_of(p) in DOMAINS], ids=label)
def test_nothing_in_a_domain_imports_its_showcase(path):
    for line, module in imports(path):
        if subpackage(module):
            assert not SHOWCASE & set(module.split(".")), f"{label(path)}:{line}: {module}"


@pytest.mark.parametrize("path", SINGLE, ids=label)
def test_single_modules_import_no_domain(path):
    """base.py, exceptions.py and the like; builtin.py names its code by strings."""
    for line, module in imports(path):
        above = DOMAINS | {"cli", "testing", "inspection"}
        assert subpackage(module) not in above, f"{label(path)}:{line}: {module}"


@pytest.mark.parametrize("path", [p for p in SOURCES if "solvers" in p.parts], ids=label)
def test_solvers_never_import_estimators(path):
    for line, module in imports(path):
        assert "estimator" not in module.split("."), f"{label(path)}:{line}: {module}"


@pytest.mark.parametrize("path", [*SOURCES, *PLUGINS, *OUTSIDE], ids=label)
def test_only_public_scikit_learn(path):
    for line, module in imports(path):
        private = module.startswith("sklearn.") and any(
            part.startswith("_") for part in module.split(".")[1:]
        )
        assert not private, f"{label(path)}:{line}: {module}"
    for line, name in names(path):
        private = name in ("_parameter_constraints", "_fit_context", "_get_param_names")
        assert not private, f"{label(path)}:{line}: {name}"


@pytest.mark.parametrize("path", PLUGINS, ids=label)
def test_plugins_use_public_modules_of_skrand(path):
    for line, module in imports(path):
        private = module.startswith("skrand.") and any(
            part.startswith("_") for part in module.split(".")[1:]
        )
        assert not private, f"{label(path)}:{line}: {module}"


@pytest.mark.parametrize("path", [p for p in SOURCES if part_of(p) != "cli"], ids=label)
def test_nothing_prints_but_the_command_line(path):
    for line, name in names(path):
        assert name != "print", f"{label(path)}:{line}"
