"""The registered entries: who owns which name, and the way from a name to code."""

from __future__ import annotations

import importlib
import sys
import threading
import warnings
from collections.abc import Iterable
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from skrand._suggest import did_you_mean
from skrand.exceptions import (
    AmbiguousNameError,
    InvalidParameterError,
    PluginError,
    PluginWarning,
    UnknownNameError,
)
from skrand.registry.entry import CAPABILITIES, KINDS, Entry, normalized
from skrand.registry.loader import (
    CORE,
    PluginRecord,
    is_strict,
    load_plugins,
    missing_requirements,
    one_line,
)

if TYPE_CHECKING:
    from skrand.base import Solver

__all__ = [
    "entries",
    "get",
    "load",
    "make_solver",
    "plugins",
    "reload",
    "resolve_solver",
]

_Key = tuple[str, str, str, str]


def entries(
    kind: str | None = None, task: str | None = None, can: Iterable[str] = ()
) -> list[Entry]:
    """Return the registered entries, the unusable ones included; see their `status`.

    Parameters
    ----------
    kind : {"task", "solver", "estimator"}, optional
        Only this kind.
    task : str, optional
        Only what belongs to this task: its own entry, its solvers, its estimators.
    can : iterable of str, default=()
        Only what has all these capabilities.

    Returns
    -------
    list of Entry
        By task, then kind, then name, a task's default solver before the others.
    """
    catalog = _catalog()
    if kind is not None and kind not in KINDS:
        raise InvalidParameterError(
            f"The 'kind' parameter of entries must be one of {', '.join(map(repr, KINDS))}. "
            f"Got {kind!r} instead."
        )
    if task is not None:
        task = get(task, kind="task").name
    wanted = _capabilities(can)
    return [
        entry
        for entry in catalog.entries()
        if kind in (None, entry.kind)
        and task in (None, _task_of(entry))
        and wanted <= entry.capabilities
    ]


def get(name: str, kind: str | None = None, task: str | None = None) -> Entry:
    """Return the entry of this name.

    Parameters
    ----------
    name : str
        A name or an alias; ``"task/name"`` where several tasks have a solver of one name, and
        ``"dist:name"`` where several distributions do.
    kind : {"task", "solver", "estimator"}, optional
        Only this kind.
    task : str, optional
        Only what belongs to this task.

    Returns
    -------
    Entry

    Raises
    ------
    UnknownNameError
        If there is none; the message lists the names and suggests the nearest.
    AmbiguousNameError
        If several answer to the name; the message lists their full names.
    """
    if not isinstance(name, str):
        raise InvalidParameterError(f"A registered name must be a str. Got {name!r} instead.")
    return _catalog().find(name, kind, task)


def load(entry: Entry) -> type[Any]:
    """Import the class that an entry names.

    Parameters
    ----------
    entry : Entry
        As returned by :func:`get` or :func:`entries`.

    Returns
    -------
    type
        A subclass of Task or Solver, or of scikit-learn's BaseEstimator.

    Raises
    ------
    PluginError
        If the class cannot be imported or is not what `entry` says. From then on the entry counts
        as broken.
    """
    return _catalog().load(entry)


def resolve_solver(solver: object, task: str) -> Solver:
    """Return the Solver object that an estimator's ``solver=`` means.

    Parameters
    ----------
    solver : str or Solver
        The name of a registered solver, which is made with its default parameters, or a Solver
        object, which is returned unchanged.
    task : str
        The task that it has to solve.

    Returns
    -------
    Solver
    """
    if isinstance(solver, str):
        return make_solver(task, solver)
    from skrand.base import Solver

    canonical = get(task, kind="task").name
    if not isinstance(solver, Solver):
        known = ", ".join(_names(entries(kind="solver", task=canonical)))
        hint = ""
        if isinstance(solver, type) and issubclass(solver, Solver):
            hint = f" That is the class: make an object of it, {solver.__name__}()."
        raise InvalidParameterError(
            f"The 'solver' parameter must be a Solver object or the name of a solver for task "
            f"{canonical!r} ({known}). Got {solver!r} instead.{hint}"
        )
    if getattr(solver, "task", canonical) != canonical:
        raise InvalidParameterError(
            f"The 'solver' parameter must be for task {canonical!r}. Got {solver!r} instead, which "
            f"is for task {solver.task!r}."
        )
    return solver


