"""Every estimator on data that nobody should fit a model to.

``SKRAND_FUZZ=long`` tries many more examples, other ones each time; ``SKRAND_FUZZ=1000`` that many.
"""

import inspect
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils import get_tags

import skrand
from skrand import SinkhornNewtonOT, registry
from tests.fuzz.data import LABELS, TARGETS, WEIGHTS, matrices, places, vectors
from tests.fuzz.properties import check

ASKED = os.environ.get("SKRAND_FUZZ", "")
EXAMPLES = {"": 50, "long": 3000}.get(ASKED) or int(ASKED)

settings.register_profile(
    "skrand-fuzz",
    max_examples=EXAMPLES,
    # The gate must not depend on luck.
    derandomize=not ASKED,
    database=None,
    deadline=None,
    # Shrinking takes minutes, and examples are small as they are.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def estimators():
    """Yield every registered estimator, plugins' too, and public ones that solve no task."""
    classes = [registry.load(entry) for entry in registry.entries(kind="estimator")]
    public = [getattr(skrand, name) for name in skrand.__all__]
    for cls in dict.fromkeys([*classes, *public]):
        if inspect.isclass(cls) and hasattr(cls, "fit") and not _required(cls):
            yield pytest.param(cls, id=cls.__name__)


def _required(cls):
    """Return the parameters without which there is no object."""
    parameters = inspect.signature(cls).parameters.values()
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty]


def task_of(cls):
    for entry in registry.entries(kind="estimator"):
        if entry.name == cls.__name__:
            return entry.task
    return None


#: Parameters that lead to other code.
PARAMETERS = {
    "SinkhornNewtonOT": {
        "metric": ["sqeuclidean", "cityblock", "precomputed"],
        "reg": [1e-3, 100.0],
        "cost_scale": ["max", "median"],
        "storage": ["lazy"],
        "dtype": ["float32"],
    },
    "SketchedRegressor": {
        "p": [1.0, 1.0, 1.5, 4.0],
        "alpha": [1e-3, 1e300, 1e-300],
        "fit_intercept": [False],
    },
    "LowRankCompleter": {
        "rank": [1, 2],
        "alpha": [0.1, "auto"],
        "biases": ["none", "both"],
        "nonneg": [True],
        "output": ["factors"],
        "missing_values": [0],
        "add_indicator": [True],
    },
    "LowRankEntryRegressor": {"rank": [1], "alpha": [0.1], "duplicates": ["mean"]},
    "MatrixSensingRegressor": {
        "parameterization": ["symmetric"],
        "fit_intercept": [True],
    },
    "SubspaceClusterer": {
        "affine": [True],
        "normalize": [False],
        "subspace_dim": [1],
        "refine": ["kss", "mcr2"],
        "n_clusters": ["auto"],
    },
    "ManifoldLinearizer": {"feature_map": ["linear", "nystroem"]},
    "TransductiveFewShot": {
        "preprocess": [None, "power-cl2"],
        "center": ["separate"],
        "class_prior": ["balanced", "free"],
    },
    "BandlimitedFeatures": {"bandwidth": [1.0, 1e300]},
    "SketchedFit": {"sketch": ["sample", "srht"], "sketch_size": [4]},
    "SketchTransformer": {"kind": ["gaussian", "rademacher", "srht", "countsketch"]},
    "OTAdapter": {"transport": [SinkhornNewtonOT(reg=0.5, max_iter=20)]},
}


#: Less work for the same code.
QUICK = {
    "ManifoldLinearizer": {"n_map_features": 8, "max_iter": 3},
    "LowRankGaussianMixture": {"n_init": 2},
}


@st.composite
def fits(draw, cls):
    """Return an estimator, X, further data of as many columns, and arguments of fit."""
    estimator = cls()
    names = estimator.get_params(deep=False)
    params = {}
    task = task_of(cls)
    if task is not None and "solver" in names:
        solvers = registry.entries(kind="solver", task=task)
        known = [entry.working_name for entry in solvers if entry.status == "ok"]
        # Twice as often what most people use.
        params["solver"] = draw(st.sampled_from([*[estimator.solver] * len(known), *known]))
    if "random_state" in names:
        params["random_state"] = 0
    for name, values in PARAMETERS.get(cls.__name__, {}).items():
        if draw(st.booleans()):
            params[name] = draw(st.sampled_from(values))
    params |= QUICK.get(cls.__name__, {})
    for name, few in {"n_clusters": 2, "n_components": 2}.items():
        if name in names:
            params[name] = draw(st.sampled_from([few, names[name]]))
    sparse = get_tags(estimator).input_tags.sparse
    X = draw(places() if cls.__name__ == "LowRankEntryRegressor" else matrices(sparse=sparse))
    shape = X.shape if hasattr(X, "shape") else np.shape(X)
    columns = shape[1] if len(shape) > 1 else 1
    others = draw(st.lists(matrices(columns=columns, sparse=sparse), max_size=1))
    arguments = inspect.signature(cls.fit).parameters
    fit_params = {}
    if "y" in arguments and arguments["y"].default is inspect.Parameter.empty:
        favoured = LABELS if cls.__name__ in ("TransductiveFewShot", "OTAdapter") else []
        fit_params["y"] = draw(vectors(TARGETS, favoured))(shape[0])
    for name in ("sample_weight",):
        if name in arguments and draw(st.booleans()):
            fit_params[name] = draw(vectors(WEIGHTS))(shape[0])
    return clone(estimator).set_params(**params), X, others, fit_params


@pytest.mark.parametrize("cls", list(estimators()))
def test_a_plain_refusal_or_finite_numbers(cls):
    @settings(settings.get_profile("skrand-fuzz"))
    @given(example=fits(cls))
    def run(example):
        check(*example)

    run()
