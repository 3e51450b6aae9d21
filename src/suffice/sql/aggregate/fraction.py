"""Formulas that are one linear sum, or a fraction of two: those with an interval proved for every sample size."""

from __future__ import annotations

from dataclasses import dataclass

from suffice.sql.aggregate.formula import Formula

Linear = dict[int | None, float]
"""Coefficient of each piece; None is the constant."""


@dataclass(frozen=True)
class Fraction:
    """``numerator / denominator``, both linear in the totals of pieces; the denominator may be the constant 1."""

    numerator: Linear
    denominator: Linear

    @property
    def is_linear(self) -> bool:
        return set(self.denominator) == {None}


_ONE: Linear = {None: 1.0}


def fraction_of(formula: Formula) -> Fraction | None:
    """`formula` as a fraction of linear sums, or None when it is not one."""
    if formula.operator is None:
        linear: Linear = {None: formula.constant} if formula.piece is None else {formula.piece: 1.0}
        return Fraction(linear, _ONE)
    parts = [fraction_of(o) for o in formula.operands]
    if formula.operator == "sqrt" or parts[0] is None or parts[1] is None:
        return None
    return _combine(formula.operator, parts[0], parts[1])


def _combine(operator: str, a: Fraction, b: Fraction) -> Fraction | None:
    if operator == "/":
        b, operator = Fraction(b.denominator, b.numerator), "*"
    if operator == "*":
        numerator = _product(a.numerator, b.numerator)
        denominator = _product(a.denominator, b.denominator)
        return None if numerator is None or denominator is None else Fraction(numerator, denominator)
    if a.denominator != b.denominator:
        return None
    sign = 1.0 if operator == "+" else -1.0
    keys = a.numerator | b.numerator
    return Fraction({k: a.numerator.get(k, 0.0) + sign * b.numerator.get(k, 0.0) for k in keys}, a.denominator)


def _product(a: Linear, b: Linear) -> Linear | None:
    if set(a) == {None}:
        return {k: a[None] * v for k, v in b.items()}
    if set(b) == {None}:
        return {k: b[None] * v for k, v in a.items()}
    return None