def make_solver(task: str, name: str, **params: Any) -> Solver:
    """Make a Solver object from its registered name.

    Parameters
    ----------
    task : str
        Name of the task.
    name : str
        Name of the solver.
    **params
        The solver's own parameters.

    Returns
    -------
    Solver

    Raises
    ------
    TypeError
        If the solver has no such parameter; the message lists those it has.

    Examples
    --------
    >>> from skrand import make_solver
    >>> make_solver("least-squares", "sap", max_iter=20)
    SAP(max_iter=20)
    """
    entry = get(name, kind="solver", task=task)
    cls = load(entry)
    if entry.deprecated:
        _warn(f"Solver {entry.name!r} is deprecated. {entry.deprecated}", FutureWarning)
    _check_params(entry, cls, params)
    solver: Solver = cls(**params)
    return solver


def plugins() -> list[PluginRecord]:
    """Return what became of every installed plugin, the core first."""
    return _catalog().plugins()


def reload() -> None:
    """Forget everything that was found; the next use looks again. For tests and notebooks."""
    global _current
    with _lock:
        _current = None
        importlib.invalidate_caches()


class Catalog:
    """All entries of one look at the environment.

    Parameters
    ----------
    records : iterable of PluginRecord
        As loaded, the core first.
    """

    def __init__(self, records: Iterable[PluginRecord]) -> None:
        self.problems: list[str] = []
        self._records: list[PluginRecord] = []
        self._entries: dict[_Key, Entry] = {}
        self._order: list[_Key] = []
        # Who claims a bare word of a kind (and, for solvers, of a task).
        self._claims: dict[tuple[str, str, str], list[_Key]] = {}
        self._classes: dict[_Key, type[Any]] = {}
        self._errors: dict[_Key, BaseException] = {}
        for record in records:
            self._add(record)
        self._check_tasks()
        self._settle_names()

    def entries(self) -> list[Entry]:
        """Return all entries in the order of :func:`entries`."""
        if len(self._order) != len(self._entries):
            self._order = sorted(self._entries, key=lambda key: _order(self._entries[key]))
        return [self._entries[key] for key in self._order]

    def plugins(self) -> list[PluginRecord]:
        """Return the records with their entries as they stand now."""
        return [
            replace(record, entries=tuple(self._entries[_key(entry)] for entry in record.entries))
            for record in self._records
        ]

    def find(self, name: str, kind: str | None = None, task: str | None = None) -> Entry:
        """Return the one entry that `name` means; see :func:`get`."""
        if task is not None:
            task = self.find(task, kind="task").name
        dist, _, rest = name.rpartition(":")
        prefix, _, word = rest.rpartition("/")
        dist = normalized(dist)
        found = [
            entry
            for slot, keys in self._claims.items()
            if slot[2] == word and kind in (None, slot[0])
            for entry in (self._entries[key] for key in self._owners(word, keys, dist))
            if (not prefix or prefix == _task_of(entry)) and task in (None, _task_of(entry))
        ]
        if not found:
            raise UnknownNameError(self._unknown(name, kind, task))
        if len(found) > 1:
            raise AmbiguousNameError(_ambiguous(name, found))
        return found[0]

    def load(self, entry: Entry) -> type[Any]:
        """Return the class of an entry; see :func:`load`."""
        key = _key(entry)
        if key in self._classes:
            return self._classes[key]
        if key in self._errors:
            raise PluginError(str(self._errors[key])) from self._errors[key].__cause__
        missing = missing_requirements(entry.requires)
        if missing:
            raise PluginError(
                f"{_label(entry)} needs {', '.join(missing)}, which is not installed."
            )
        start = perf_counter()
        try:
            # Outside the lock: Python's own import locks make this happen once, and another
            # thread may be importing a module that asks the registry for something.
            cls = _checked(entry, _import(entry.target))
        except KeyboardInterrupt:
            raise
        except BaseException as failure:
            raise self._mark_broken(entry, failure) from failure
        with _lock:
            self._classes[key] = cls
            if key in self._entries:
                self._entries[key] = replace(self._entries[key], load_time=perf_counter() - start)
        return cls

    def _mark_broken(self, entry: Entry, failure: BaseException) -> PluginError:
        """Remember that an entry does not load; tell the user the first time."""
        key = _key(entry)
        reason = _reason(failure)
        error = PluginError(f"{_label(entry)} cannot be used: {entry.target}: {reason}")
        error.__cause__ = failure
        with _lock:
            first = key not in self._errors
            self._errors[key] = error
            if key in self._entries:
                self._entries[key] = replace(self._entries[key], status="broken", error=reason)
        if first and not is_strict():
            _warn(str(error), PluginWarning)
        return error

    # Building

    def _add(self, record: PluginRecord) -> None:
        """Take all entries of a record, or none."""
        clash = [entry for entry in record.entries if _key(entry) in self._entries]
        if clash:
            error = (
                f"Another entry point of {record.dist} declares the {clash[0].kind} "
                f"{clash[0].name!r} as well."
            )
            record = replace(record, status="broken", error=error, entries=())
            self.problems.append(f"Plugin {record.label} is broken and left out. {error}")
        self._records.append(record)
        for entry in record.entries:
            self._entries[_key(entry)] = entry
            for word in entry.words:
                self._claims.setdefault((*entry.slot[:2], word), []).append(_key(entry))

    def _check_tasks(self) -> None:
        """Mark what belongs to a task that nobody declares."""
        known = {entry.name for entry in self._entries.values() if entry.kind == "task"}
        for entry in list(self._entries.values()):
            if entry.task is None or entry.task in known:
                continue
            error = f"There is no task {entry.task!r}.{did_you_mean(entry.task, known)}"
            self._mark(entry, "broken", error)

    def _settle_names(self) -> None:
        """Mark the entries whose bare name means another entry, or several."""
        for (*_, word), keys in self._claims.items():
            owners = self._owners(word, keys)
            for entry in (self._entries[key] for key in keys):
                if entry.name != word or owners == [_key(entry)]:
                    continue
                others = ", ".join(key[0] for key in owners if key != _key(entry))
                self._mark(
                    entry,
                    "ambiguous",
                    f"The {entry.kind} {word!r} is also one of {others}. "
                    f"Use {entry.qualified_name!r}.",
                )

    def _mark(self, entry: Entry, status: str, error: str) -> None:
        """Give an entry a worse status, and say so."""
        if entry.status not in ("ok", "deprecated"):
            return
        self._entries[_key(entry)] = replace(entry, status=status, error=error)
        self.problems.append(f"{_label(entry)} is {status}. {error}")

    # Looking up

    def _owners(self, word: str, keys: list[_Key], dist: str = "") -> list[_Key]:
        """Return the claimants who own a word.

        All of `dist`, if it is given. Otherwise the core, else those whose name it is, else those
        who have it as an alias.
        """
        if dist:
            return [key for key in keys if key[0] == dist]
        core = [key for key in keys if key[0] == CORE]
        return core or [key for key in keys if key[3] == word] or keys

    def _unknown(self, name: str, kind: str | None, task: str | None) -> str:
        """Word the error about a name that nobody has."""
        candidates = [
            entry
            for entry in self.entries()
            if kind in (None, entry.kind) and task in (None, _task_of(entry))
        ]
        names = _names(candidates)
        asked = name.rpartition(":")[2].rpartition("/")[2]
        words = {word for entry in candidates for word in entry.words}
        of_task = f" for task {task!r}" if task else ""
        message = f"Unknown {kind or 'name'} {name!r}{of_task}.{did_you_mean(asked, words)}"
        elsewhere = [
            f"{entry.task!r}"
            for entry in self.entries()
            if entry.kind == kind == "solver" and entry.task != task and asked in entry.words
        ]
        if elsewhere:
            message += f" That is a solver for task {' and '.join(elsewhere)}."
        if kind is None and task is None:
            message += " `skrand list` shows all names."
        else:
            message += f" Known: {', '.join(names)}." if names else " None is registered."
        broken = [record for record in self._records if record.status == "broken"]
        if broken:
            labels = ", ".join(record.label for record in broken)
            message += (
                f" What these broken plugins bring is missing: {labels}; `skrand plugins` says why."
            )
        return message


