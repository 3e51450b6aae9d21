"""Was the promise kept? An answer with a guarantee beside the exact one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Row = Sequence[Any]


@dataclass(frozen=True)
class Checked:
    """One interval of one row.

    Attributes:
        key: the values of the row's other columns.
        error_relative: of the answer; None where the exact value is 0 or NULL.
        held: whether the exact value lies in the interval.
    """

    key: tuple[Any, ...]
    column: str
    answered: Any
    low: float
    high: float
    exact: Any
    error_relative: float | None
    held: bool


@dataclass(frozen=True)
class Audit:
    """Attributes:
    held: whether every interval, and every error asked for, held.
    rows_missing, rows_wrong: keys of exact rows that the answer lacks, and of rows that the exact answer lacks.
    """

    held: bool
    checked: tuple[Checked, ...]
    rows_missing: tuple[tuple[Any, ...], ...]
    rows_wrong: tuple[tuple[Any, ...], ...]
    error_relative_max: float | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def audit(
    columns: Sequence[str],
    rows: Sequence[Row],
    intervals: Mapping[str, Sequence[Sequence[float | None]]],
    exact_rows: Sequence[Row],
    error_relative_max: float | None = None,
    *,
    needed: int | None = None,
) -> Audit:
    """Compare an answer's `rows` with `exact_rows`; rows are matched by the columns that have no interval.

    An answer without any was computed as the exact one is: its sums of doubles may differ in their last digits, which
    depend on how threads share the rows.

    Args:
        needed: of `exact_rows`, the first so many have to be in the answer, and others may be; None for all.
    """
    keys = [i for i, name in enumerate(columns) if name not in intervals]
    if VOUCHED_BY in columns:
        return _selection(columns, rows, intervals, exact_rows)
    digits = 17 if intervals else _SUM_DIGITS
    truth = dict(zip(_numbered(exact_rows, keys, digits), exact_rows, strict=True))
    answered = _numbered(rows, keys, digits)
    checked = [
        _check(columns, row, column, intervals[column][i], truth[key], keys)
        for i, (key, row) in enumerate(zip(answered, rows, strict=True))
        if key in truth
        for column in intervals
    ]
    wrong = tuple(key for key, number in answered if (key, number) not in truth)
    worst = [c.error_relative for c in checked if c.error_relative is not None]
    within = error_relative_max is None or all(error <= error_relative_max * (1 + 1e-9) for error in worst)
    held = within and not wrong and all(c.held for c in checked)
    missing = tuple(key for key, number in list(truth)[:needed] if (key, number) not in answered)
    return Audit(held, tuple(checked), missing, wrong, error_relative_max)


def _selection(
    columns: Sequence[str],
    rows: Sequence[Row],
    intervals: Mapping[str, Sequence[Sequence[float | None]]],
    exact_rows: Sequence[Row],
) -> Audit:
    """The promised share of right rows in the answer (precision), and of them among all right ones (recall)."""
    keys = [i for i, name in enumerate(columns) if name != VOUCHED_BY]
    answered, truth = (Counter(_key(row, keys) for row in found) for found in (rows, exact_rows))
    right = (answered & truth).total()
    shares = {"recall": (right, truth.total()), "precision": (right, answered.total())}
    reached = {name: part / whole if whole else 1.0 for name, (part, whole) in shares.items()}
    checked = tuple(
        Checked((), name, reached[name], low, high, reached[name], None, low - _slack(low) <= reached[name] <= high)
        for name, (ends,) in intervals.items()
        for low, high in [_ends(ends)]
    )
    missing, wrong = (tuple(rest.elements()) for rest in (truth - answered, answered - truth))
    held = all(one.held for one in checked) if intervals else not missing and not wrong
    return Audit(held, checked, missing, wrong, None)


VOUCHED_BY = "vouched_by"
"""Column of a selection that says who answers for a row; the exact rows have none."""

_SUM_DIGITS = 9
"""Of doubles added up in another order."""


def _numbered(rows: Sequence[Row], keys: list[int], digits: int) -> list[tuple[tuple[Any, ...], int]]:
    """The key of each row, and how many rows before it have the same: SELECTs of a UNION ALL may."""
    met: Counter[tuple[Any, ...]] = Counter()
    found = []
    for row in rows:
        key = tuple(float(f"{v:.{digits}g}") if isinstance(v, float) else v for v in _key(row, keys))
        found.append((key, met[key]))
        met[key] += 1
    return found


def _key(row: Row, keys: Sequence[int]) -> tuple[Any, ...]:
    return tuple(_plain(row[i]) for i in keys)


def _plain(value: Any) -> Any:
    """As JSON gives it back, so that a saved answer finds its rows."""
    return value if value is None or isinstance(value, (int, float, str, bool)) else str(value)


def _check(
    columns: Sequence[str], row: Row, column: str, interval: Sequence[float | None], exact: Row, keys: Sequence[int]
) -> Checked:
    position = list(columns).index(column)
    answered, true = row[position], exact[position]
    low, high = _ends(interval)
    error = None if true is None or answered is None or not float(true) else abs(float(answered) / float(true) - 1)
    is_null = true is None and answered is None
    held = is_null or (true is not None and low - _slack(low) <= float(true) <= high + _slack(high))
    return Checked(_key(row, keys), column, answered, low, high, true, error, held)


def _ends(interval: Sequence[float | None]) -> tuple[float, float]:
    """As numbers: JSON has no infinity."""
    low, high = interval
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)


def _slack(end: float) -> float:
    """Of doubles that were written down and read again."""
    return 1e-12 * abs(end) if abs(end) < float("inf") else 0.0
