"""A number computed from totals: what an aggregate expression is once its sums are known.

Values are arrays with one entry a group. Gradients are exact (forward differentiation), so that the error of any
smooth function of sums can be linearised (Woodruff, JASA 1971; Särndal et al., "Model Assisted Survey Sampling", 5.5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Operator = Literal["+", "-", "*", "/", "sqrt"]


@dataclass(frozen=True)
class Formula:
    """A constant (`operator` None, `piece` None), the total of a piece, or an operation on two formulas.

    Attributes:
        is_sum: whether a total is NULL, not 0, where no row adds to it.
    """

    constant: float = 0.0
    piece: int | None = None
    operator: Operator | None = None
    operands: tuple[Formula, ...] = ()
    is_sum: bool = False

    def __add__(self, other: Formula) -> Formula:
        return Formula(operator="+", operands=(self, other))

    def __sub__(self, other: Formula) -> Formula:
        return Formula(operator="-", operands=(self, other))

    def __mul__(self, other: Formula) -> Formula:
        return Formula(operator="*", operands=(self, other))

    def __truediv__(self, other: Formula) -> Formula:
        return Formula(operator="/", operands=(self, other))

    def sqrt(self) -> Formula:
        return Formula(operator="sqrt", operands=(self,))

    def pieces(self) -> frozenset[int]:
        """Indices of the totals it depends on."""
        own = frozenset() if self.piece is None else frozenset([self.piece])
        return own.union(*(o.pieces() for o in self.operands))

    def renumbered(self, place: Sequence[int]) -> Formula:
        """With piece ``place[i]`` for piece i."""
        piece = None if self.piece is None else place[self.piece]
        return replace(self, piece=piece, operands=tuple(o.renumbered(place) for o in self.operands))

    def sums(self) -> frozenset[int]:
        """Indices of those without which it is NULL."""
        own = frozenset([self.piece]) if self.is_sum and self.piece is not None else frozenset[int]()
        return own.union(*(o.sums() for o in self.operands))

    def value_and_gradient(self, totals: Floats) -> tuple[Floats, Floats]:
        """From totals [pieces, groups]: (value [groups], gradient [pieces, groups]); not finite where undefined."""
        with np.errstate(all="ignore"):
            return self._evaluate(totals)

    def _evaluate(self, totals: Floats) -> tuple[Floats, Floats]:
        if self.operator is None:
            gradient = np.zeros_like(totals)
            if self.piece is None:
                return np.full(totals.shape[1], self.constant), gradient
            gradient[self.piece] = 1.0
            return totals[self.piece], gradient
        parts = [o._evaluate(totals) for o in self.operands]
        return _sqrt(parts[0]) if self.operator == "sqrt" else _APPLY[self.operator](parts[0], parts[1])


Dual = tuple[Floats, Floats]


def _add(a: Dual, b: Dual) -> Dual:
    return a[0] + b[0], a[1] + b[1]


def _subtract(a: Dual, b: Dual) -> Dual:
    return a[0] - b[0], a[1] - b[1]


def _multiply(a: Dual, b: Dual) -> Dual:
    return a[0] * b[0], a[1] * b[0] + b[1] * a[0]


def _divide(a: Dual, b: Dual) -> Dual:
    value = a[0] / b[0]
    return value, (a[1] - value * b[1]) / b[0]


def _sqrt(a: Dual) -> Dual:
    root = np.sqrt(a[0])
    return root, a[1] / (2 * root)


_APPLY: dict[str, Callable[[Dual, Dual], Dual]] = {"+": _add, "-": _subtract, "*": _multiply, "/": _divide}
