"""Sketching operators: a random matrix S of few rows, with E[S^T S] = I, that is never stored.

Column i of S belongs to row i of the data, and depends on the seed and on i alone. So a sketch of
many rows is the sum of the sketches of its pieces, wherever they are made::

    S = CountSketch(1000, random_state=0)
    S.apply(X) == S.apply(X[:500]) + S.apply(X[500:], row_offset=500)      # to rounding

Choosing an operator
--------------------
For a matrix of d columns and sketches of ``4 d`` rows or so:

============== ======================= =================================================
operator       cost for dense X        when
============== ======================= =================================================
`SparseSign`   ``nnz`` x n d           the default; the only good one for sparse X
`CountSketch`  n d                     when one pass must do and X is incoherent; needs
                                       about ``d^2`` rows in the worst case
`SRHT`         n d log2(sketch_size)   small errors in every coordinate, not in norm alone
`Gaussian`     2 sketch_size n d       exact distributions, for small problems and tests
`Rademacher`   2 sketch_size n d       the same without normal numbers; faster to generate
============== ======================= =================================================

Which bits are the same
-----------------------
Every operator accumulates in float64 and gives the same bits for any `n_jobs`: threads own parts
of the output, never of the rows, and BLAS runs on one thread on tiles cut by the shape alone.

A sum over the same rows in other *chunks* has the same bits

* for `CountSketch` and `SparseSign`: always, if the chunks are accumulated in the order of their
  rows into one array (``apply(..., out=)`` or :class:`SketchState`), as rows are added one at a
  time;
* for the others: through :class:`SketchState`, which holds rows back until their block is full.
  Blocks begin at multiples of ``block_rows``, counted from row 0 of the whole data.

`merge` adds two finished sums, so its result agrees to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from skrand._ext import random as _random
from skrand._ext import sketch as _kernels
from skrand._validation import check_integer, check_n_jobs, check_option, fail_parameter
from skrand.linalg.random import philox4x32
from skrand.linalg.rows import disjoint_union
from skrand.linalg.threads import effective_n_jobs, ordered_map, single_threaded_blas

__all__ = [
    "SKETCHES",
    "SRHT",
    "CountSketch",
    "Gaussian",
    "Rademacher",
    "Sketch",
    "SketchState",
    "SparseSign",
    "make_sketch",
]

# Streams of random numbers; the kernels hold the same constants.
_STREAM_NORMAL, _STREAM_SIGN, _STREAM_HASH = 1, 2, 3
_STREAM_IN, _STREAM_PICK, _STREAM_OUT = 4, 5, 6

# The sparse kernels hold places as 32-bit integers, and 31 random bits choose one.
_MAX_SKETCH_SIZE = 2**30
_MAX_ROW = 2**53


class _Shown:
    """Stands for a value in an error message, which would be too long in full."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _shown(value: Any) -> Any:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        kind = "a sparse matrix" if sp.issparse(value) else "an array"
        return _Shown(f"{kind} of shape {value.shape} and dtype {value.dtype}")
    text = repr(value)
    return _Shown(text if len(text) < 80 else f"a {type(value).__name__}")


