"""Sources of the compiled kernels, and what builds them.

This directory is not installed. It imports nothing but the standard library, so that the test
suite can ask whether the kernels are up to date without the build tools.
"""

import hashlib
import os
import sysconfig
from pathlib import Path

__all__ = [
    "HERE",
    "PACKAGE",
    "build_mode",
    "digest",
    "kernel_names",
    "record_path",
    "stale_kernels",
]

HERE = Path(__file__).resolve().parent
PACKAGE = "skrand._ext"


def kernel_names() -> list[str]:
    """Return the name of every kernel: one for each ``cython_ext/<name>.pyx``."""
    return sorted(path.stem for path in HERE.glob("*.pyx"))


def digest(name: str) -> str:
    """Return the sha256 of all a kernel is compiled from: its source, each pxd and header."""
    shared = [path for pattern in ("*.pxd", "*.h") for path in HERE.glob(pattern)]
    total = hashlib.sha256()
    for path in [HERE / f"{name}.pyx", *sorted(shared)]:
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def build_mode() -> str:
    """Return how kernels are built: "release", or what the environment asks for."""
    debug = os.environ.get("SKRAND_DEBUG_CYTHON", "0") not in ("", "0")
    sanitizers = os.environ.get("SKRAND_SANITIZE", "")
    return "+".join(["debug"] * debug + [sanitizers] * bool(sanitizers)) or "release"


def record_path(directory: Path, name: str) -> Path:
    """Return the file beside a built kernel that says what it was built from.

    It is named after the interpreter too: kernels of several Pythons may live in one source tree.
    """
    suffix = Path(str(sysconfig.get_config_var("EXT_SUFFIX"))).with_suffix("")
    return directory / f"{name}{suffix}.sha256"


def stale_kernels(directory: Path) -> list[str]:
    """Return the kernels in `directory` that were not built from the sources as they are now."""
    stale = []
    for name in kernel_names():
        record = record_path(directory, name)
        if not record.exists() or record.read_text().split()[0] != digest(name):
            stale.append(name)
    return stale
