"""What a plugin declares: frozen records of data, their code named by a string."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Any, NoReturn

from skrand._suggest import did_you_mean
from skrand.exceptions import InvalidParameterError

__all__ = ["CAPABILITIES", "KINDS", "Entry", "normalized"]

KINDS = ("task", "solver", "estimator")

#: What a solver or estimator can say that it can do; a closed list, so that a slip is an error.
CAPABILITIES = frozenset(
    {
        "deterministic",
        "float32",
        "inductive",
        "l1-loss",
        "lazy",
        "lp-loss",
        "missing",
        "multi-output",
        "partial-fit",
        "sample-weight",
        "sparse",
        "unbalanced",
        "warm-start",
    }
)

_HYPHENATED = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
#: Most characters of what `skrand list` shows in one line.
_LONGEST_SUMMARY = 300
_OBJECT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One task, solver or estimator of a plugin. Data only: nothing is imported to list it.

    Parameters
    ----------
    kind : {"task", "solver", "estimator"}
        What it is.
    name : str
        Lower case with hyphens; for an estimator the name of its class.
    target : str
        ``"package.module:Class"``, imported on first use.
    task : str, optional
        The task that a solver solves (required) or that an estimator poses.
    summary : str
        One line for ``skrand list``.
    capabilities : iterable of str, default=()
        What it can do, from :data:`CAPABILITIES`; stored as a frozenset.
    requires : iterable of str, default=()
        PEP 508 requirements beyond the distribution's own. Whether they are installed is found out
        without importing them.
    reference : str, default=""
        The paper, with its DOI or arXiv number.
    claim : str, optional
        ``"package.module:function"``: re-measures what the paper promises and returns a
        :class:`skrand.testing.ClaimResult` or several.
    demo : str, optional
        Of an estimator, ``"package.module:function"``: tunes it on real data beside scikit-learn
        and returns a :class:`skrand.testing.DemoResult`.
    aliases : iterable of str, default=()
        Other names it answers to.
    default : bool, default=False
        Whether it is the solver of its task that is taken when none is named. Only the plugin that
        declares a task can say so.
    since : str, default=""
        The version of the distribution that first had it.
    deprecated : str, default=""
        Why it should no longer be used, and what instead; empty if it should.
    plugin, dist, version : str
        The entry point, distribution and version it came from. Filled by the registry.
    status : str
        "ok", "needs PACKAGE", "broken", "ambiguous" or "deprecated". Filled by the registry.
    error : str
        Why it is broken or ambiguous, or what it needs. Filled by the registry.
    load_time : float
        Seconds that importing the target took; 0 before that. Filled by the registry.

    Raises
    ------
    InvalidParameterError
        If a field has a value that is not allowed.

    Examples
    --------
    >>> from skrand.registry import Entry
    >>> entry = Entry(
    ...     kind="solver",
    ...     name="row-action",
    ...     target="my_package.row_action:RowAction",
    ...     task="least-squares",
    ...     summary="Randomized Kaczmarz",
    ...     capabilities={"sparse"},
    ... )
    >>> entry.status
    'ok'
    """

    kind: str
    name: str
    target: str
    task: str | None = None
    summary: str
    capabilities: Set[str] = frozenset()
    requires: tuple[str, ...] = ()
    reference: str = ""
    claim: str | None = None
    demo: str | None = None
    aliases: tuple[str, ...] = ()
    default: bool = False
    since: str = ""
    deprecated: str = ""

    plugin: str = ""
    dist: str = ""
    version: str = ""
    status: str = "ok"
    error: str = ""
    load_time: float = 0.0

    def __post_init__(self) -> None:
        """Check every field, and store collections in their own type."""
        if self.kind not in KINDS:
            _fail(self, "kind", f"one of {', '.join(map(repr, KINDS))}", self.kind, KINDS)
        for field in ("capabilities", "requires", "aliases"):
            object.__setattr__(self, field, _words(self, field))
        object.__setattr__(self, "capabilities", frozenset(self.capabilities))
        _check_names(self)
        _check_task(self)
        _check_texts(self)
        _check_capabilities(self)
        _check_requires(self)

    @property
    def qualified_name(self) -> str:
        """``"dist:name"``, which always works."""
        return f"{self.dist}:{self.name}" if self.dist else self.name

    @property
    def working_name(self) -> str:
        """The shortest name that means this entry: qualified if the bare one means another."""
        return self.qualified_name if self.status == "ambiguous" else self.name

    @property
    def words(self) -> tuple[str, ...]:
        """Every bare name it answers to, its own first."""
        return (self.name, *self.aliases)

    @property
    def slot(self) -> tuple[str, str, str]:
        """Kind, task and name: what no two entries of one distribution share."""
        return self.kind, (self.task or "") if self.kind == "solver" else "", self.name


