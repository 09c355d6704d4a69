"""What importing and listing may import. benchmarks/startup.py has the times."""

import os
import subprocess
import sys

import pytest

HEAVY = ("numpy", "scipy", "sklearn", "torch", "pandas", "matplotlib", "joblib")


def run(code):
    """Return the words of the last line that a new process prints, without plugins."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "SKRAND_PLUGINS": ""},
    )
    return done.stdout.splitlines()[-1].split()


def imported(code, *watched):
    """Return which of the watched modules are there after running code in a new process."""
    return run(f"{code}\nimport sys; print('\\n', *(m for m in {watched!r} if m in sys.modules))")


def test_import_skrand_imports_nothing_else():
    new = run(
        "import sys; before = set(sys.modules); import skrand\n"
        "roots = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*(roots - sys.stdlib_module_names))"
    )
    assert new == ["skrand"]
    assert imported("import skrand", "importlib.metadata", "dataclasses", "pluggy") == []


@pytest.mark.parametrize(
    "code",
    [
        "import skrand.exceptions, skrand.testing",
        "import skrand.registry",
        "from skrand import registry; registry.entries()",
        "from skrand import registry; registry.plugins()",
    ],
)
def test_the_registry_imports_nothing_heavy(code):
    assert imported(code, *HEAVY) == []


def test_requirements_are_only_parsed_where_there_are_any():
    assert imported("from skrand import registry; registry.entries()", "packaging") == []


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["list", "least-squares", "--can", "sparse"],
        ["list", "--json"],
        ["plugins"],
        ["--help"],
        ["bench", "--help"],
    ],
)
def test_the_command_line_imports_nothing_heavy(command):
    code = f"import skrand.cli\ntry: skrand.cli.main({command!r})\nexcept SystemExit: pass"
    assert imported(code, *HEAVY) == []
