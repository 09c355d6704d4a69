"""Finds the plugins and asks each what it brings; what goes wrong in one stays with that one.

This is not pluggy's own loop over entry points. There, a plugin that raises on import takes all
others with it, a second entry point of the same name is skipped without a word, and one hook that
raises loses the results of all. Here every plugin has a plugin manager to itself.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib import metadata
from time import perf_counter
from typing import Any

import pluggy

from skrand import __version__
from skrand._suggest import did_you_mean
from skrand.exceptions import InvalidParameterError, PluginError
from skrand.registry import hookspecs
from skrand.registry.entry import Entry, normalized

__all__ = ["GROUP", "PluginRecord", "is_strict", "load_plugins", "missing_requirements", "one_line"]

#: The group of entry points that plugins are found by.
GROUP = "skrand"
CORE = "skrand"
HOOK = "skrand_entries"
#: Most entries of one plugin: an iterator without end is none.
_MOST = 10_000
#: Most characters of an error that are shown.
_LONGEST = 1000


@dataclass(frozen=True, kw_only=True)
class PluginRecord:
    """What became of one plugin.

    Parameters
    ----------
    name : str
        Name of its entry point.
    dist, version : str
        The distribution that has the entry point.
    module : str
        What the entry point names.
    status : {"ok", "broken", "disabled"}
        Whether its entries could be had; "disabled" if ``SKRAND_PLUGINS`` leaves it out.
    error : str
        Why it is broken.
    load_time : float
        Seconds taken to import it and ask for its entries.
    entries : tuple of Entry
        What it declared.
    """

    name: str
    dist: str
    version: str
    module: str
    status: str = "ok"
    error: str = ""
    load_time: float = 0.0
    entries: tuple[Entry, ...] = ()

    @property
    def label(self) -> str:
        """Name, distribution and version, for messages."""
        version = f" {self.version}" if self.version else ""
        return f"{self.name!r} ({self.dist}{version})"


@dataclass(frozen=True)
class _Found:
    """An entry point that has not been loaded yet."""

    record: PluginRecord
    point: metadata.EntryPoint = field(repr=False)

    @property
    def is_core(self) -> bool:
        return self.record.dist == CORE


def load_plugins() -> tuple[list[PluginRecord], list[str]]:
    """Load every plugin that is installed and not disabled.

    Returns
    -------
    records : list of PluginRecord
        The core first, then by distribution and name.
    problems : list of str
        One sentence for everything that the user should hear of.

    Raises
    ------
    PluginError
        If ``SKRAND_STRICT`` is set and a plugin is broken.
    """
    found = _find()
    disabled, problems = _selection(found)
    records = []
    for one in found:
        if one.record in disabled:
            records.append(replace(one.record, status="disabled"))
            continue
        record = _load(one)
        records.append(record)
        if record.status == "broken":
            problems.append(f"Plugin {record.label} is broken and left out. {record.error}")
    return records, problems


def is_strict() -> bool:
    """Whether ``SKRAND_STRICT`` asks for errors in place of warnings."""
    return os.environ.get("SKRAND_STRICT", "") not in ("", "0")


def missing_requirements(requires: Iterable[str]) -> list[str]:
    """Return those of the requirements that are not installed, without importing anything."""
    requires = tuple(requires)
    if not requires:
        return []
    from packaging.requirements import Requirement

    return [text for text in requires if not _installed(Requirement(text))]


def _installed(requirement: Any) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return False
    return bool(requirement.specifier.contains(version, prereleases=True))


# Finding


def _find() -> list[_Found]:
    """Return every entry point of the group once, the core's first, in an order that is stable."""
    found: dict[tuple[str, str, str], _Found] = {}
    distributions: set[str] = set()
    for distribution in metadata.distributions():
        points = _entry_points(distribution)
        dist, version = _identity(distribution) if points else ("", "")
        # Like Python itself, take the first of several copies of a distribution on sys.path.
        if not dist or dist in distributions:
            continue
        distributions.add(dist)
        for point in points:
            record = PluginRecord(name=point.name, dist=dist, version=version, module=point.value)
            found.setdefault((dist, point.name, point.value), _Found(record, point))
    plugins = [one for one in found.values() if not one.is_core]
    core = [one for one in found.values() if one.is_core] or [_core()]
    return core + sorted(plugins, key=lambda one: (one.record.dist, one.record.name))


def _core() -> _Found:
    """Stand in for the core's entry point, which a source tree that is not installed lacks."""
    point = metadata.EntryPoint(name="core", value="skrand.builtin", group=GROUP)
    record = PluginRecord(name=point.name, dist=CORE, version=__version__, module=point.value)
    return _Found(record, point)


def _entry_points(distribution: metadata.Distribution) -> tuple[metadata.EntryPoint, ...]:
    """Return a distribution's entry points of the group.

    ``metadata.entry_points()`` reads all distributions at once, and raises if any of them has an
    unreadable file.
    """
    try:
        text = distribution.read_text("entry_points.txt") or ""
        if f"[{GROUP}]" not in text:
            return ()
        return tuple(distribution.entry_points.select(group=GROUP))
    except Exception:  # noqa: BLE001 - a damaged installation of anything at all
        return ()


def _identity(distribution: metadata.Distribution) -> tuple[str, str]:
    """Return a distribution's name and version, empty where its metadata lack them."""
    known = distribution.metadata
    name, version = ((known.get_all(key) or [""])[0] for key in ("Name", "Version"))
    return normalized(name), version


