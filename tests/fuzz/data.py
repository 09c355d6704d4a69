"""Data that nobody should fit a model to, as somebody will."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from hypothesis import strategies as st

ROWS = (0, 1, 2, 3, 5, 17, 40)
COLUMNS = (0, 1, 2, 3, 8, 30)
SHAPES = st.one_of(
    st.tuples(st.sampled_from(ROWS), st.sampled_from(COLUMNS)),
    # Most of what can go wrong needs data that are not refused at once.
    st.tuples(st.sampled_from(ROWS[3:]), st.sampled_from(COLUMNS[1:])),
    st.sampled_from([(120, 1), (1, 300), (2, 200), (100, 2)]),
)


def _scaled(factor):
    def scale(X, rng):
        with np.errstate(under="ignore"):
            X *= factor

    return scale


def _one(value):
    def put(X, rng):
        X.flat[rng.integers(X.size)] = value

    return put


def _fill(value):
    def fill(X, rng):
        X[:] = value

    return fill


def _duplicate_rows(X, rng):
    X[:] = X[rng.integers(max(1, len(X) // 3), size=len(X))]


def _duplicate_columns(X, rng):
    X[:] = X[:, rng.integers(max(1, X.shape[1] // 3), size=X.shape[1])]


def _constant_column(X, rng):
    X[:, rng.integers(X.shape[1])] = 3.0


def _zero_rows(X, rng):
    X[rng.uniform(size=len(X)) < 0.4] = 0.0


def _mixed_columns(X, rng):
    X *= 10.0 ** rng.integers(-150, 150, size=X.shape[1])


def _mixed_rows(X, rng):
    X *= 10.0 ** rng.integers(-150, 150, size=(len(X), 1))


def _low_rank(X, rng):
    X[:] = np.outer(X[:, 0], X[0])


def _offset(X, rng):
    X += 1e9


def _integers(X, rng):
    np.rint(3 * X, out=X)


def _missing(X, rng):
    X[rng.uniform(size=X.shape) < 0.4] = np.nan


#: What is done to standard normal entries, in place.
CONTENTS = {
    "plain": lambda X, rng: None,
    "zero": _fill(0.0),
    "constant": _fill(2.5),
    "duplicate rows": _duplicate_rows,
    "duplicate columns": _duplicate_columns,
    "constant column": _constant_column,
    "zero rows": _zero_rows,
    "one NaN": _one(np.nan),
    "one inf": _one(np.inf),
    "one -inf": _one(-np.inf),
    "missing": _missing,
    "subnormal": _scaled(1e-310),
    "1e300": _scaled(1e300),
    "1e-300": _scaled(1e-300),
    "1e160": _scaled(1e160),
    "1e-170": _scaled(1e-170),
    "one huge": _one(1e300),
    "one largest": _one(np.finfo(np.float64).max),
    "mixed columns": _mixed_columns,
    "mixed rows": _mixed_rows,
    "low rank": _low_rank,
    "offset": _offset,
    "integers": _integers,
}


def _memory_map(X):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "X.npy"
        np.save(path, X)
        # The file may go while it is mapped; not on Windows, where these tests do not run.
        return np.load(path, mmap_mode="r")


def _read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def _strided(X):
    return np.repeat(np.repeat(X, 2, axis=0), 3, axis=-1)[::2, ::3]


def _reversed(X):
    return np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]


def _as_type(dtype):
    def convert(X):
        with np.errstate(all="ignore"):
            return X.astype(dtype)

    return convert


def _csr(X):
    return sp.csr_array(X)


def _explicit_zeros(X):
    X = np.where(np.arange(X.size).reshape(X.shape) % 3 == 0, 0.0, X)
    columns = np.indices(X.shape)[1]
    indptr = np.arange(len(X) + 1, dtype=np.int32) * X.shape[1]
    indices = columns.ravel().astype(np.int32)
    return sp.csr_array((X.ravel(), indices, indptr), shape=X.shape)


def _unsorted_indices(X):
    full = _explicit_zeros(X)
    for i in range(len(X)):
        part = slice(full.indptr[i], full.indptr[i + 1])
        full.indices[part] = full.indices[part][::-1].copy()
        full.data[part] = full.data[part][::-1].copy()
    full.has_sorted_indices = False
    return full


def _duplicates(X):
    X = sp.coo_array(X)
    rows, columns = X.coords
    twice = (np.concatenate([rows, rows[:3]]), np.concatenate([columns, columns[:3]]))
    return sp.coo_array((np.concatenate([X.data, X.data[:3]]), twice), shape=X.shape)


def _wide_indices(X):
    X = sp.csr_array(X)
    wide = sp.csr_array(X.shape)
    wide.data, wide.indices, wide.indptr = (
        X.data,
        X.indices.astype(np.int64),
        X.indptr.astype(np.int64),
    )
    return wide


def _read_only_csr(X):
    X = sp.csr_array(X)
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    return X


#: How the same numbers are handed over.
STORAGES = {
    "plain": lambda X: X,
    "float32": _as_type(np.float32),
    "Fortran": np.asfortranarray,
    "strided": _strided,
    "reversed": _reversed,
    "read-only": _read_only,
    "memory map": _memory_map,
    "float16": _as_type(np.float16),
    "long double": _as_type(np.longdouble),
    "big-endian": _as_type(">f8"),
    "complex": _as_type(np.complex128),
    "int64": _as_type(np.int64),
    "int8": _as_type(np.int8),
    "uint8": _as_type(np.uint8),
    "bool": _as_type(bool),
    "object": _as_type(object),
    "text": lambda X: X.astype(str),
    "lists": lambda X: X.tolist(),
    "frame": lambda X: pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])]),
    "masked": lambda X: np.ma.masked_array(X, mask=X > 1),
    "1-D": np.ravel,
    "3-D": lambda X: X[:, :, None],
    "csr": _csr,
    "csr float32": lambda X: sp.csr_array(_as_type(np.float32)(X)),
    "csr matrix": lambda X: sp.csr_matrix(X),
    "csc": lambda X: sp.csc_array(X),
    "lil": lambda X: sp.lil_array(X),
    "coo with duplicates": _duplicates,
    "explicit zeros": _explicit_zeros,
    "unsorted indices": _unsorted_indices,
    "int64 indices": _wide_indices,
    "read-only csr": _read_only_csr,
}

TARGETS = {
    "numbers": lambda n, rng: rng.standard_normal(n),
    "two columns": lambda n, rng: rng.standard_normal((n, 2)),
    "float32": lambda n, rng: rng.standard_normal(n).astype(np.float32),
    "constant": lambda n, rng: np.full(n, 2.0),
    "zero": lambda n, rng: np.zeros(n),
    "1e300": lambda n, rng: 1e300 * rng.standard_normal(n),
    "1e-300": lambda n, rng: 1e-300 * rng.standard_normal(n),
    "NaN": lambda n, rng: np.where(np.arange(n) == n // 2, np.nan, rng.standard_normal(n)),
    "inf": lambda n, rng: np.where(np.arange(n) == n // 2, np.inf, rng.standard_normal(n)),
    "none": lambda n, rng: None,
    "too long": lambda n, rng: rng.standard_normal(n + 1),
    "object": lambda n, rng: rng.standard_normal(n).astype(object),
    "labels": lambda n, rng: np.arange(n) % 3 - 1,
    "two labels": lambda n, rng: np.where(np.arange(n) < 4, np.arange(n) % 2, -1),
    "one label": lambda n, rng: np.where(np.arange(n) < 4, 0, -1),
    "all labelled": lambda n, rng: np.arange(n) % 2,
    "words": lambda n, rng: np.array(["ant", "bee"] * n)[:n],
    "bool": lambda n, rng: np.arange(n) % 2 == 0,
    "read-only": lambda n, rng: _read_only(rng.standard_normal(n)),
    "reversed": lambda n, rng: rng.standard_normal(n)[::-1],
}

WEIGHTS = {
    "none": lambda n, rng: None,
    "positive": lambda n, rng: rng.uniform(0.5, 2, n),
    "zero": lambda n, rng: np.zeros(n),
    "some zero": lambda n, rng: np.arange(n) % 2 * 1.0,
    "one": lambda n, rng: np.eye(max(n, 1))[0][:n],
    "negative": lambda n, rng: np.where(np.arange(n) == n // 2, -1.0, 1.0),
    "NaN": lambda n, rng: np.where(np.arange(n) == n // 2, np.nan, 1.0),
    "1e300": lambda n, rng: np.full(n, 1e300),
    "1e-300": lambda n, rng: np.full(n, 1e-300),
    "subnormal": lambda n, rng: np.full(n, 5e-324),
    "mixed": lambda n, rng: 10.0 ** rng.integers(-200, 200, size=n),
    "integers": lambda n, rng: np.arange(n),
    "scalar": lambda n, rng: 2.0,
    "too long": lambda n, rng: np.ones(n + 1),
    "2-D": lambda n, rng: np.ones((n, 2)),
}


#: Targets that make a classifier work.
LABELS = [name for name in TARGETS if "label" in name]


SPARSE = [name for name in STORAGES if "csr" in name or "indices" in name or name == "lil"]
DENSE = ["plain", "float32", "Fortran", "strided", "reversed", "read-only", "memory map", "frame"]


@st.composite
def matrices(draw, columns=None, sparse=False):
    """Return a matrix in whatever form, of a given number of columns if that is given.

    Most often it is one that estimators take: sparse ones if `sparse` says so.
    """
    rows, drawn = draw(SHAPES)
    columns = drawn if columns is None else columns
    contents = draw(st.lists(st.sampled_from(list(CONTENTS)), max_size=2, unique=True))
    usual = st.sampled_from([*DENSE, *SPARSE] if sparse else DENSE)
    storage = draw(st.one_of(usual, usual, st.sampled_from(list(STORAGES))))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    X = rng.standard_normal((rows, columns))
    with np.errstate(all="ignore"):
        for content in contents:
            if X.size:
                CONTENTS[content](X, rng)
    return STORAGES[storage](X)


@st.composite
def places(draw):
    """Return pairs of indices with little wrong about them."""
    n = draw(st.sampled_from(ROWS[1:]))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    X = np.column_stack([np.arange(n) % 7, np.arange(n) // 7]).astype(np.float64)
    if draw(st.booleans()):
        X[rng.integers(n), 0] = draw(st.sampled_from([-1, 0.5, 1e3, 1e18, np.nan]))
    storages = ("plain", "int64", "int8", "float32", "Fortran", "read-only", "lists", "frame")
    return STORAGES[draw(st.sampled_from(storages))](X)


def vectors(kinds, favoured=()):
    """Return a function of the length for a vector of one of the kinds."""

    def draw_vector(kind, seed):
        return lambda n: kinds[kind](n, np.random.default_rng(seed))

    anything = st.sampled_from(list(kinds))
    usual = st.sampled_from(favoured) if favoured else anything
    return st.builds(draw_vector, st.one_of(usual, usual, usual, anything), st.integers(0, 3))
