"""Spreads and correlations of values less the middle of their range: the same numbers, of far smaller squares."""

from __future__ import annotations

from sqlglot import exp

from suffice.sql.aggregate.value_range import ColumnRange, value_range

_SPREADS = (exp.Variance, exp.VariancePop, exp.Stddev, exp.StddevPop, exp.StddevSamp)
_JOINT = (exp.CovarPop, exp.CovarSamp, exp.Corr)


def centred(statement: exp.Select, column_range: ColumnRange) -> exp.Select:
    """`statement` with ``x - m`` for ``x`` where that changes nothing but how far from 0 the values are."""

    def less_middle(value: exp.Expr) -> exp.Expr:
        ends = value_range(value, column_range)
        middle = None if ends is None else float(f"{(ends[0] + ends[1]) / 2:.3g}")
        if not middle:
            return value
        as_double = exp.cast(value.copy(), exp.DataType.Type.DOUBLE)
        return exp.paren(exp.Sub(this=as_double, expression=exp.paren(exp.Literal.number(middle))))

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, (*_SPREADS, *_JOINT)):
            node.set("this", less_middle(node.this))
            if isinstance(node, _JOINT):
                node.set("expression", less_middle(node.expression))
        return node

    if not any(True for _ in statement.find_all(*_SPREADS, *_JOINT)):
        return statement
    result = statement.copy().transform(replace)
    assert isinstance(result, exp.Select)
    return result