def normalized(dist: str) -> str:
    """Return the name of a distribution as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", dist).lower()


def _fail(
    entry: Entry, field: str, allowed: str, value: Any, known: Iterable[str] = ()
) -> NoReturn:
    """Raise the sentence: which field, of which entry, what is allowed, what was seen."""
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    raise InvalidParameterError(
        f"The {field!r} field of Entry {entry.name!r} must be {allowed}. "
        f"Got {value!r} instead.{hint}"
    )


def _words(entry: Entry, field: str) -> tuple[str, ...]:
    """Return a field that holds several strings as a tuple."""
    value = getattr(entry, field)
    if isinstance(value, str) or not isinstance(value, Iterable):
        _fail(entry, field, "an iterable of str", value)
    words = tuple(value)
    for word in words:
        if not isinstance(word, str):
            _fail(entry, field, "an iterable of str", words)
    return words


def _check_names(entry: Entry) -> None:
    """Check the name, the aliases and the two fields that name code."""
    if entry.kind == "estimator":
        pattern, allowed = _CLASS_NAME, "the name of a class, such as 'SketchedRegressor'"
    else:
        pattern, allowed = _HYPHENATED, "lower case with hyphens, such as 'least-squares'"
    if not isinstance(entry.name, str) or not pattern.fullmatch(entry.name):
        _fail(entry, "name", allowed, entry.name)
    for alias in entry.aliases:
        if not pattern.fullmatch(alias):
            _fail(entry, "aliases", f"names, each {allowed}", alias)
    if len(set(entry.words)) < len(entry.words):
        _fail(entry, "aliases", "different from the name and from each other", entry.aliases)
    if not isinstance(entry.target, str) or not _OBJECT.fullmatch(entry.target):
        _fail(entry, "target", "of the form 'package.module:Class'", entry.target)
    if entry.kind == "estimator" and entry.target.split(":")[1] != entry.name:
        _fail(entry, "target", f"of the form 'package.module:{entry.name}'", entry.target)
    for field in ("claim", "demo"):
        value = getattr(entry, field)
        if value is not None and not (isinstance(value, str) and _OBJECT.fullmatch(value)):
            _fail(entry, field, "None or of the form 'package.module:function'", value)


def _check_task(entry: Entry) -> None:
    """Check that a solver has a task, and a task has none."""
    if entry.kind == "task" and entry.task is not None:
        _fail(entry, "task", "left out for a task", entry.task)
    if entry.kind == "solver" and entry.task is None:
        _fail(entry, "task", "the name of the task that the solver solves", None)
    if entry.task is not None:
        if not isinstance(entry.task, str) or not _HYPHENATED.fullmatch(entry.task):
            _fail(entry, "task", "the name of a task, such as 'least-squares'", entry.task)
    if not isinstance(entry.default, bool):
        _fail(entry, "default", "a bool", entry.default)
    if entry.default and entry.kind != "solver":
        _fail(entry, "default", f"False for a {entry.kind}", True)


def _check_texts(entry: Entry) -> None:
    """Check the fields that people read."""
    for field in ("summary", "reference", "since", "deprecated"):
        if not isinstance(getattr(entry, field), str):
            _fail(entry, field, "a str", getattr(entry, field))
        if not getattr(entry, field).replace("\n", "").isprintable():
            allowed = "text without control characters"
            _fail(entry, field, allowed, getattr(entry, field))
    if not entry.summary.strip() or len(entry.summary.splitlines()) > 1:
        _fail(entry, "summary", "one line of text", entry.summary)
    if len(entry.summary) > _LONGEST_SUMMARY:
        allowed = f"at most {_LONGEST_SUMMARY} characters long"
        _fail(entry, "summary", allowed, entry.summary[:40] + "...")


def _check_capabilities(entry: Entry) -> None:
    """Check that every capability is one of the closed list."""
    for capability in sorted(entry.capabilities):
        if capability not in CAPABILITIES:
            allowed = f"a subset of {', '.join(sorted(CAPABILITIES))}"
            _fail(entry, "capabilities", allowed, capability, CAPABILITIES)


def _check_requires(entry: Entry) -> None:
    """Check that every requirement can be read."""
    if not entry.requires:
        return
    # A quarter of what `skrand list` takes: only for entries that have requirements.
    from packaging.requirements import InvalidRequirement, Requirement

    for requirement in entry.requires:
        try:
            Requirement(requirement)
        except InvalidRequirement:
            allowed = "requirements as PEP 508 has them, such as 'torch>=2'"
            _fail(entry, "requires", allowed, requirement)
