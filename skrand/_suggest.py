"""The "did you mean" of every message about an unknown name."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known words, or an empty string.

    Parameters
    ----------
    word : str
        What was asked for.
    known : iterable of str
        What could have been meant.

    Returns
    -------
    str
        A sentence with a space before it, so that it can be appended to any other.
    """
    # Only messages about errors come here: no other start of Python pays for the import.
    from difflib import get_close_matches

    by_case = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_case, n=2, cutoff=0.6)
    if not near:
        return ""
    return f" Did you mean {' or '.join(repr(by_case[name]) for name in near)}?"
