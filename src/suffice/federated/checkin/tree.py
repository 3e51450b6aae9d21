"""The shape of the aggregation tree: a pure function of how many updates there are."""

from __future__ import annotations

from typing import NamedTuple


class Node(NamedTuple):
    """The node at `place` of `level`; level 0 folds updates, each one above folds the partials below it."""

    level: int
    place: int


def levels(updates: int, fan_in: int) -> list[int]:
    """How many nodes each level has, from the leaves to the one root; no updates, no nodes."""
    if fan_in < 2:
        raise ValueError(f"a tree needs a fan-in of at least 2, not {fan_in}")
    widths: list[int] = []
    below = updates
    while updates and (not widths or below > 1):
        below = -(-below // fan_in)
        widths.append(below)
    return widths


def children(node: Node, updates: int, fan_in: int) -> range:
    """Positions of the updates (level 0), or indices of the nodes one level down, that `node` folds."""
    below = updates if node.level == 0 else levels(updates, fan_in)[node.level - 1]
    return range(node.place * fan_in, min(below, (node.place + 1) * fan_in))
