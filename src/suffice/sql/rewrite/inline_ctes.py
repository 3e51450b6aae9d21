"""``WITH v AS (…) SELECT … FROM v`` reads as ``SELECT … FROM (…) AS v``, for analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suffice.errors import UsageError

if TYPE_CHECKING:
    from sqlglot import exp


def inline_ctes(tree: exp.Expr) -> exp.Expr:
    """Replace each reference to a CTE by a copy of its body. Recursive ones stay, and may hold no model."""
    from sqlglot import exp

    for clause in reversed(list(tree.find_all(exp.With))):
        if clause.recursive:
            _refuse_models(clause)
            continue
        owner = clause.parent
        assert owner is not None
        for position, cte in enumerate(clause.expressions):
            seen_by = [t for t in owner.find_all(exp.Table) if t.find_ancestor(exp.With) is not clause]
            seen_by += [t for later in clause.expressions[position + 1 :] for t in later.find_all(exp.Table)]
            for table in seen_by:
                if table.name.lower() == cte.alias.lower() and not table.db:
                    _inline(table, cte)
        clause.pop()
    return tree


def _inline(table: exp.Table, cte: exp.CTE) -> None:
    from sqlglot import exp

    outer = table.args.get("alias")
    columns = (outer.columns if outer else []) or cte.args["alias"].columns
    alias = exp.TableAlias(
        this=exp.to_identifier(table.alias or table.name), columns=[column.copy() for column in columns]
    )
    keep = {key: table.args[key] for key in ("joins", "laterals") if table.args.get(key)}
    table.replace(exp.Subquery(this=cte.this.copy(), alias=alias, **keep))


def _refuse_models(clause: exp.With) -> None:
    from sqlglot import exp

    for node in clause.find_all(exp.Anonymous):
        if node.name.lower().startswith("__"):
            raise UsageError(
                "a model inside WITH RECURSIVE runs between the steps of the recursion: ask for the exact answer"
            )
