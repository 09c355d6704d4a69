"""The distribution as skrand sees it: its entry, its claim, and its README."""

import contextlib
import io
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def resolve(target):
    module, name = target.split(":")
    return getattr(import_module(module), name)


def test_the_entry_names_what_exists():
    import skrand_features
    from skrand_features._register import skrand_entries

    classes = {"BandlimitedFeatures", "PTDStateSpaceFeatures"}
    assert {entry.name for entry in skrand_entries()} == classes
    for entry in skrand_entries():
        assert resolve(entry.target) is getattr(skrand_features, entry.name)
        assert callable(resolve(entry.claim))
        assert callable(resolve(entry.demo))


def test_registering_imports_nothing_heavy():
    out = run(
        "import sys; from skrand_features._register import skrand_entries; skrand_entries()\n"
        "print([name for name in ('numpy', 'scipy', 'sklearn') if name in sys.modules])"
    )
    assert out == "[]"


def test_the_claim_holds():
    from skrand_features._claims import bandlimited

    result = bandlimited()
    assert result.holds
    assert result.measured < 0.02
    assert result.baseline > 0.9


def test_the_claims_of_the_state_space_hold():
    from skrand_features._claims import state_space

    error, gain = state_space()
    assert error.holds
    assert error.measured < 1e-3 < 1.0 < error.baseline
    assert gain.holds
    assert gain.measured < 1.001 < 20.0 < gain.baseline


def readme_examples():
    return re.findall(
        r"```python\n(.*?)```\s+prints\s+```\n(.*?)```", README.read_text(), re.DOTALL
    )


def printed(code):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    return out.getvalue().splitlines()


def test_the_readme_examples_print_what_they_say():
    (bandlimited, bands), (states, scores) = readme_examples()
    lines, expected = printed(bandlimited), bands.splitlines()
    # Too wide a box gives an ill-determined fit: its score is only known to be bad.
    assert lines[:2] == expected[:2]
    assert float(lines[2].split()[1]) < 0.5
    assert printed(states) == scores.splitlines()
