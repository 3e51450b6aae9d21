"""Formulas over intervals: the range of a column of the answer when its atoms lie in theirs.

Source: Moore, "Interval Analysis" (1966). All atoms hold at once, so what is made of them does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from suffice.sql.units.formula import AtomNode, Constant, Key, Node, Operation
from suffice.sql.units.unit_query import Having

Ends = tuple[float, float]

_RISING: Mapping[str, Callable[..., float]] = {
    "round": lambda x, digits=0.0: math.floor(abs(x) * 10**digits + 0.5) / 10**digits * (1 if x >= 0 else -1),
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": lambda x: math.sqrt(max(x, 0.0)),
    "exp": lambda x: math.exp(min(x, 700.0)),
}


def value_ends(node: Node, atoms: Sequence[Ends]) -> Ends:
    """Range of a formula; a column of GROUP BY has none."""
    match node:
        case Constant():
            return node.value, node.value
        case AtomNode():
            return atoms[node.number]
        case Operation(operator, operands) if operator in _RISING:
            first, *rest = (value_ends(operand, atoms) for operand in operands)
            low, high = (_rise(operator, end, [each[0] for each in rest]) for end in first)
            return low, high
        case Operation(operator, (left, right)):
            return _arithmetic(operator, value_ends(left, atoms), value_ends(right, atoms))
    raise TypeError(f"{node} is not a number")


def _rise(operator: str, value: float, rest: list[float]) -> float:
    return float(_RISING[operator](value, *rest)) if math.isfinite(value) else value


def _arithmetic(operator: str, a: Ends, b: Ends) -> Ends:
    if operator == "+":
        return a[0] + b[0], a[1] + b[1]
    if operator == "-":
        return a[0] - b[1], a[1] - b[0]
    if operator == "/":
        if b[0] <= 0 <= b[1]:
            return -math.inf, math.inf
        b = (1 / b[1], 1 / b[0])
    corners = [0.0 if x == 0 or y == 0 else x * y for x in a for y in b]
    return min(corners), max(corners)


def atoms_in(node: Node | Having) -> set[int]:
    """Numbers of the atoms of a formula."""
    match node:
        case AtomNode():
            return {node.number}
        case Operation() | Having():
            return set().union(*(atoms_in(operand) for operand in node.operands))
    return set()


def holds(having: Having, atoms: Sequence[Ends]) -> bool | None:
    """Whether a condition holds; None while its atoms leave it open."""
    if having.operator in ("and", "or", "not"):
        parts = [holds(part, atoms) for part in having.operands if isinstance(part, Having)]
        if having.operator == "not":
            return None if parts[0] is None else not parts[0]
        decisive = having.operator == "or"
        return decisive if decisive in parts else None if None in parts else not decisive
    left, right = (value_ends(side, atoms) for side in having.operands if not isinstance(side, Having))
    return _compare(having.operator, left, right)


def _compare(operator: str, a: Ends, b: Ends) -> bool | None:
    if any(math.isnan(end) for end in (*a, *b)):
        return None
    match operator:
        case "<":
            return True if a[1] < b[0] else False if a[0] >= b[1] else None
        case "<=":
            return True if a[1] <= b[0] else False if a[0] > b[1] else None
        case ">" | ">=":
            return _compare("<" if operator == ">" else "<=", b, a)
        case "<>":
            equal = _compare("=", a, b)
            return None if equal is None else not equal
    return True if a == b and a[0] == a[1] else False if a[1] < b[0] or b[1] < a[0] else None


def is_key(node: Node) -> bool:
    return isinstance(node, Key)


def plain_value(node: Node, atoms: Sequence[float], group: Sequence[Any]) -> Any:
    """The value of a formula when its atoms are numbers."""
    if isinstance(node, Key):
        return group[node.number]
    return value_ends(node, [(value, value) for value in atoms])[0]
