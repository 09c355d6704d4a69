"""Episodes: what is drawn, and intervals that cover."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import LabelSpreading

from skrand import TransductiveFewShot, make_solver
from skrand.fewshot import EpisodeSampler, evaluate_episodes

Y = np.repeat(np.arange(12), 30)


def test_episodes_are_what_was_asked_for():
    sampler = EpisodeSampler(4, 3, 6, 50, random_state=0)
    episodes = list(sampler.split(Y))
    assert len(episodes) == 50
    for support, queries in episodes:
        classes, counts = np.unique(Y[support], return_counts=True)
        assert len(classes) == 4
        assert (counts == 3).all()
        assert np.array_equal(np.unique(Y[queries]), classes)
        assert (np.unique(Y[queries], return_counts=True)[1] == 6).all()
        assert not set(support) & set(queries)
    again = list(EpisodeSampler(4, 3, 6, 10, random_state=0).split(Y))
    assert all(np.array_equal(a.queries, b.queries) for a, b in zip(again, episodes, strict=False))
    assert not np.array_equal(episodes[0].queries, episodes[1].queries)


def test_dirichlet_queries_have_the_spread_of_the_distribution():
    y = np.repeat(np.arange(5), 400)
    sampler = EpisodeSampler(5, 1, 20, 800, query_prior=("dirichlet", 2.0), random_state=1)
    shares = []
    for support, queries in sampler.split(y):
        assert len(queries) == 100
        # In the order in which classes were drawn.
        shares.append([np.mean(y[queries] == y[s]) for s in support])
    shares = np.array(shares)
    # Dirichlet variance, plus the multinomial's within it.
    variance = 0.2 * 0.8 / 11
    expected = variance + (0.2 - variance - 0.04) / 100
    assert shares.mean() == pytest.approx(0.2)
    assert shares.var(axis=0).mean() == pytest.approx(expected, rel=0.08)


def test_queries_from_another_source():
    pool = np.arange(len(Y)) % 2 == 1
    for support, queries in EpisodeSampler(n_episodes=5, random_state=0).split(Y, pool):
        assert not pool[support].any()
        assert pool[queries].all()


def test_estimators_of_every_kind_are_compared_on_the_same_episodes():
    X, y = load_digits(return_X_y=True)
    scale = FunctionTransformer(lambda Z: Z / 16)
    seen = []
    scores = evaluate_episodes(
        {
            "prototype": TransductiveFewShot("prototype"),
            "auto": make_pipeline(scale, TransductiveFewShot()),
            "spreading": make_pipeline(scale, LabelSpreading(gamma=0.3)),
            "logistic": LogisticRegression(),
        },
        X,
        y,
        EpisodeSampler(n_shot=1, n_episodes=40, random_state=2),
        inductive=["logistic"],
        callback=lambda done, of: seen.append((done, of)),
    )
    assert seen[-1] == (40, 40)
    by_name = {s.name: s for s in scores}
    assert by_name["auto"].mean_difference > by_name["auto"].difference_interval
    assert by_name["prototype"].mean_difference == 0
    difference = by_name["auto"].accuracies - by_name["prototype"].accuracies
    assert np.array_equal(by_name["auto"].difference, difference)
    assert by_name["logistic"].mean > 0.6
    assert "+-" in str(by_name["auto"])
    assert "ms" in str(by_name["auto"])


def test_accuracy_on_digits_is_what_was_measured():
    # The setting of the general objective that was measured first, and the default.
    X, y = load_digits(return_X_y=True)
    general = make_solver(
        "transductive-labelling", "clustering", temperature=0.125, laplacian=0.7, n_neighbors=3
    )
    models = {"general": TransductiveFewShot(general), "auto": TransductiveFewShot()}
    for prior, least in (("balanced", 0.83), (("dirichlet", 2.0), 0.76)):
        sampler = EpisodeSampler(n_episodes=200, query_prior=prior, random_state=5)
        for score in evaluate_episodes(models, X, y, sampler):
            assert score.mean >= least - score.interval, score
        assert score.mean >= least + 0.02, score


def test_interval_covers_the_mean_of_many_episodes():
    X, y = load_digits(return_X_y=True)
    model = {"prototype": TransductiveFewShot("prototype")}
    (small,) = evaluate_episodes(model, X, y, EpisodeSampler(n_episodes=200, random_state=3))
    (large,) = evaluate_episodes(model, X, y, EpisodeSampler(n_episodes=2000, random_state=4))
    assert abs(small.mean - large.mean) < small.interval + large.interval
    assert large.interval == pytest.approx(small.interval / np.sqrt(10), rel=0.25)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"n_way": 1}, "'n_way' parameter of EpisodeSampler"),
        ({"n_shot": 0}, "'n_shot' parameter of EpisodeSampler"),
        ({"query_prior": "uniform"}, r"'balanced' or \('dirichlet', alpha\)"),
        ({"query_prior": ("dirichlet", 0)}, "'query_prior' parameter"),
        ({"n_way": 13}, "Episodes of 13 classes .* Got 12"),
        ({"n_shot": 30}, "with 30 labels .* Got 0"),
    ],
)
def test_sampler_errors(params, sentence):
    with pytest.raises(ValueError, match=sentence):
        next(EpisodeSampler(**params).split(Y))


def test_evaluation_errors():
    X = np.random.default_rng(0).standard_normal((len(Y), 3))
    sampler = EpisodeSampler(n_episodes=1, random_state=0)
    with pytest.raises(ValueError, match="at least one estimator"):
        evaluate_episodes({}, X, Y, sampler)
    with pytest.raises(ValueError, match="Name it in inductive="):
        evaluate_episodes({"a": LogisticRegression()}, X, Y, sampler)
    with pytest.raises(ValueError, match="'b', which is not an estimator"):
        evaluate_episodes({"a": LogisticRegression()}, X, Y, sampler, inductive=["b"])
    with pytest.raises(ValueError, match="359 labels for the 360 rows"):
        evaluate_episodes({"a": LogisticRegression()}, X, Y[:-1], sampler)
    with pytest.raises(ValueError, match="query_pool has shape"):
        next(sampler.split(Y, [True]))
