"""scikit-learn's checks on LowRankEntryRegressor, to which two columns of data are places."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skrand import LowRankEntryRegressor

_EXPECTED = {
    "check_regressors_train": "it asks for a good fit to 10 features, of which two are seen here",
    "check_sample_weight_equivalence_on_dense_data": "its features are fractions",
}


class Places(LowRankEntryRegressor):
    """The estimator with every column after the second ignored, on data made of whole numbers."""

    def _check_width(self, X):
        super()._check_width(X[:, :2])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.categorical = True
        return tags


# A handful of places determines no factors, and the estimator says so.
@pytest.mark.filterwarnings("ignore::skrand.exceptions.RankWarning")
@parametrize_with_checks(
    [Places(duplicates="mean")],
    expected_failed_checks=lambda estimator: _EXPECTED,
    xfail_strict=True,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
