"""``python -m cython_ext [NAME ...] [--force]``: rebuild the kernels in the source tree.

Builds those whose source changed since they were built, or the named ones. Each is built on its
own: one that does not compile leaves the others in place, and is named at the end.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from setuptools import Distribution
from setuptools.errors import BaseError

from cython_ext import HERE, build_mode, digest, kernel_names, record_path
from cython_ext.build import BuildExt

TARGET = HERE.parent / "skrand" / "_ext"


def _needs_build(name: str, mode: str) -> bool:
    record = record_path(TARGET, name)
    return not record.exists() or record.read_text().split() != [digest(name), mode]


def _build(names: list[str]) -> None:
    distribution = Distribution({"name": "skrand", "packages": ["skrand", "skrand._ext"]})
    with tempfile.TemporaryDirectory() as scratch:
        command = BuildExt(distribution)
        command.kernels = names
        command.build_temp = str(Path(scratch) / "temp")
        command.build_lib = str(Path(scratch) / "lib")
        command.ensure_finalized()
        command.run()
        for built in sorted((Path(scratch) / "lib" / "skrand" / "_ext").iterdir()):
            # Renaming is atomic: a running process keeps the file that it has mapped.
            waiting = TARGET / f".{built.name}.{os.getpid()}"
            waiting.write_bytes(built.read_bytes())
            waiting.chmod(0o755)
            waiting.replace(TARGET / built.name)


def main(arguments: list[str] | None = None) -> int:
    """Rebuild what is stale; return 0 if all of it compiled."""
    parser = argparse.ArgumentParser(prog="python -m cython_ext", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="kernels to build")
    parser.add_argument("--force", action="store_true", help="build even what is up to date")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(kernel_names()))
    if unknown:
        parser.error(f"no such kernel: {', '.join(unknown)}. Known: {', '.join(kernel_names())}")
    os.chdir(HERE.parent)
    mode = build_mode()
    names = options.names or kernel_names()
    todo = [name for name in names if options.force or _needs_build(name, mode)]
    try:
        if todo:
            _build(todo)
        failed = []
    except (BaseError, Exception) as error:  # noqa: BLE001  (Cython's errors share no base)
        print(error, file=sys.stderr)
        failed = [name for name in todo if not _alone(name)] if len(todo) > 1 else todo
    built = [name for name in todo if name not in failed]
    print(f"built ({mode}): {', '.join(built) or 'nothing, all kernels are up to date'}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _alone(name: str) -> bool:
    try:
        _build([name])
    except (BaseError, Exception) as error:  # noqa: BLE001
        print(f"{name}: {error}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