# One catalog a process, made at first use.

_lock = threading.RLock()
_current: Catalog | None = None
_loading = False


def _catalog() -> Catalog:
    """Return the catalog, loading the plugins if nobody has yet."""
    global _current
    if _current is not None:
        return _current
    with _lock:
        if _current is not None:
            return _current
        catalog, problems = _build()
        _current = catalog
    # Only now, with everything in place: a warning can be turned into an error.
    for problem in problems:
        _warn(f"{problem} `skrand plugins` shows more.", PluginWarning)
    return catalog


def _build() -> tuple[Catalog, list[str]]:
    """Load the plugins; the caller holds the lock."""
    global _loading
    if _loading:
        raise PluginError(
            "The registry was asked for an entry while it was being loaded. A plugin's module "
            "that declares entries must not look any up."
        )
    _loading = True
    try:
        records, problems = load_plugins()
        catalog = Catalog(records)
    finally:
        _loading = False
    if catalog.problems and is_strict():
        raise PluginError(" ".join(catalog.problems))
    return catalog, problems + catalog.problems


def _warn(message: str, category: type[Warning]) -> None:
    """Warn as of the line outside skrand that led here."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module == "skrand" or module.startswith("skrand.")


def _key(entry: Entry) -> _Key:
    return (entry.dist, *entry.slot)


def _task_of(entry: Entry) -> str | None:
    """Return the task an entry belongs to; a task belongs to itself."""
    return entry.name if entry.kind == "task" else entry.task


def _order(entry: Entry) -> tuple[object, ...]:
    task = _task_of(entry)
    return (
        task is None,
        task or "",
        KINDS.index(entry.kind),
        not entry.default,
        entry.name.lower(),
        entry.dist != CORE,
        entry.dist,
    )


def _names(candidates: Iterable[Entry]) -> list[str]:
    """Return the names that work, each once; qualified where the bare one means another."""
    return list(dict.fromkeys(entry.working_name for entry in candidates))


def _label(entry: Entry) -> str:
    origin = f" of plugin {entry.plugin!r} ({entry.dist})" if entry.dist else ""
    return f"The {entry.kind} {entry.name!r}{origin}"


def _ambiguous(name: str, found: list[Entry]) -> str:
    """Word the error about a name that several entries answer to."""
    several_tasks = len({_task_of(entry) for entry in found}) > 1
    choices = [
        f"{entry.dist}:{entry.task}/{entry.name}"
        if several_tasks and entry.kind == "solver"
        else entry.qualified_name
        for entry in found
    ]
    kinds = [entry.kind for entry in found]
    if len(set(choices)) < len(choices):
        choices = [f"{choice} ({kind})" for choice, kind in zip(choices, kinds, strict=True)]
    return f"The name {name!r} is ambiguous. Use one of: {', '.join(choices)}."


def _capabilities(can: Iterable[str]) -> frozenset[str]:
    wanted = frozenset([can] if isinstance(can, str) else can)
    for capability in sorted(wanted - CAPABILITIES):
        raise UnknownNameError(
            f"Unknown capability {capability!r}.{did_you_mean(capability, CAPABILITIES)} "
            f"Known: {', '.join(sorted(CAPABILITIES))}."
        )
    return wanted


def _import(target: str) -> object:
    module, name = target.split(":")
    found = importlib.import_module(module)
    try:
        return getattr(found, name)
    except AttributeError:
        raise ImportError(f"the module has no {name!r}") from None


def _checked(entry: Entry, found: object) -> type[Any]:
    """Return what an entry's target turned out to be, if it is of the right kind."""
    base, article = _base_class(entry.kind)
    if not isinstance(found, type) or not issubclass(found, base):
        what = f"class {found.__name__}" if isinstance(found, type) else type(found).__name__
        raise TypeError(f"a {entry.kind} must be a subclass of {article}, and this is a {what}")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise TypeError(f"class {found.__name__} does not define {', '.join(missing)}")
    return found


def _base_class(kind: str) -> tuple[type[Any], str]:
    """Return what a kind's classes derive from. Imported here: listing must not need NumPy."""
    if kind == "estimator":
        from sklearn.base import BaseEstimator

        return BaseEstimator, "sklearn.base.BaseEstimator"
    from skrand.base import Solver, Task

    return (Solver, "skrand.base.Solver") if kind == "solver" else (Task, "skrand.base.Task")


def _check_params(entry: Entry, cls: type[Any], params: dict[str, Any]) -> None:
    from skrand.base import default_parameters

    known = list(default_parameters(cls))  # type: ignore[arg-type]
    for param in params:
        if param not in known:
            offer = ", ".join(known) if known else "none"
            raise TypeError(
                f"Solver {entry.name!r} of task {entry.task!r} has no parameter {param!r}."
                f"{did_you_mean(param, known)} Its parameters: {offer}."
            )


def _reason(failure: BaseException) -> str:
    """Say in one line what an import raised."""
    text = one_line(failure)
    if isinstance(failure, SystemExit):
        return f"it called sys.exit({text}) when it was imported"
    return f"{type(failure).__name__}: {text}"