class Sketch(ABC):
    """A random matrix S of shape (sketch_size, any), with E[S^T S] = I.

    Parameters
    ----------
    sketch_size : int
        Number of rows of S, and of every sketch.
    random_state : int, optional
        Seed, from 0 to ``2**64 - 1``. None draws one, kept in `seed`.
    n_jobs : int, optional
        Threads; None takes as many as OpenMP would. Changes no bit of any result.

    Attributes
    ----------
    seed : int
        What S is a function of.
    block_rows : int
        Rows of the data that are added together; 1 if each is added on its own.
    """

    def __init__(
        self, sketch_size: int, *, random_state: int | None = None, n_jobs: int | None = None
    ) -> None:
        self.sketch_size = check_integer(self, "sketch_size", sketch_size, 1, _MAX_SKETCH_SIZE)
        self.random_state = random_state
        self.n_jobs = n_jobs
        check_n_jobs(self, n_jobs)
        seed = check_integer(self, "random_state", random_state, 0, 2**64 - 1, options=(None,))
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
        self.seed = seed

    @property
    @abstractmethod
    def block_rows(self) -> int:
        """Rows of the data that are added together."""

    @abstractmethod
    def dense(self, n: int, row_offset: int = 0) -> np.ndarray:
        """Return columns ``row_offset : row_offset + n`` of S itself.

        Made in plain NumPy, by other code than `apply` and from the same counters: a reference
        for tests, not a way to compute.

        Parameters
        ----------
        n : int
            Number of columns.
        row_offset : int, default=0
            First column.

        Returns
        -------
        ndarray of shape (sketch_size, n), float64
        """

    @abstractmethod
    def _add(
        self, X: Any, scale: np.ndarray | None, row_offset: int, out: np.ndarray, threads: int
    ) -> None:
        """Add the sketch of a checked, two-dimensional `X` to `out`."""

    def apply(
        self,
        X: Any,
        row_offset: int = 0,
        scale: np.ndarray | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return S times ``diag(scale) X``, without forming either.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, d), or array of shape (n,)
            float32 or float64, in any memory order, read-only or not; CSR if sparse. It is
            neither copied nor changed. Other real types are converted to float64, other sparse
            formats to CSR. Values that are not finite are not looked for, and spread.
        row_offset : int, default=0
            The place of the first row of `X` in the whole data: columns ``row_offset`` and on of
            S are used.
        scale : array of shape (n,), optional
            A factor for each row.
        out : ndarray of shape (sketch_size, d) or (sketch_size,), float64, C order, optional
            The sketch is added to what it holds.

        Returns
        -------
        ndarray of shape (sketch_size, d) or (sketch_size,)
            `out` if it was given, otherwise an array of the dtype of `X`. Sums are accumulated in
            float64 in either case.
        """
        X, flat = self._check_data(X)
        scale = self._check_scale(scale, X.shape[0])
        row_offset = check_integer(self, "row_offset", row_offset, 0, _MAX_ROW)
        shape = (self.sketch_size,) if flat else (self.sketch_size, X.shape[1])
        total = np.zeros(shape) if out is None else self._check_out(out, shape)
        table = total.reshape(self.sketch_size, X.shape[1])
        self._add(X, scale, row_offset, table, effective_n_jobs(check_n_jobs(self, self.n_jobs)))
        return total.astype(X.dtype, copy=False) if out is None else out

    def state(self) -> SketchState:
        """Return an empty accumulator, for data that come in chunks."""
        return SketchState(self)

    def merge(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """Return the sketch of all rows, from two sketches by this operator of disjoint rows."""
        A, B = np.asarray(A), np.asarray(B)
        for name, value in (("A", A), ("B", B)):
            if value.ndim not in (1, 2) or value.shape[0] != self.sketch_size:
                allowed = f"a sketch with {self.sketch_size} rows"
                fail_parameter(self, name, allowed, _shown(value))
        if A.shape != B.shape:
            fail_parameter(self, "B", f"a sketch of shape {A.shape}, like A", _shown(B))
        return A + B

    def _identity(self) -> tuple[Any, ...]:
        return (type(self), self.sketch_size, self.seed)

    def __eq__(self, other: object) -> bool:
        """Two operators are equal if they are the same matrix S."""
        return isinstance(other, Sketch) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _options(self) -> dict[str, Any]:
        jobs = {} if self.n_jobs is None else {"n_jobs": self.n_jobs}
        return {"random_state": self.seed, **jobs}

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options().items())
        return f"{type(self).__name__}({self.sketch_size}, {options})"

    def _check_data(self, X: Any) -> tuple[Any, bool]:
        """Return `X` as two-dimensional CSR or ndarray of a float type, and whether it was flat."""
        allowed = "a real array of shape (n,) or (n, d) or a real sparse matrix"
        if sp.issparse(X):
            if X.ndim != 2 or X.dtype.kind not in "biuf":
                fail_parameter(self, "X", allowed, _shown(X))
            X = X.tocsr()
            if X.dtype not in (np.float32, np.float64):
                X = X.astype(np.float64)
            return X, False
        try:
            array = np.asarray(X)
        except ValueError:
            fail_parameter(self, "X", allowed, _shown(X))
        if array.ndim not in (1, 2) or array.dtype.kind not in "biuf":
            fail_parameter(self, "X", allowed, _shown(array))
        dtype = np.float32 if array.dtype == np.float32 else np.float64
        array = array.astype(dtype, copy=False)
        if any(step % array.itemsize for step in array.strides):
            # Fields of records need not lie at multiples of the item size.
            array = array.copy()
        return (array[:, None], True) if array.ndim == 1 else (array, False)

    def _check_scale(self, scale: Any, n: int) -> np.ndarray | None:
        if scale is None:
            return None
        array = np.asarray(scale)
        if array.shape != (n,) or array.dtype.kind not in "biuf":
            allowed = f"None or a real array of shape ({n},), one factor for each row of X"
            fail_parameter(self, "scale", allowed, _shown(scale))
        return np.ascontiguousarray(array, dtype=np.float64)

    def _check_out(self, out: Any, shape: tuple[int, ...]) -> np.ndarray:
        good = (
            isinstance(out, np.ndarray)
            and out.shape == shape
            and out.dtype == np.float64
            and out.flags.c_contiguous
            and out.flags.writeable
        )
        if not good:
            allowed = f"None or a writeable float64 array of shape {shape} in C order"
            fail_parameter(self, "out", allowed, _shown(out))
        return out

    def _check_range(self, n: Any, row_offset: Any) -> tuple[int, int]:
        n = check_integer(self, "n", n, 0, _MAX_ROW)
        return n, check_integer(self, "row_offset", row_offset, 0, _MAX_ROW)


def _blocks(n: int, row_offset: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut rows 0..n at the multiples of `size`, counted from row 0 of the whole data."""
    start = 0
    while start < n:
        stop = min(n, start + size - (row_offset + start) % size)
        yield start, stop
        start = stop


