"""Lines and bars as SVG, in the colours of the page around them."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 460, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 30, 44
COLOURS = ("#2f6fde", "#d9730d", "#2a9d5c", "#a846b9", "#c23b3b")
Points = Sequence[tuple[float, float]]


def line_chart(
    title: str, series: Mapping[str, Points], x_name: str, y_range: tuple[float, float] | None = None
) -> str:
    """One line a series of ``(x, y)``; points that are not finite are left out. `y_range` None fits the data."""
    kept = {name: [p for p in points if math.isfinite(p[0]) and math.isfinite(p[1])] for name, points in series.items()}
    every = [point for points in kept.values() for point in points] or [(0.0, 0.0)]
    x_max = max(x for x, _ in every) or 1.0
    low, high = y_range or (min(0.0, *(y for _, y in every), 0.0), max(y for _, y in every) or 1.0)
    lines = [_line(points, x_max, low, high, COLOURS[i % 5]) for i, points in enumerate(kept.values())]
    legend = _legend(list(kept)) if len(kept) > 1 else ""
    return _frame(title, x_name, "".join([_y_axis(low, high), _x_axis(x_max), *lines, legend]))


def bar_chart(title: str, values: Sequence[float], x_name: str) -> str:
    """One bar a value between 0 and 1, numbered from 1."""
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(values))
    bars = "".join(_bar(_LEFT + step * i, step, value, i + 1) for i, value in enumerate(values))
    return _frame(title, x_name, _y_axis(0.0, 1.0) + bars)


def ticks(high: float, low: float = 0.0) -> list[float]:
    """About five round numbers from `low` to `high`."""
    span = max(high - low, 1e-12)
    step = 10.0 ** math.floor(math.log10(span / 4))
    step *= next(m for m in (1, 2, 5, 10) if span / (step * m) <= 5)
    first = math.ceil(low / step - 1e-9)
    return [step * k for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _x(value: float, x_max: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * value / x_max


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - low) / max(high - low, 1e-12)


def _line(points: Points, x_max: float, low: float, high: float, colour: str) -> str:
    path = " ".join(f"{_x(x, x_max):.1f},{_y(y, low, high):.1f}" for x, y in points)
    return f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2' stroke-linejoin='round'/>"


def _bar(x: float, step: float, value: float, number: int) -> str:
    top = _y(value, 0.0, 1.0)
    box = f"x='{x + step * 0.15:.1f}' y='{top:.1f}' width='{step * 0.7:.1f}' height='{HEIGHT - _BOTTOM - top:.1f}'"
    middle = x + step / 2
    value_text = f"<text x='{middle:.1f}' y='{top - 4:.1f}' text-anchor='middle'>{value:.2f}</text>"
    return f"<rect {box} fill='{COLOURS[0]}'/>{value_text}{_x_label(middle, str(number))}"


def _x_label(x: float, text: str) -> str:
    return f"<text x='{x:.1f}' y='{HEIGHT - _BOTTOM + 16}' text-anchor='middle'>{text}</text>"


def _x_axis(x_max: float) -> str:
    return "".join(_x_label(_x(value, x_max), f"{value:g}") for value in ticks(x_max))


def _y_axis(low: float, high: float) -> str:
    marks = []
    for value in ticks(high, low):
        y = _y(value, low, high)
        rule = (
            f"<line x1='{_LEFT}' x2='{WIDTH - _RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='currentColor' opacity='.15'/>"
        )
        marks.append(f"{rule}<text x='{_LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>{value:g}</text>")
    return "".join(marks)


def _legend(names: Sequence[str]) -> str:
    rows = []
    for i, name in enumerate(names):
        y = HEIGHT - _BOTTOM - 14 - 16 * (len(names) - 1 - i)
        mark = f"<rect x='{WIDTH - 168}' y='{y - 8}' width='12' height='4' fill='{COLOURS[i % 5]}'/>"
        rows.append(f"{mark}<text x='{WIDTH - 150}' y='{y}'>{html.escape(name)}</text>")
    return "".join(rows)


def _frame(title: str, x_name: str, inside: str) -> str:
    head = f"<text x='{_LEFT}' y='18' font-weight='600'>{html.escape(title)}</text>"
    foot = f"<text x='{WIDTH - _RIGHT}' y='{HEIGHT - 6}' text-anchor='end' opacity='.7'>{html.escape(x_name)}</text>"
    size = f"viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}'"
    style = "font-family='system-ui,sans-serif' font-size='12' fill='currentColor'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' role='img' {size} {style}>{head}{inside}{foot}</svg>"