def _selection(found: list[_Found]) -> tuple[list[PluginRecord], list[str]]:
    """Read ``SKRAND_PLUGINS``: which plugins it disables, and what it says that cannot be.

    Unset means all, empty the core alone, ``a,b`` only these, ``-a`` all but that. Plugins go by
    the name of their distribution or of their entry point; the core is always there.
    """
    setting = os.environ.get("SKRAND_PLUGINS")
    if setting is None:
        return [], []
    plugins = [one.record for one in found if not one.is_core]
    known = {name for plugin in plugins for name in (plugin.dist, plugin.name)}
    words = [word.strip() for word in setting.split(",") if word.strip()]
    wanted = {word for word in words if not word.startswith("-")}
    unwanted = {word[1:] for word in words if word.startswith("-")}
    problems = [
        f"SKRAND_PLUGINS names {word!r}, which is not an installed plugin."
        + did_you_mean(word, known)
        for word in sorted(wanted | unwanted)
        if not _names(word) & known and word not in (CORE, "core")
    ]
    if unwanted & {CORE, "core"}:
        problems.append("SKRAND_PLUGINS disables skrand's core, which is always there.")

    def matches(plugin: PluginRecord, words: set[str]) -> bool:
        return any(_names(word) & {plugin.dist, plugin.name} for word in words)

    disabled = [
        plugin
        for plugin in plugins
        if matches(plugin, unwanted) or not (matches(plugin, wanted) or (words and not wanted))
    ]
    return disabled, problems


def _names(word: str) -> set[str]:
    """Return what a word of ``SKRAND_PLUGINS`` can name: an entry point or a distribution."""
    return {word, normalized(word)}


# Loading


def _load(found: _Found) -> PluginRecord:
    """Import one plugin and take its entries, all or none."""
    start = perf_counter()
    entries: tuple[Entry, ...] = ()
    error = ""
    try:
        entries = tuple(_stamp(entry, found.record) for entry in _declared(found))
    except KeyboardInterrupt:
        raise
    except BaseException as failure:
        error = _describe(failure)
        if is_strict():
            raise PluginError(f"Plugin {found.record.label} is broken. {error}") from failure
    return replace(
        found.record,
        status="broken" if error else "ok",
        error=error,
        load_time=perf_counter() - start,
        entries=entries,
    )


def _declared(found: _Found) -> list[Entry]:
    """Return the plugin's whole, validated list."""
    plugin = found.point.load()
    manager = pluggy.PluginManager("skrand")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, found.record.name)
    _check_hooks(manager, plugin, found.record.module)
    entries: list[Entry] = []
    for declared in manager.hook.skrand_entries():
        if isinstance(declared, Entry) or not isinstance(declared, Iterable):
            raise InvalidParameterError(
                f"{HOOK}() must return a list of Entry. Got {declared!r} instead."
            )
        entries.extend(itertools.islice(declared, _MOST + 1))
        if len(entries) > _MOST:
            raise InvalidParameterError(f"{HOOK}() must return at most {_MOST} entries.")
    _check_list(entries)
    return entries


def _check_hooks(manager: pluggy.PluginManager, plugin: object, module: str) -> None:
    """Refuse a misspelt hook, which pluggy accepts and never calls, and a missing one."""
    hooks = manager.get_hookcallers(plugin) or []
    for hook in hooks:
        if not hook.has_spec():
            raise InvalidParameterError(
                f"{module} implements the hook {hook.name!r}, which skrand does not have."
                f"{did_you_mean(hook.name, [HOOK])} The only hook is {HOOK}() -> list[Entry]."
            )
    if not hooks:
        cause = "does not define it"
        if hasattr(plugin, HOOK):
            cause = "defines it without the decorator @skrand.registry.hookimpl"
        raise InvalidParameterError(f"{module} does not implement {HOOK}(): it {cause}.")


def _check_list(entries: list[Entry]) -> None:
    """Check what can only be seen on the whole list of a plugin."""
    tasks = {entry.name for entry in entries if getattr(entry, "kind", "") == "task"}
    taken: set[tuple[str, str, str]] = set()
    defaults: set[str | None] = set()
    for entry in entries:
        if not isinstance(entry, Entry):
            raise InvalidParameterError(
                f"{HOOK}() must return a list of Entry. One item is {entry!r}."
            )
        for word in entry.words:
            slot = (*entry.slot[:2], word)
            if slot in taken:
                raise InvalidParameterError(f"The {entry.kind} {word!r} is declared twice.")
            taken.add(slot)
        if not entry.default:
            continue
        if entry.task not in tasks:
            raise InvalidParameterError(
                f"Solver {entry.name!r} cannot be the default of task {entry.task!r}: only the "
                "plugin that declares a task chooses its default solver."
            )
        if entry.task in defaults:
            raise InvalidParameterError(f"Task {entry.task!r} has two default solvers.")
        defaults.add(entry.task)


def _stamp(entry: Entry, record: PluginRecord) -> Entry:
    """Fill in where an entry comes from and how it stands."""
    status, error = "deprecated" if entry.deprecated else "ok", entry.deprecated
    missing = missing_requirements(entry.requires)
    if missing:
        status = f"needs {', '.join(missing)}"
        error = f"Not installed: {', '.join(missing)}."
    return replace(
        entry,
        plugin=record.name,
        dist=record.dist,
        version=record.version,
        status=status,
        error=error,
        load_time=0.0,
    )


def one_line(failure: BaseException) -> str:
    """Return what an exception says in one line that is safe to print, cut where it is endless."""
    try:
        text = " ".join(str(failure).split())
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 (its __str__ is somebody's code, too)
        return "it has a message that cannot be read"
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _describe(failure: BaseException) -> str:
    """Name the exception and what it says, in one line."""
    text = one_line(failure)
    if isinstance(failure, SystemExit):
        return f"It called sys.exit({text}) while it was loaded."
    if isinstance(failure, InvalidParameterError):
        return text
    return f"{type(failure).__name__}: {text}" if text else type(failure).__name__
