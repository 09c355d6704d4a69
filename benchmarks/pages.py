"""Write the figures of ``benchmarks/results/`` into the pages that publish them.

    python benchmarks/pages.py [--check]

A page marks what comes from a file of figures, a table or a few words of a sentence:

    <!-- measured NAME -->
    this is written anew
    <!-- end -->

NAME is a function of ``benchmarks/figures/``. A test runs the check, so that no page can say what
was not measured.
"""

import argparse
import re
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import figures
from figures import FIGURES

ROOT = Path(__file__).parents[1]
MARK = re.compile(r"(<!-- measured (\w+) -->)(\n?)(.*?)(<!-- end -->)", re.DOTALL)

for module in iter_modules(figures.__path__, "figures."):
    import_module(module.name)


def write(text):
    """Return a page with its figures written anew."""

    def replace(found):
        mark, name, line, _, end = found.groups()
        return f"{mark}{line}{FIGURES[name]()}{line}{end}"

    return MARK.sub(replace, text)


def pages():
    """Return the pages of the documentation, and what is read without them."""
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *ROOT.glob("plugins/*/README.md")]


def rewrite(check=False):
    """Write all pages anew, or only say which ones would change; return their names."""
    changed = []
    for page in pages():
        old = page.read_text("utf-8")
        if (new := write(old)) != old:
            changed.append(str(page.relative_to(ROOT)))
            if not check:
                page.write_text(new, "utf-8")
    return changed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it would")
    options = parser.parse_args()
    changed = rewrite(options.check)
    print("changed:" if changed else "nothing changed", *changed)
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
