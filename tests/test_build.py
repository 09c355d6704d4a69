"""The build: what it makes, how it fails, and what the compiled code must not do."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import skrand

ROOT = Path(__file__).resolve().parent.parent
KERNELS = sorted(path.stem for path in (ROOT / "cython_ext").glob("*.pyx"))

pytestmark = pytest.mark.skipif(not KERNELS, reason="the sources of the kernels are not here")


def run(*command, cwd, check=True, **environment):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def tree(tmp_path):
    """A copy of what a build reads, without what it makes."""
    if not (ROOT / "skrand").is_dir():
        pytest.skip("the tests run against an installed package, and its sources are not here")
    made = shutil.ignore_patterns("*.so", "*.pyd", "*.sha256", "__pycache__")
    for name in ("cython_ext", "skrand"):
        shutil.copytree(ROOT / name, tmp_path / "tree" / name, ignore=made)
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, tmp_path / "tree" / name)
    return tmp_path / "tree"


def keep_only(tree, *kernels):
    for path in (tree / "cython_ext").glob("*.pyx"):
        if path.stem not in kernels:
            path.unlink()


def test_subnormals_survive_importing_every_kernel(tmp_path):
    # A library linked with -ffast-math sets the processor to flush them, for the whole process.
    code = f"""
import importlib, sys
tiny = sys.float_info.min
for name in {KERNELS!r}:
    importlib.import_module("skrand._ext." + name)
assert tiny / 4 > 0, "subnormals are flushed to zero"
import numpy as np
x = np.full(8, tiny)
assert (x / 4 > 0).all()
assert (x.astype("f4") == 0).all() and (np.full(8, np.float32(1e-38)) / 8 > 0).all()
"""
    run("-c", code, cwd=tmp_path, PYTHONPATH=str(Path(skrand.__file__).parent.parent))


def test_kernels_know_their_sources():
    directory = Path(skrand.__file__).parent / "_ext"
    records = {path.name.split(".")[0] for path in directory.glob("*.sha256")}
    assert records >= set(KERNELS)


def test_unbuilt_tree_explains_itself(tree):
    for statement in (
        "import skrand._ext",
        "from skrand._ext import sketch",
        "from skrand._ext.sketch import walsh_hadamard",
        "import skrand.linalg",
    ):
        done = run("-c", statement, cwd=tree, check=False)
        assert done.returncode == 1
        assert "compiled kernel 'threads' is missing from" in done.stderr
        assert "pip install -e ." in done.stderr
    # The package itself stays importable: the command line must be able to say what is wrong.
    run("-c", "import skrand", cwd=tree)


# What docs/contributing.md tells the author of a kernel to write, with the vector exp of kernels.h.
FRESH = '''
from cython cimport floating

cdef extern from *:
    """
    #include "kernels.h"
    #define EXP_SUM(NAME, TYPE, EXP)                                       \\
    SKRAND_CLONES                                                          \\
    static TYPE NAME(const TYPE *x, ptrdiff_t n)                           \\
    {                                                                      \\
        TYPE total = 0;                                                    \\
        _Pragma("omp simd reduction(+:total)")                             \\
        for (ptrdiff_t i = 0; i < n; i++)                                  \\
            total += EXP(x[i]);                                            \\
        return total;                                                      \\
    }
    EXP_SUM(exp_sum_f64, double, exp)
    EXP_SUM(exp_sum_f32, float, expf)
    """
    double exp_sum_f64(const double* x, Py_ssize_t n) nogil
    float exp_sum_f32(const float* x, Py_ssize_t n) nogil


def exp_sum(const floating[::1] x):
    if floating is double:
        return exp_sum_f64(&x[0], x.shape[0])
    else:
        return exp_sum_f32(&x[0], x.shape[0])


def at(const double[:] x, Py_ssize_t i):
    return x[i]
'''

CHECK_FRESH = """
import numpy as np
from skrand._ext import fresh, threads
threads.max_threads()
x = np.random.default_rng(0).standard_normal(1003)
assert abs(fresh.exp_sum(x) / np.exp(x).sum() - 1) < 1e-14
single = x.astype(np.float32)
assert abs(fresh.exp_sum(single) / np.exp(single).sum(dtype=float) - 1) < 1e-5
"""


def test_new_kernel_needs_no_entry_and_may_fail_alone(tree):
    keep_only(tree, "threads")
    good = FRESH
    (tree / "cython_ext" / "fresh.pyx").write_text(good)
    (tree / "cython_ext" / "wrong.pyx").write_text("def f(: pass\n")
    done = run("-m", "cython_ext", cwd=tree, check=False)
    assert done.returncode == 1
    assert "built (release): fresh, threads" in done.stdout
    assert "failed: wrong" in done.stderr
    run("-c", CHECK_FRESH, cwd=tree)
    done = run("-c", "from skrand._ext import wrong", cwd=tree, check=False)
    assert "compiled kernel 'wrong' is missing" in done.stderr

    (tree / "cython_ext" / "wrong.pyx").unlink()
    assert "nothing, all kernels are up to date" in run("-m", "cython_ext", cwd=tree).stdout
    stale = "from pathlib import Path; import cython_ext as c; "
    stale += "print(c.stale_kernels(Path('skrand/_ext')))"
    assert run("-c", stale, cwd=tree).stdout.strip() == "[]"
    (tree / "cython_ext" / "fresh.pyx").write_text(good + "# changed\n")
    assert run("-c", stale, cwd=tree).stdout.strip() == "['fresh']"
    done = run("-m", "cython_ext", "nosuch", cwd=tree, check=False)
    assert done.returncode == 2
    assert "no such kernel: nosuch. Known: fresh, threads" in done.stderr

    # With bounds checks, which are off otherwise.
    beyond = "import numpy as np; from skrand._ext import fresh; fresh.at(np.ones(3), 3)"
    done = run("-m", "cython_ext", cwd=tree, SKRAND_DEBUG_CYTHON="1")
    assert "built (debug): fresh, threads" in done.stdout
    assert "IndexError" in run("-c", beyond, cwd=tree, check=False).stderr
    assert "built (release): fresh, threads" in run("-m", "cython_ext", cwd=tree).stdout


def test_suite_stops_at_stale_kernels(tree):
    keep_only(tree, "threads")
    run("-m", "cython_ext", cwd=tree)
    (tree / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", tree / "tests")
    (tree / "tests" / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    run(*arguments, cwd=tree)
    (tree / "cython_ext" / "kernels.h").write_text("/* changed */\n")
    done = run(*arguments, cwd=tree, check=False)
    assert done.returncode == 4
    assert "kernels are stale: run python -m cython_ext (threads)" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="wraps the compiler in a shell script")
def test_without_openmp_the_build_warns_and_is_serial(tree, tmp_path):
    keep_only(tree, "threads", "sketch", "random")
    compiler = tmp_path / "cc"
    compiler.write_text(
        '#!/bin/sh\ncase " $* " in *" -fopenmp "*) echo no OpenMP >&2; exit 1;; esac\n'
        'exec cc "$@"\n'
    )
    compiler.chmod(0o755)
    done = run("-m", "cython_ext", cwd=tree, CC=str(compiler), LDSHARED=f"{compiler} -shared")
    assert "WITHOUT threads" in done.stderr
    code = """
