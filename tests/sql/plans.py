"""What each rewrite rule makes of a query, as text: the fixtures in ``plans/RULE.plan``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import suffice
from suffice.answer.work import Work
from suffice.sql.plan import Bound
from suffice.sql.rewrite.alias_in_select import alias_in_select
from suffice.sql.rewrite.as_relations import as_relations
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.rewrite.early_limit import early_limit
from suffice.sql.rewrite.inline_ctes import inline_ctes
from suffice.sql.rewrite.merge_subqueries import merge_subqueries
from suffice.sql.rewrite.needs import Needs
from suffice.sql.sparse import plan_sparsely
from suffice.sql.statement import Query, parse

FOLDER = Path(__file__).parent / "plans"

Describe = Callable[[str], Mapping[str, str]]


def plan_text(rule: str, sql: str, con: suffice.Connection) -> list[str]:
    """The lines that stand under `sql` in the rule's fixtures. ``{here}`` in `sql` is the folder of the cases."""
    statement = parse(sql.replace("{here}", str(Path(__file__).parent)), con._names())
    assert isinstance(statement, Query) and statement.tree is not None
    return RULES[rule](con._bind(statement.tree, Work()), con._engine.describe)


def _bound(bound: Bound, describe: Describe) -> list[str]:
    return [bound.tree.sql("duckdb")]


def _inlined(bound: Bound, describe: Describe) -> list[str]:
    return [inline_ctes(bound.tree.copy()).sql("duckdb")]


def _relations(bound: Bound, describe: Describe) -> list[str]:
    return [as_relations(inline_ctes(bound.tree.copy()), bound, describe).tree.sql("duckdb")]


def _merged(bound: Bound, describe: Describe) -> list[str]:
    return [merge_subqueries(as_relations(inline_ctes(bound.tree.copy()), bound, describe).tree).sql("duckdb")]


def _needs(bound: Bound, describe: Describe) -> list[str]:
    """What each call must see, in rounds: those that filter first, then what can run by then."""
    plan, known, lines = plan_sparsely(bound, describe), frozenset[int](), []
    while known < bound.calls.keys():
        ready = [(site, need) for site in plan.sites if (need := Needs(known).of(site)) and site.number not in known]
        ready = [one for one in ready if one[0].filters] or ready
        if not ready:
            return [*lines, *(f"{call.written}: never" for n, call in bound.calls.items() if n not in known)]
        lines += [f"{bound.calls[site.number].written}: {need.select.sql('duckdb')}" for site, need in ready]
        known |= {site.number for site, _ in ready}
    return lines


def _guards(bound: Bound, describe: Describe) -> list[str]:
    plan = plan_sparsely(bound, describe)
    needs = [(bound.calls[site.number].written, Needs(frozenset()).of(site)) for site in plan.sites]
    return [f"{written}: {' AND '.join(need.guards) or 'everywhere'}" for written, need in needs if need]


def _answer(bound: Bound, describe: Describe) -> list[str]:
    return [answer_sql(bound).replace('"memory".', "")]


def _aliases(bound: Bound, describe: Describe) -> list[str]:
    said = 'Alias "b" referenced in a SELECT clause - but the expression has a subquery'  # DuckDB's own words
    tree = alias_in_select(bound.tree, said)
    return [str(tree and tree.sql("duckdb"))]


def _walk(bound: Bound, describe: Describe) -> list[str]:
    return [str(early_limit(plan_sparsely(bound, describe)))]


RULES: Mapping[str, Callable[[Bound, Describe], list[str]]] = {
    "free_outer_on": _bound,
    "on_as_column": _bound,
    "paired_join": _bound,
    "inline_ctes": _inlined,
    "as_relations": _relations,
    "merge_subqueries": _merged,
    "needs": _needs,
    "guards": _guards,
    "as_sql": _answer,
    "early_limit": _walk,
    "alias_in_select": _aliases,
}
