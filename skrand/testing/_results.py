"""What a check, a claim and a demonstration report."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CheckResult", "ClaimResult", "DemoResult"]


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one conformance check.

    Parameters
    ----------
    name : str
        Name of the check.
    status : {"passed", "failed", "skipped"}
        How it went.
    detail : str
        What was wrong, or why it was skipped.
    seconds : float
        How long it took.
    """

    name: str
    status: str
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ClaimResult:
    """A published promise, re-measured.

    Parameters
    ----------
    paper : str
        What the paper says, in one sentence.
    metric : str
        What was measured.
    promised : float or str
        The value promised, or a bound such as "< 0.02".
    measured : float or str
        The value measured.
    baseline : float or str
        The same metric of the method it is compared with.
    baseline_name : str
        What that method is.
    holds : bool
        Whether the measurement bears the promise out.
    seeds : tuple of int
        Seeds of the runs.
    note : str
        Conventions used; or, if the claim does not hold, why.
    """

    paper: str
    metric: str
    promised: float | str
    measured: float | str
    baseline: float | str
    baseline_name: str
    holds: bool
    seeds: tuple[int, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """One row of ``skrand demo``: an estimator tuned on real data, beside scikit-learn.

    Parameters
    ----------
    task : str
        What was done.
    data : str
        The data and their shape.
    solver : str
        The solver that the search chose.
    score : float
        Its cross-validated or held-out score.
    baseline : str
        scikit-learn's estimator for the same job.
    baseline_score : float
        Its score, by the same rule.
    time_ratio : float
        Fit time of the baseline over that of ours; above 1 we are faster.
    certified : str
        What the fitted estimator says of its own error.
    """

    task: str
    data: str
    solver: str
    score: float
    baseline: str
    baseline_score: float
    time_ratio: float
    certified: str
