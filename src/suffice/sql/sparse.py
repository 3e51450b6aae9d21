"""What a bound query asks of its models: the passes, and the plan they leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suffice.errors import UsageError
from suffice.sql.inputs import Inputs
from suffice.sql.plan import Bound
from suffice.sql.repeatable import is_repeatable
from suffice.sql.rewrite.as_relations import Describe, as_relations
from suffice.sql.rewrite.as_sql import blob_number, need_sql
from suffice.sql.rewrite.inline_ctes import inline_ctes
from suffice.sql.rewrite.merge_subqueries import merge_subqueries
from suffice.sql.rewrite.needs import Needs, Site, find_sites, is_volatile, relations_of

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True)
class SparsePlan:
    """Where models stand in a query, and how to ask what each must see."""

    bound: Bound
    tree: exp.Expr
    sites: tuple[Site, ...]
    base_sql: Mapping[str, str]
    is_repeatable: bool
    """Whether the same text over the same media and results asks for the same, whatever else changes."""

    def need(
        self, site: Site, known: frozenset[int], *, guarded: bool = True, surviving: bool = False
    ) -> Inputs | None:
        """The inputs that `site` must see (of them those that survive its predicates); None while it must wait."""
        from sqlglot import exp

        need = Needs(known, guarded=guarded).of(site, surviving=surviving)
        if need is None:
            return None
        call, select = self.bound.calls[site.number], need.select
        arguments = [argument.unalias() for argument in select.expressions]
        number = blob_number(call, arguments, relations_of(select), self.bound)
        if number is not None:
            select.append("expressions", exp.alias_(number, "id"))
        return Inputs(call.call, need_sql(select, self.bound, self.base_sql), need.guards, number is not None)


def plan_sparsely(bound: Bound, describe: Describe) -> SparsePlan:
    """Analyse the query inside a bound statement."""
    from sqlglot import exp

    query = bound.tree if isinstance(bound.tree, exp.Query) else bound.tree.find(exp.Query)
    if query is None:
        raise UsageError(f"a model can stand in a query only, not in {bound.tree.key.upper()}")
    relational = as_relations(inline_ctes(query.copy()), bound, describe)
    tree = merge_subqueries(relational.tree)
    sites = tuple(find_sites(tree))
    for site in sites:
        for function in (f for argument in site.arguments for f in argument.find_all(exp.Func)):
            if is_volatile(function):
                raise UsageError(
                    f"{bound.calls[site.number].written}: an argument changes each time it is looked at"
                    f" ({function.sql('duckdb')}); put it in a table first"
                )
    repeats = not relational.base_sql and is_repeatable(tree)
    return SparsePlan(bound, tree, sites, relational.base_sql, repeats)
