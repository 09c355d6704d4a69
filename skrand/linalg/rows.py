"""Ranges of rows: which rows of the whole data a piece of work has seen."""

from __future__ import annotations

from skrand._validation import fail_parameter

__all__ = ["disjoint_union"]


class _Rows:
    """Stands for a range of rows in an error message."""

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop

    def __repr__(self) -> str:
        return f"rows {self.start} to {self.stop - 1} again"


def disjoint_union(owner: object, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the union of ranges of rows as the fewest ranges, in order.

    Parameters
    ----------
    owner : object
        Whose parameter ``row_offset`` the error names.
    ranges : list of (int, int)
        First row and the row after the last. Empty ones are left out.

    Raises
    ------
    InvalidParameterError
        If two of them overlap.

    Examples
    --------
    >>> from skrand.linalg.rows import disjoint_union
    >>> disjoint_union("example", [(10, 20), (0, 10), (30, 40)])
    [(0, 20), (30, 40)]
    """
    union: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if start == stop:
            continue
        if union and start < union[-1][1]:
            seen = _Rows(start, min(stop, union[-1][1]))
            fail_parameter(owner, "row_offset", "such that no row is added twice", seen)
        if union and start == union[-1][1]:
            start = union.pop()[0]
        union.append((start, stop))
    return union
