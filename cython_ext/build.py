"""The build of the kernels: every ``cython_ext/*.pyx`` becomes ``skrand._ext.<name>``.

setuptools finds :class:`BuildExt` through ``[tool.setuptools.cmdclass]`` in pyproject.toml. The
flags are a policy, not a preference:

* never ``-march=native``: a wheel must run on every machine of its platform. A function that gains
  from newer instructions says so itself, with ``SKRAND_CLONES`` of kernels.h;
* never ``-ffast-math``: loading a library linked with it makes the whole process flush subnormal
  numbers to zero.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from setuptools import Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

# setuptools loads this file by its path, without the project's root on sys.path.
sys.path[:0] = [] if "cython_ext" in sys.modules else [str(Path(__file__).resolve().parent.parent)]

from cython_ext import HERE, PACKAGE, build_mode, digest, kernel_names, record_path  # noqa: E402

__all__ = ["BuildExt"]

SHARED_UTILITY = f"{PACKAGE}._cyutility"

OPENMP_PROGRAM = """
#include <omp.h>
int main(void) { return omp_get_max_threads() < 1; }
"""

# glibc's vector exp is in a library of its own, which exists on few platforms.
MVEC_PROGRAM = """
#include <math.h>
#if !defined(__GLIBC__) || !defined(__x86_64__) || !defined(__GNUC__) || defined(__clang__)
#error "no libmvec"
#endif
int main(int argc, char **argv) { return exp((double) argc) < 0.0; }
"""

NO_OPENMP = """
******************************************************************************
skrand: the C compiler could not build a program with OpenMP ({flag}).
The kernels will be built WITHOUT threads: n_jobs will have no effect, results
are the same. Install the compiler's OpenMP runtime and build again for threads.
******************************************************************************
"""


class BuildExt(build_ext):
    """Build all kernels that lie in ``cython_ext``, and record what each was built from."""

    #: Names of the kernels to build; None for all of them.
    kernels: list[str] | None = None

    def finalize_options(self) -> None:
        """List the kernels: a new one needs no entry anywhere."""
        self.debug_kernels = os.environ.get("SKRAND_DEBUG_CYTHON", "0") not in ("", "0")
        names = kernel_names() if self.kernels is None else self.kernels
        here = os.path.relpath(HERE)
        extensions = [
            # The memoryview machinery, compiled once for all kernels.
            Extension(SHARED_UTILITY, sources=[SHARED_UTILITY.replace(".", "/") + ".c"]),
            *(
                Extension(f"{PACKAGE}.{name}", sources=[f"{here}/{name}.pyx"], include_dirs=[here])
                for name in names
            ),
        ]
        self.distribution.ext_modules = extensions
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count() or 1

    def get_source_files(self) -> list[str]:
        """Return every file that the build reads, so that an sdist holds them all."""
        patterns = ("*.py", "*.pyx", "*.pxd", "*.h")
        paths = sorted(path for pattern in patterns for path in HERE.glob(pattern))
        return [os.path.relpath(path) for path in paths]

    def build_extensions(self) -> None:
        """Translate to C, add the flags that this compiler takes, compile, leave the records."""
        from Cython.Build import cythonize

        # Taken first: a source that changes from now on is stale, not silently up to date.
        mode = build_mode()
        self.records = {name: f"{digest(name)} {mode}\n" for name in kernel_names()}
        compile_args, link_args = self._flags()
        for extension in self.extensions:
            extension.extra_compile_args = [*compile_args]
            extension.extra_link_args = [*link_args]
        build_dir = Path(self.build_temp) / mode
        translated = cythonize(
            self.extensions,
            build_dir=str(build_dir),
            include_path=[str(HERE)],
            shared_utility_qualified_name=SHARED_UTILITY,
            force=bool(self.force),
            compiler_directives={
                "language_level": 3,
                "boundscheck": self.debug_kernels,
                "initializedcheck": self.debug_kernels,
                "wraparound": False,
                "nonecheck": False,
                "cdivision": True,
                "embedsignature": True,
                "show_performance_hints": False,
            },
        )
        for extension, source in zip(self.extensions, translated, strict=True):
            extension.sources = source.sources
            extension.extra_compile_args = source.extra_compile_args
            extension.libraries = source.libraries
        # Objects compiled with other flags must not be taken for up to date.
        self.build_temp = str(build_dir)
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        """Compile one kernel and write the sha256 of its source beside it."""
        name = ext.name.rpartition(".")[2]
        if name not in self.records:
            super().build_extension(ext)
            return
        built = Path(self.get_ext_fullpath(ext.name))
        record = record_path(built.parent, name)
        if not record.exists() or record.read_text() != self.records[name]:
            # setuptools would go by times, and knows neither the header nor the directives.
            built.unlink(missing_ok=True)
        super().build_extension(ext)
        record.write_text(self.records[name])

    def get_outputs(self) -> list[str]:
        """Return the built files; the records belong to them."""
        return [*super().get_outputs(), *self.get_output_mapping_of_records().keys()]

    def get_output_mapping(self) -> dict[str, str]:
        """Return which built file goes where in an editable installation."""
        mapping = dict(super().get_output_mapping())
        return {**mapping, **(self.get_output_mapping_of_records() if self.inplace else {})}

    def get_output_mapping_of_records(self) -> dict[str, str]:
        """Return for each record in the build directory its place in the source tree."""
        package = Path(*PACKAGE.split("."))
        built = Path(self.build_lib) / package
        return {
            str(record_path(built, name)): str(record_path(package, name))
            for name in (ext.name.rpartition(".")[2] for ext in self.extensions)
            if name in kernel_names()
        }

    def copy_extensions_to_source(self) -> None:
        """Copy the kernels and their records into the source tree."""
        super().copy_extensions_to_source()
        for built, inplace in self.get_output_mapping_of_records().items():
            self.copy_file(built, inplace, level=self.verbose)

    def _flags(self) -> tuple[list[str], list[str]]:
        if self.compiler.compiler_type == "msvc":
            return ["/O2", "/openmp"], []
        compile_args, link_args = ["-O3", "-g0", "-fno-math-errno"], []
        if self.debug_kernels:
            # Cython's code for leaving a parallel loop on an error.
            compile_args.append("-Wno-maybe-uninitialized")
        sanitizers = os.environ.get("SKRAND_SANITIZE", "")
        if sanitizers:
            # For tests alone: the process must be started with the sanitizers' libraries.
            compile_args += ["-g1", "-fno-omit-frame-pointer", f"-fsanitize={sanitizers}"]
            compile_args.append("-fno-sanitize-recover=all")
            link_args.append(f"-fsanitize={sanitizers}")
        if self._builds(OPENMP_PROGRAM, ["-fopenmp"]):
            compile_args.append("-fopenmp")
            link_args.append("-fopenmp")
        else:
            sys.stderr.write(NO_OPENMP.format(flag="-fopenmp"))
            self.warn("OpenMP is missing: kernels are built without threads")
        if self._builds(MVEC_PROGRAM, [], ["-lmvec", "-lm"]):
            link_args += ["-Wl,--as-needed", "-lmvec", "-lm"]
        return compile_args, link_args

    def _builds(self, program: str, flags: list[str], libraries: list[str] | None = None) -> bool:
        """Tell whether a program compiles and links with these flags."""
        with tempfile.TemporaryDirectory() as directory:
            source = Path(directory) / "probe.c"
            source.write_text(program)
            try:
                objects = self.compiler.compile(
                    [str(source)], output_dir=directory, extra_postargs=flags
                )
                self.compiler.link_executable(
                    objects,
                    "probe",
                    output_dir=directory,
                    extra_postargs=[*flags, *(libraries or [])],
                )
            except (CompileError, LinkError):
                return False
        return True
