"""Tiles to regions of equal cost, and regions to workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from suffice.errors import UsageError

if TYPE_CHECKING:
    from suffice.regional.tiles import TileGrid

Region = tuple[int, ...]


def cut_regions(
    grid: TileGrid, costs: Sequence[float], subject: Sequence[bool], count: int, allowed: Sequence[int] | None = None
) -> tuple[Region, ...]:
    """`count` regions, each of subject tiles or of the rest alone, of nearly equal cost (not area), each in one place.

    Both parts are halved along their longer side, by cost, until they are small enough (recursive bisection). `allowed`
    are the tiles to cut up, by default all. Raises :class:`UsageError` when there are fewer tiles than regions.
    """
    tiles = list(range(grid.count)) if allowed is None else list(allowed)
    if not 1 <= count <= len(tiles):
        raise UsageError(f"{count} regions of {len(tiles)} tiles: ask for 1 to {len(tiles)}, or for smaller tiles")
    parts = [[tile for tile in tiles if bool(subject[tile]) is side] for side in (True, False)]
    parts = [part for part in parts if part]
    if count == 1 or len(parts) == 1:
        return tuple(_bisect(grid, costs, tiles, count))
    cost_each = [sum(costs[tile] for tile in part) for part in parts]
    first = _share(cost_each[0], sum(cost_each), count, len(parts[0]), len(parts[1]))
    return (*_bisect(grid, costs, parts[0], first), *_bisect(grid, costs, parts[1], count - first))


def _share(cost: float, total: float, count: int, most: int, most_of_rest: int) -> int:
    """How many of `count` regions a part of `cost` gets: at least one, and no more than either side has tiles for."""
    wanted = round(count * cost / max(total, 1e-12))
    return max(1, count - most_of_rest, min(wanted, most, count - 1))


def _bisect(grid: TileGrid, costs: Sequence[float], tiles: list[int], count: int) -> list[Region]:
    if count == 1:
        return [tuple(sorted(tiles))]
    rows, columns = [t // grid.columns for t in tiles], [t % grid.columns for t in tiles]
    tall = max(rows) - min(rows) >= max(columns) - min(columns)
    across = sorted(tiles, key=lambda t: divmod(t, grid.columns) if tall else divmod(t, grid.columns)[::-1])
    left = count // 2
    at = _cut_at(across, costs, left / count, left, len(tiles) - (count - left))
    return [*_bisect(grid, costs, across[:at], left), *_bisect(grid, costs, across[at:], count - left)]


def _cut_at(tiles: Sequence[int], costs: Sequence[float], part: float, least: int, most: int) -> int:
    """Where the running cost comes nearest to `part` of the whole."""
    goal, run, best = part * sum(costs[tile] for tile in tiles), 0.0, (float("inf"), least)
    for at, tile in enumerate(tiles, start=1):
        run += costs[tile]
        if least <= at <= most:
            best = min(best, (abs(run - goal), at))
    return best[1]


def share_out(
    costs: Sequence[float], workers: int, speeds: Sequence[float] | None = None
) -> tuple[tuple[int, ...], ...]:
    """Consecutive regions for each worker, cost in proportion to its speed (neighbours in number are so in place).

    Raises :class:`UsageError` when there are more workers than regions.
    """
    if not 1 <= workers <= len(costs):
        raise UsageError(
            f"{workers} workers for {len(costs)} regions: ask for at most {len(costs)}, or for more regions"
        )
    speeds = list(speeds or [1.0] * workers)
    shares, start = [], 0
    for worker in range(workers):
        rest = list(range(start, len(costs)))
        part = speeds[worker] / sum(speeds[worker:])
        at = len(rest) if worker == workers - 1 else _cut_at(rest, costs, part, 1, len(rest) - (workers - worker - 1))
        shares.append(tuple(rest[:at]))
        start += at
    return tuple(shares)
