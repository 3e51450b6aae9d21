"""The kept training curve: how the loss of each stage fell, as JSON and as a drawing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

_WIDE, _HIGH, _PAD = 260, 150, 34
_COLUMNS = 4


def collect(work: Path, stages: tuple[str, ...]) -> dict[str, list[list[float]]]:
    """Return each trained stage's curve: [step, mean loss since the row before, seconds since the (re)start]."""
    paths = {stage: work / f"{stage}.json" for stage in stages}
    return {stage: json.loads(path.read_text()) for stage, path in paths.items() if path.exists()}


def _points(rows: list[list[float]]) -> tuple[str, float, float]:
    last, logs = rows[-1][0], [math.log10(max(loss, 1e-6)) for _, loss, _ in rows]
    low, high = min(logs), max(logs)
    span = max(high - low, 1e-9)
    spots = [
        (_PAD + step / last * (_WIDE - _PAD - 10), 24 + (high - at) / span * (_HIGH - 48))
        for (step, *_), at in zip(rows, logs, strict=True)
    ]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots), 10**low, 10**high


def _panel(number: int, stage: str, rows: list[list[float]]) -> str:
    x, y = number % _COLUMNS * _WIDE, number // _COLUMNS * _HIGH
    line, low, high = _points(rows)
    return (
        f'<g transform="translate({x},{y})">'
        f'<text x="{_PAD}" y="14" font-weight="bold">{stage}</text>'
        f'<text x="2" y="28">{high:.3g}</text><text x="2" y="{_HIGH - 22}">{low:.3g}</text>'
        f'<text x="{_WIDE - 10}" y="{_HIGH - 6}" text-anchor="end">{rows[-1][0]:.0f} steps</text>'
        f'<path d="M{_PAD} 22V{_HIGH - 20}H{_WIDE - 10}" fill="none" stroke="#999"/>'
        f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="1.5"/></g>'
    )


def as_svg(curves: dict[str, Any]) -> str:
    """Return the curves as one SVG drawing, a panel a stage, the loss on a logarithmic axis."""
    panels = "".join(_panel(n, stage, rows) for n, (stage, rows) in enumerate(curves.items()))
    wide, high = _WIDE * min(_COLUMNS, len(curves)), _HIGH * math.ceil(len(curves) / _COLUMNS)
    style = 'font-family="sans-serif" font-size="10" fill="#333"'
    ground = f'<rect width="{wide}" height="{high}" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" {style}>{ground}{panels}</svg>\n'
