"""Counter-based random numbers: known answers, independence of who asks, laws."""

import numpy as np
import pytest
from scipy import stats

from skrand._ext import random as kernels
from skrand.linalg.random import normal_matrix, philox4x32, sign_matrix, split_seed

# kat_vectors of Random123, philox4x32 with 10 rounds: counter, key, answer.
KNOWN = [
    (
        (0, 0, 0, 0),
        (0, 0),
        (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ),
    (
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_known_answers(counter, key, answer):
    seed = key[0] | key[1] << 32
    counters = np.array([counter], dtype=np.uint32)
    out = np.empty_like(counters)
    kernels.philox(counters, seed, out)
    assert tuple(out[0]) == answer
    assert tuple(philox4x32(counters, seed)[0]) == answer


def test_philox_kernel_equals_numpy():
    counters = np.random.default_rng(0).integers(0, 2**32, (1000, 4), dtype=np.uint32)
    out = np.empty_like(counters)
    kernels.philox(counters, 2**64 - 12345, out)
    np.testing.assert_array_equal(out, philox4x32(counters, 2**64 - 12345))


@pytest.mark.parametrize("make", [normal_matrix, sign_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_block_has_the_same_bits(make, dtype):
    whole = make((300, 291), seed=3, stream=7, dtype=dtype, n_jobs=1)
    np.testing.assert_array_equal(whole, make((300, 291), seed=3, stream=7, dtype=dtype, n_jobs=2))
    for start, stop in [(0, 1), (1, 2), (5, 77), (299, 300)]:
        part = make((stop - start, 291), seed=3, stream=7, row_offset=start, dtype=dtype)
        np.testing.assert_array_equal(part, whole[start:stop])
    narrow = make((300, 33), seed=3, stream=7, dtype=dtype)
    np.testing.assert_array_equal(narrow, whole[:, :33])


@pytest.mark.parametrize("make", [normal_matrix, sign_matrix])
def test_seeds_streams_and_far_rows_differ(make):
    one = make((4, 200), seed=1)
    for other in (
        make((4, 200), seed=2),
        make((4, 200), seed=1 + 2**32),
        make((4, 200), seed=1, stream=1),
        make((4, 200), seed=1, row_offset=2**40),
    ):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.2


def test_normals_are_normal():
    x = normal_matrix((1000, 1000), seed=11)
    assert stats.kstest(x.ravel(), "norm").pvalue > 1e-3
    assert abs(x.mean()) < 5e-3
    assert abs(stats.kurtosis(x.ravel())) < 0.02
    # Neighbours in a row come in pairs from one radius and one angle.
    for a, b in [(x[:, :-1], x[:, 1:]), (x[:-1], x[1:]), (x[:, ::2] ** 2, x[:, 1::2] ** 2)]:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5e-3


def test_scale_and_rounding_to_float32():
    x = normal_matrix((50, 50), seed=0, scale=0.5)
    np.testing.assert_allclose(x, 0.5 * normal_matrix((50, 50), seed=0))
    single = normal_matrix((50, 50), seed=0, scale=0.5, dtype=np.float32)
    np.testing.assert_array_equal(single, x.astype(np.float32))


def test_signs_are_fair_and_pairwise_independent():
    s = sign_matrix((2000, 256), seed=5)
    assert set(np.unique(s)) == {-1.0, 1.0}
    gram = s.T @ s / 2000
    np.testing.assert_array_less(np.abs(gram - np.eye(256)).max(), 6 / np.sqrt(2000))


def test_split_seed():
    seeds = {split_seed(s, i) for s in range(50) for i in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**64 for seed in seeds)
    assert split_seed(3, 2**40) == split_seed(3, 2**40)


def test_empty():
    assert normal_matrix((0, 3), seed=0).shape == (0, 3)
    assert sign_matrix((3, 0), seed=0).shape == (3, 0)