from skrand._ext import threads
assert not threads.has_openmp() and threads.max_threads() == 1
from skrand.linalg import SRHT, SparseSign
import numpy as np
X = np.random.default_rng(0).standard_normal((2000, 20))
print(*[S(50, random_state=0, n_jobs=2).apply(X).tobytes().hex() for S in (SRHT, SparseSign)])
"""
    serial = run("-c", code, cwd=tree).stdout
    threaded = code.replace("assert", "#")
    where = str(Path(skrand.__file__).parent.parent)
    assert serial == run("-c", threaded, cwd=tmp_path, PYTHONPATH=where).stdout


def test_sdist_to_wheel(tree, tmp_path):
    pytest.importorskip("build")
    run("-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), cwd=tree)
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    sources = {f"cython_ext/{path.name}" for path in (ROOT / "cython_ext").glob("*.*")}
    assert names >= sources | {"pyproject.toml", "LICENSE", "README.md"}
    assert not [name for name in names if name.endswith((".so", ".c", ".sha256", ".pyc"))]

    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name.startswith(f"skrand-{skrand.__version__}-cp")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    for kernel in KERNELS:
        assert [name for name in names if name.startswith(f"skrand/_ext/{kernel}.")]
    assert not [name for name in names if name.endswith((".pyx", ".c", ".h"))]
    assert {name.partition("/")[0] for name in names} == {
        "skrand",
        f"skrand-{skrand.__version__}.dist-info",
    }
    code = "from skrand.linalg import SRHT; print(SRHT(4).apply([1.0, 2.0]).shape)"
    assert run("-c", code, cwd=tmp_path, PYTHONPATH=str(tmp_path / "site")).stdout == "(4,)\n"
