"""scikit-learn's own checks, one test each, on every registered estimator."""

import pytest
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skrand import registry


def _estimators():
    """All but those whose samples are places of a matrix: see tests/completion/test_entries.py."""
    entries = registry.entries(kind="estimator")
    found = [registry.load(entry)() for entry in entries if entry.dist == "skrand"]
    return [each for each in found if get_tags(each).input_tags.two_d_array]


def _expected_failures(estimator):
    return getattr(type(estimator), "expected_failed_checks", {})


# One-row and one-column data are rank deficient, and the estimators say so.
@pytest.mark.filterwarnings("ignore::skrand.exceptions.RankWarning")
# They label every row, which leaves a transductive classifier nothing to do.
@pytest.mark.filterwarnings("ignore:All rows are labelled:UserWarning")
@parametrize_with_checks(
    _estimators(), expected_failed_checks=_expected_failures, xfail_strict=True
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
