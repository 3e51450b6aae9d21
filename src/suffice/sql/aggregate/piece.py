"""One sum over rows: what a sample of blocks estimates."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True)
class Piece:
    """``SUM(value) FILTER (WHERE condition)``; a count is the sum of 1 over rows where `condition` holds.

    Attributes:
        value: row expression, NULL for rows that do not count; None for a count.
        condition: row condition, or None for all rows of the query.
    """

    value: exp.Expr | None
    condition: exp.Expr | None

    def sum_sql(self) -> exp.Expr:
        """The aggregate as a DOUBLE, NULL when no row counts."""
        total = exp.Sum(this=self.value.copy()) if self.value is not None else exp.Count(this=exp.Star())
        return exp.cast(self._filtered(total), exp.DataType.Type.DOUBLE)

    def _filtered(self, aggregate: exp.Expr) -> exp.Expr:
        if self.condition is None:
            return aggregate
        return exp.Filter(this=aggregate, expression=exp.Where(this=self.condition.copy()))