def _counters(first: Any, third: Any, stream: int) -> np.ndarray:
    """Return counters (first, first >> 32, third, stream), broadcast."""
    first, third = np.broadcast_arrays(np.asarray(first, np.uint64), np.asarray(third, np.uint64))
    low = first & np.uint64(0xFFFFFFFF)
    tag = np.full_like(first, stream)
    return np.stack([low, first >> np.uint64(32), third, tag], axis=-1).astype(np.uint32)


def _bits(seed: int, index: np.ndarray, row: Any, stream: int) -> np.ndarray:
    """Return bit `index` of a row's stream of bits, 128 for each counter."""
    words = philox4x32(_counters(row, np.asarray(index) // 128, stream), seed)
    word = np.take_along_axis(words, (np.asarray(index) // 32 % 4)[..., None], axis=-1)[..., 0]
    return (word >> (np.asarray(index) % 32).astype(np.uint32)) & np.uint32(1)


class _DenseSketch(Sketch):
    """An operator with independent entries, which are generated tile by tile for a GEMM."""

    # Rows of data and rows of S in one product: two tiles of this size fit in the second cache.
    _ROWS = 512
    _TILE = 256

    @property
    def block_rows(self) -> int:
        """Rows of the data that are added together: those in one matrix product."""
        return self._ROWS

    @abstractmethod
    def _fill(self, tile: np.ndarray, row: int, column: int) -> None:
        """Fill a tile of S^T."""

    def _add(
        self, X: Any, scale: np.ndarray | None, row_offset: int, out: np.ndarray, threads: int
    ) -> None:
        blocks = list(_blocks(X.shape[0], row_offset, self._ROWS))

        def tile(first: int) -> None:
            target = out[first : first + self._TILE]
            buffer = np.empty((self._ROWS, target.shape[0]), dtype=X.dtype)
            for start, stop in blocks:
                entries = buffer[: stop - start]
                self._fill(entries, row_offset + start, first)
                if scale is not None:
                    entries *= scale[start:stop, None]
                rows = X[start:stop]
                # BLAS may add in another order for another memory layout.
                target += entries.T @ (rows if sp.issparse(rows) else np.ascontiguousarray(rows))

        with single_threaded_blas():
            for _ in ordered_map(tile, range(0, self.sketch_size, self._TILE), threads):
                pass


class Gaussian(_DenseSketch):
    """Independent normal entries of variance ``1 / sketch_size``.

    An oblivious subspace embedding with distortion eps for
    ``sketch_size = O((d + log(1/delta)) / eps^2)``, whose errors have exact distributions.

    Parameters
    ----------
    sketch_size : int
        Number of rows of S, and of every sketch.
    random_state : int, optional
        Seed, from 0 to ``2**64 - 1``. None draws one, kept in `seed`.
    n_jobs : int, optional
        Threads; None takes as many as OpenMP would. Changes no bit of any result.

    Notes
    -----
    ``2 sketch_size n d`` flops and ``sketch_size n`` normal numbers (Box and Muller, on the fly);
    memory for one tile of S a thread.

    References
    ----------
    .. [1] P.-G. Martinsson and J. A. Tropp, "Randomized numerical linear algebra: foundations and
       algorithms", Acta Numerica 29 (2020), sections 8 and 9, arXiv:2002.01387.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.linalg import Gaussian
    >>> Gaussian(20, random_state=0).apply(np.ones((1000, 3))).shape
    (20, 3)
    """

    def _fill(self, tile: np.ndarray, row: int, column: int) -> None:
        scale = 1.0 / np.sqrt(self.sketch_size)
        _random.fill_normal(tile, self.seed, _STREAM_NORMAL, row, column, scale, 1)

    def dense(self, n: int, row_offset: int = 0) -> np.ndarray:
        """Return columns ``row_offset : row_offset + n`` of S itself; see :meth:`Sketch.dense`."""
        n, row_offset = self._check_range(n, row_offset)
        rows = row_offset + np.arange(n)[:, None]
        pairs = np.arange((self.sketch_size + 1) // 2)[None, :]
        words = philox4x32(_counters(rows, pairs, _STREAM_NORMAL), self.seed).astype(np.uint64)
        first = words[..., 0] | words[..., 1] << np.uint64(32)
        second = words[..., 2] | words[..., 3] << np.uint64(32)
        uniform = 1.0 - (first >> np.uint64(12)) * 2.0**-52
        turn = (second >> np.uint64(12)) * 2.0**-52 - 0.5
        angle = (turn + (second & np.uint64(3))) * (np.pi / 2)
        radius = np.sqrt(-2.0 * np.log(uniform))
        pair = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
        entries = pair.reshape(n, 2 * pairs.size)[:, : self.sketch_size]
        return np.ascontiguousarray(entries.T) / np.sqrt(self.sketch_size)


class Rademacher(_DenseSketch):
    """Independent entries ``+-1 / sqrt(sketch_size)``.

    Embeds as a Gaussian does, to leading order [1]_, and is much faster to generate.

    Parameters
    ----------
    sketch_size : int
        Number of rows of S, and of every sketch.
    random_state : int, optional
        Seed, from 0 to ``2**64 - 1``. None draws one, kept in `seed`.
    n_jobs : int, optional
        Threads; None takes as many as OpenMP would. Changes no bit of any result.

    Notes
    -----
    ``2 sketch_size n d`` flops and one random bit an entry; memory for one tile of S a thread.

    References
    ----------
    .. [1] D. Achlioptas, "Database-friendly random projections", Journal of Computer and System
       Sciences 66 (2003).
    """

    def _fill(self, tile: np.ndarray, row: int, column: int) -> None:
        scale = 1.0 / np.sqrt(self.sketch_size)
        _random.fill_signs(tile, self.seed, _STREAM_SIGN, row, column, scale, 1)

    def dense(self, n: int, row_offset: int = 0) -> np.ndarray:
        """Return columns ``row_offset : row_offset + n`` of S itself; see :meth:`Sketch.dense`."""
        n, row_offset = self._check_range(n, row_offset)
        rows = row_offset + np.arange(n)[None, :]
        index = np.broadcast_to(np.arange(self.sketch_size)[:, None], (self.sketch_size, n))
        bits = _bits(self.seed, index, rows, _STREAM_SIGN)
        return (1.0 - 2.0 * bits) / np.sqrt(self.sketch_size)


class SparseSign(Sketch):
    """Columns of `nnz` entries ``+-1 / sqrt(nnz)``, the k-th in the k-th slice of the rows.

    Also known as OSNAP [1]_ or sparse Johnson-Lindenstrauss transform. With ``nnz=8`` and
    ``sketch_size = 4 d`` or more it embeds as well as a dense matrix in practice, on coherent data
    too, for the price of `nnz` additions of each row.

    Parameters
    ----------
    sketch_size : int
        Number of rows of S, and of every sketch.
    nnz : int, default=8
        Entries in each column of S, at most `sketch_size`.
    random_state : int, optional
        Seed, from 0 to ``2**64 - 1``. None draws one, kept in `seed`.
    n_jobs : int, optional
        Threads; None takes as many as OpenMP would. Changes no bit of any result.

    Notes
    -----
    ``2 nnz`` flops for each stored entry of X; no memory but the sketch. In theory
    ``nnz = O(log(d) / eps)`` and ``sketch_size = O(d log(d) / eps^2)`` are enough [2]_.

    An entry's place comes from 31 random bits, so that two places of one slice differ in
    probability by at most a factor ``1 + sketch_size / nnz / 2**31``. E[S^T S] = I is exact.

    References
    ----------
    .. [1] J. Nelson and H. L. Nguyen, "OSNAP: faster numerical linear algebra algorithms via
       sparser subspace embeddings", FOCS 2013, arXiv:1211.1002.
    .. [2] M. B. Cohen, "Nearly tight oblivious subspace embeddings by trace inequalities", SODA
       2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.linalg import SparseSign
    >>> S = SparseSign(100, nnz=4, random_state=0)
    >>> bool(np.allclose(S.dense(50) @ np.eye(50), S.apply(np.eye(50))))
    True
    """

    def __init__(
        self,
        sketch_size: int,
        nnz: int = 8,
        *,
        random_state: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(sketch_size, random_state=random_state, n_jobs=n_jobs)
        self.nnz = check_integer(self, "nnz", nnz, 1, self.sketch_size)

    @property
    def block_rows(self) -> int:
        """Rows of the data that are added together: each is added on its own."""
        return 1

    def _options(self) -> dict[str, Any]:
        return {"nnz": self.nnz, **super()._options()}

    def _identity(self) -> tuple[Any, ...]:
        return (*super()._identity(), self.nnz)

    def _edges(self) -> np.ndarray:
        """Return where the slices of the rows of S begin, and the end of the last."""
        return (np.arange(self.nnz + 1) * self.sketch_size // self.nnz).astype(np.int32)

    def _add(
        self, X: Any, scale: np.ndarray | None, row_offset: int, out: np.ndarray, threads: int
    ) -> None:
        value = 1.0 / np.sqrt(self.nnz)
        rest = (scale, self._edges(), value, self.seed, row_offset, out, threads)
        if not sp.issparse(X):
            _kernels.sparse_sign_dense(X, *rest)
            return
        index = X.indices.dtype
        _kernels.sparse_sign_csr(X.data, X.indices, X.indptr.astype(index, copy=False), *rest)

    def dense(self, n: int, row_offset: int = 0) -> np.ndarray:
        """Return columns ``row_offset : row_offset + n`` of S itself; see :meth:`Sketch.dense`."""
        n, row_offset = self._check_range(n, row_offset)
        entries = (row_offset + np.arange(n))[:, None] * self.nnz + np.arange(self.nnz)
        words = philox4x32(_counters(entries // 4, 0, _STREAM_HASH), self.seed)
        word = np.take_along_axis(words, (entries % 4)[..., None], axis=-1)[..., 0]
        edges = self._edges().astype(np.uint64)
        place = edges[:-1] + ((word.astype(np.uint64) >> 1) * np.diff(edges) >> np.uint64(31))
        S = np.zeros((self.sketch_size, n))
        sign = 1.0 - 2.0 * (word & np.uint32(1))
        S[place.astype(np.intp), np.arange(n)[:, None]] = sign / np.sqrt(self.nnz)
        return S


class CountSketch(SparseSign):
    """Columns of one entry ``+-1`` in a random row: each row of X is added once, with a sign.

    One pass over X, and the only work is that of adding its stored entries up. In exchange it
    needs on the order of ``d^2`` rows in the worst case: on coherent data (rows that alone carry a
    direction, such as one-hot columns) use `SparseSign`.

    Parameters
    ----------
    sketch_size : int
        Number of rows of S, and of every sketch.
    random_state : int, optional
        Seed, from 0 to ``2**64 - 1``. None draws one, kept in `seed`.
    n_jobs : int, optional
        Threads; None takes as many as OpenMP would. Changes no bit of any result.

    Notes
    -----
    Two flops for each stored entry of X; no memory but the sketch. A subspace embedding with
    distortion eps and probability 1 - delta for ``sketch_size >= d (d + 1) / (delta eps^2)`` [2]_.

    References
    ----------
    .. [1] K. L. Clarkson and D. P. Woodruff, "Low-rank approximation and regression in input
       sparsity time", STOC 2013, arXiv:1207.6365.
    .. [2] J. Nelson and H. L. Nguyen, "OSNAP: faster numerical linear algebra algorithms via
       sparser subspace embeddings", FOCS 2013, arXiv:1211.1002.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.linalg import CountSketch
    >>> CountSketch(30, random_state=0).apply(np.ones(1000)).shape
    (30,)
    """

    def __init__(
        self, sketch_size: int, *, random_state: int | None = None, n_jobs: int | None = None
    ) -> None:
        super().__init__(sketch_size, 1, random_state=random_state, n_jobs=n_jobs)

    def _options(self) -> dict[str, Any]:
        options = super()._options()
        del options["nnz"]
        return options


class SRHT(Sketch):
    """Block-wise subsampled randomized Hadamard transform, with signs before and after.

    The rows are cut into blocks of B, the power of two from `sketch_size` up. Block b is
    multiplied by random signs D, by the Hadamard matrix H, has `sketch_size` of its B rows taken
    in random order (R), each with another random sign (L), and the blocks are added up::

        S = [L_1 R_1 H D_1, L_2 R_2 H D_2, ...] / sqrt(sketch_size)

    Unlike one transform of all rows it streams, works in cache and need not know n.

    Parameters
    ----------
    sketch_size : int
        Number of rows of S, and of every sketch.
    random_state : int, optional
        Seed, from 0 to ``2**64 - 1``. None draws one, kept in `seed`.
    n_jobs : int, optional
        Threads; None takes as many as OpenMP would. Changes no bit of any result.

    Notes
    -----
    ``n d log2(B)`` additions; a panel of a block of memory a thread. Sparse X is made dense block
    by block.

    The signs L are necessary: without them each block sends its first row to the same vector of
    equal entries, and data that live on those rows (such as an identity matrix spread over the
    blocks) become singular.

    A least-squares solution from this sketch is accurate in every coordinate, not just in norm
    [2]_, which sparse sketches cannot give.

    References
    ----------
    .. [1] J. A. Tropp, "Improved analysis of the subsampled randomized Hadamard transform",
       Advances in Adaptive Data Analysis 3 (2011), arXiv:1011.1595.
    .. [2] Z. Song, M. Ye, J. Yin and L. Zhang, "A nearly-optimal bound for fast regression with
       l_inf guarantee", ICML 2023, arXiv:2302.00248.
    .. [3] O. Balabanov, M. Beaupere, L. Grigori and V. Lederer, "Block subsampled randomized
       Hadamard transform for low-rank approximation on distributed architectures", ICML 2023,
       arXiv:2210.11295.
    """

    @property
    def block_rows(self) -> int:
        """Rows of the data that are added together: those that one transform mixes."""
        return 1 << (self.sketch_size - 1).bit_length()

    def _add(
        self, X: Any, scale: np.ndarray | None, row_offset: int, out: np.ndarray, threads: int
    ) -> None:
        value, size = 1.0 / np.sqrt(self.sketch_size), self.block_rows
        if not sp.issparse(X):
            _kernels.srht_dense(X, scale, size, value, self.seed, row_offset, out, threads)
            return
        for start, stop in _blocks(X.shape[0], row_offset, size):
            rows = X[start:stop].toarray()
            weights = None if scale is None else scale[start:stop]
            offset = row_offset + start
            _kernels.srht_dense(rows, weights, size, value, self.seed, offset, out, threads)

    def dense(self, n: int, row_offset: int = 0) -> np.ndarray:
        """Return columns ``row_offset : row_offset + n`` of S itself; see :meth:`Sketch.dense`."""
        n, row_offset = self._check_range(n, row_offset)
        m, size = self.sketch_size, self.block_rows
        hadamard = scipy.linalg.hadamard(size).astype(np.float64)
        S = np.empty((m, n))
        for start, stop in _blocks(n, row_offset, size):
            block, first = divmod(row_offset + start, size)
            pick = self._pick(block)
            after = 1.0 - 2.0 * _bits(self.seed, np.arange(m), block, _STREAM_OUT)
            rows = row_offset + np.arange(start, stop)
            # The stream of input signs runs through all rows: 128 for each counter.
            words = philox4x32(_counters(rows // 128, 0, _STREAM_IN), self.seed)
            word = words[np.arange(rows.size), rows // 32 % 4]
            before = 1.0 - 2.0 * (word >> (rows % 32).astype(np.uint32) & np.uint32(1))
            part = hadamard[pick, first : first + stop - start]
            S[:, start:stop] = after[:, None] * part * before
        return S / np.sqrt(m)

    def _pick(self, block: int) -> np.ndarray:
        """Return the rows of the transform that are taken: the first steps of a shuffle."""
        m, size = self.sketch_size, self.block_rows
        words = philox4x32(_counters(block, np.arange((m + 3) // 4), _STREAM_PICK), self.seed)
        order = np.arange(size)
        for r, word in enumerate(words.ravel()[:m]):
            other = r + (int(word) * (size - r) >> 32)
            order[[r, other]] = order[[other, r]]
        return order[:m]


SKETCHES: dict[str, type[Sketch]] = {
    "sparse-sign": SparseSign,
    "countsketch": CountSketch,
    "srht": SRHT,
    "gaussian": Gaussian,
    "rademacher": Rademacher,
}
"""The operators by the names that `make_sketch` and estimators take."""


def make_sketch(
    kind: str,
    sketch_size: int,
    *,
    random_state: int | None = None,
    n_jobs: int | None = None,
    **options: Any,
) -> Sketch:
    """Return a sketching operator by its name.

    Parameters
    ----------
    kind : {"sparse-sign", "countsketch", "srht", "gaussian", "rademacher"}
        See :mod:`skrand.linalg.sketch` for when which.
    sketch_size : int
        Number of rows of the sketch.
    random_state : int, optional
        Seed.
    n_jobs : int, optional
        Threads; they change no result.
    **options
        What else the operator takes: ``nnz`` for "sparse-sign".

    Returns
    -------
    Sketch
        The operator.

    Examples
    --------
    >>> from skrand.linalg import make_sketch
    >>> make_sketch("sparse-sign", 100, nnz=4, random_state=0)
    SparseSign(100, nnz=4, random_state=0)
    """
    check_option("make_sketch", "kind", kind, tuple(SKETCHES))
    return SKETCHES[kind](sketch_size, random_state=random_state, n_jobs=n_jobs, **options)


class SketchState:
    """The sketch of data that come in chunks, with the same bits for any chunks.

    Parameters
    ----------
    operator : Sketch
        The operator; its seed decides everything.

    Attributes
    ----------
    rows_seen : list of (int, int)
        Disjoint ranges of rows that are in the sketch.
    next_row : int
        The row that `update` continues with.

    Notes
    -----
    Holds the sketch in float64, and at most ``operator.block_rows`` rows that wait for their
    block to be full. It is a plain picklable object: send it, store it, go on later.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.linalg import SRHT
    >>> X = np.arange(300.0).reshape(100, 3)
    >>> S = SRHT(10, random_state=0)
    >>> state = S.state().update(X[:37]).update(X[37:])
    >>> bool((state.sketch() == S.apply(X)).all())
    True
    """

    def __init__(self, operator: Sketch) -> None:
        if not isinstance(operator, Sketch):
            fail_parameter(self, "operator", "a Sketch", _shown(operator))
        self.operator = operator
        self.rows_seen: list[tuple[int, int]] = []
        self.next_row = 0
        self._total: np.ndarray | None = None
        self._flat = False
        self._waiting: tuple[Any, np.ndarray | None, int] | None = None

    def update(
        self, X: Any, scale: np.ndarray | None = None, row_offset: int | None = None
    ) -> SketchState:
        """Add rows.

        Parameters
        ----------
        X, scale
            As in :meth:`Sketch.apply`.
        row_offset : int, optional
            Place of the first row in the whole data. None continues where the last update ended.

        Returns
        -------
        SketchState
            Itself.
        """
        operator = self.operator
        X, flat = operator._check_data(X)
        scale = operator._check_scale(scale, X.shape[0])
        if row_offset is None:
            row_offset = self.next_row
        row_offset = check_integer(self, "row_offset", row_offset, 0, _MAX_ROW)
        self._check_columns(X.shape[1], flat)
        stop = row_offset + X.shape[0]
        seen = disjoint_union(self, [*self.rows_seen, (row_offset, stop)])
        if self._total is None:
            self._total, self._flat = np.zeros((operator.sketch_size, X.shape[1])), flat
        if self._waiting is not None and row_offset != self.next_row:
            self._release()
        self._take(X, scale, row_offset)
        self.rows_seen, self.next_row = seen, stop
        return self

    def sketch(self) -> np.ndarray:
        """Return the sketch of the rows so far, in float64."""
        if self._total is None:
            raise ValueError("This SketchState has seen no rows. Call update first.")
        total = self._total.copy()
        if self._waiting is not None:
            self._add(*self._waiting, total)
        return total[:, 0] if self._flat else total

    def merge(self, other: SketchState) -> SketchState:
        """Add the rows of another state of the same operator, which must be other rows.

        The result agrees with that of one state that saw all rows, to rounding: two finished
        sums are added.

        Parameters
        ----------
        other : SketchState
            It is not changed.

        Returns
        -------
        SketchState
            Itself.
        """
        if not isinstance(other, SketchState) or other.operator != self.operator:
            allowed = f"a SketchState of the same operator, {self.operator!r}"
            shown = other.operator if isinstance(other, SketchState) else other
            fail_parameter(self, "other", allowed, _shown(shown))
        if other._total is None:
            return self
        self._check_columns(other._total.shape[1], other._flat)
        seen = disjoint_union(self, [*self.rows_seen, *other.rows_seen])
        if self._total is None:
            self._total, self._flat = np.zeros_like(other._total), other._flat
        # The later of the two goes on; rows that wait in the earlier have no successor.
        waiting = other._waiting
        if other.next_row >= self.next_row:
            self._release()
            self._waiting, self.next_row, waiting = waiting, other.next_row, None
        self._total += other._total
        if waiting is not None:
            self._add(*waiting, self._total)
        self.rows_seen = seen
        return self

    def __repr__(self) -> str:
        rows = sum(stop - start for start, stop in self.rows_seen)
        return f"SketchState({self.operator!r}): {rows} rows"

    def _check_columns(self, d: int, flat: bool) -> None:
        if self._total is None or (self._total.shape[1], self._flat) == (d, flat):
            return
        shape = "(n,)" if self._flat else f"(n, {self._total.shape[1]})"
        shown = "(n,)" if flat else f"(n, {d})"
        fail_parameter(self, "X", f"of shape {shape}, as before", _Shown(shown))

    def _take(self, X: Any, scale: np.ndarray | None, row_offset: int) -> None:
        """Add whole blocks; keep the rest for later."""
        size = self.operator.block_rows
        if self._waiting is not None:
            need = size - row_offset % size
            head = None if scale is None else scale[:need]
            self._waiting = _stack(self._waiting, X[:need], head)
            if X.shape[0] < need:
                return
            self._release()
            X, row_offset = X[need:], row_offset + need
            scale = None if scale is None else scale[need:]
        n = X.shape[0]
        # Where the last, unfinished block begins.
        cut = max(0, n - (row_offset + n) % size)
        if cut:
            self._add(X[:cut], None if scale is None else scale[:cut], row_offset, self._total)
        if cut < n:
            tail = None if scale is None else scale[cut:].copy()
            self._waiting = (X[cut:].copy(), tail, row_offset + cut)

    def _release(self) -> None:
        """Add the waiting rows as they are."""
        if self._waiting is not None:
            self._add(*self._waiting, self._total)
            self._waiting = None

    def _add(self, X: Any, scale: np.ndarray | None, row_offset: int, total: Any) -> None:
        operator = self.operator
        threads = effective_n_jobs(check_n_jobs(operator, operator.n_jobs))
        operator._add(X, scale, row_offset, total, threads)


def _stack(
    waiting: tuple[Any, np.ndarray | None, int], X: Any, scale: np.ndarray | None
) -> tuple[Any, np.ndarray | None, int]:
    """Append rows to those that wait."""
    rows, weights, row_offset = waiting
    if sp.issparse(rows) or sp.issparse(X):
        joined = sp.vstack([sp.csr_array(rows), sp.csr_array(X)], format="csr")
    else:
        joined = np.concatenate([rows, X])
    if weights is None and scale is None:
        return joined, None, row_offset
    parts = (
        np.ones(part.shape[0]) if factor is None else factor
        for part, factor in ((rows, weights), (X, scale))
    )
    return joined, np.concatenate(list(parts)), row_offset
