"""The clauses that ask for a guarantee, taken off the end of a statement.

``WITHIN e% CONFIDENCE p%``, ``RECALL r%``, ``PRECISION q%``, ``BUDGET n CALLS``, ``BUDGET t SECONDS``, ``TRUTH table``
and ``PROXY expression`` stand at the end of a statement, in any order. They are read from the tokens, so a column
called ``confidence`` stays a column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token


EXPLAIN = re.compile(r"\s*EXPLAIN\s+(ANALYZE\s+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """What was asked for; None where nothing was said. All shares are in (0, 1); `proxy` is SQL, `truth` the name of a
    table."""

    error_relative_max: float | None = None
    confidence: float | None = None
    recall_min: float | None = None
    precision_min: float | None = None
    budget_calls: int | None = None
    budget_s: float | None = None
    proxy: str | None = None
    truth: str | None = None


_CLAUSES: dict[tuple[str, ...], str] = {
    ("ERROR", "WITHIN"): "error_relative_max",
    ("ERROR_TARGET",): "error_relative_max",
    ("WITHIN",): "error_relative_max",
    ("CONFIDENCE",): "confidence",
    ("RECALL",): "recall_min",
    ("RECALL_TARGET",): "recall_min",
    ("PRECISION",): "precision_min",
    ("PRECISION_TARGET",): "precision_min",
}


def split_target(sql: str) -> tuple[str, Target | None]:
    """The statement without its guarantee clauses, and what they ask; ``(sql, None)`` when there are none."""
    return split_tokens(sql)[:2]


def split_tokens(sql: str) -> tuple[str, Target | None, list[Token] | None]:
    """:func:`split_target`, and the tokens of the statement without the clauses where they are known."""
    from sqlglot.dialects.duckdb import DuckDB

    if explain := EXPLAIN.match(sql):  # the tokenizer takes what follows it for one string
        query, target = split_target(sql[explain.end() :])
        return explain.group() + query, target, None
    if "%" not in sql and not any(word in sql.upper() for word in ("BUDGET", "PROXY", "TRUTH", "WITHIN", "RECALL")):
        return sql, None, None
    tokens = DuckDB().tokenize(sql)
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    asked, end = Target(), len(tokens)
    while (clause := _clause(sql, tokens[:end])) is not None:
        name, value, length = clause
        if getattr(asked, name) is not None:
            raise UsageError(f"{' '.join(t.text for t in tokens[end - length : end])}: this clause is there twice")
        changes: dict[str, Any] = {name: value}
        asked, end = replace(asked, **changes), end - length
    if end == len(tokens):
        return sql, None, None
    return sql[: tokens[end - 1].end + 1] if end else "", asked, tokens[:end]


def _clause(sql: str, tokens: list[Token]) -> tuple[str, float | int | str, int] | None:
    """The clause at the end: what it is, its value, how many tokens it has."""
    return _last_clause(tokens) or _truth_clause(tokens) or _proxy_clause(sql, tokens)


def _last_clause(tokens: list[Token]) -> tuple[str, float | int | str, int] | None:
    words = [token.text.upper() for token in tokens[-4:]]
    if len(words) >= 3 and words[-3] == "BUDGET" and words[-1] in ("CALLS", "CALL", "SECONDS", "SECOND"):
        name = "budget_calls" if words[-1].startswith("CALL") else "budget_s"
        number = _number(words[-2], f"BUDGET {words[-2]} {words[-1]}")
        return name, int(number) if name == "budget_calls" else number, 3
    if words[:2] == ["BUDGET", "-"]:
        raise UsageError(f"BUDGET -{' '.join(words[2:])} buys nothing: ask for more than 0")
    if len(words) > 2 and (words[-2],) in _CLAUSES and _is_number(words[-1]):
        raise UsageError(f"{words[-2]} {words[-1]}: it is a percentage: {words[-2]} {words[-1]}%")
    if not words or words[-1] != "%":
        return None
    if words[1:2] == ["-"] and (words[0],) in _CLAUSES:
        _share(f"-{words[2]}", f"{words[0]} -{words[2]} %")
    for keywords, name in _CLAUSES.items():
        length = len(keywords) + 2
        if tuple(words[-length:-2]) == keywords and len(words) >= length:
            return name, _share(words[-2], " ".join(words[-length:])), length
    return None


_NOT_BEFORE_PROXY = frozenset(
    ["SELECT", "BY", "WHERE", "HAVING", "ON", "AND", "OR", "NOT", "AS", "FROM", "JOIN", "CASE", "WHEN", "THEN", "ELSE"]
)
_NOT_IN_PROXY = frozenset(["FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "SELECT", "JOIN", "UNION", "QUALIFY"])


def _truth_clause(tokens: list[Token]) -> tuple[str, str, int] | None:
    """``TRUTH table`` or ``TRUTH schema.table`` at the end; a column or table called ``truth`` stays one."""
    for length in (2, 4):
        words = [token.text for token in tokens[-length:]]
        if len(tokens) > length and words[0].upper() == "TRUTH" and words[2:3] in ([], ["."]):
            name = "".join(words[1:])
            is_name = all(part.isidentifier() for part in name.split("."))
            return ("truth", name, length) if is_name and _may_precede(tokens[-length - 1].text) else None
    return None


def _may_precede(before: str) -> bool:
    """Whether a clause can follow this word; else what looks like one is a name."""
    return before.upper().split()[-1] not in _NOT_BEFORE_PROXY and (before[-1].isalnum() or before[-1] in "_)\"']*%")


def _proxy_clause(sql: str, tokens: list[Token]) -> tuple[str, str, int] | None:
    """``PROXY expression`` at the end; a column called ``proxy`` stays a column."""
    depth = 0
    for length, token in enumerate(reversed(tokens), 1):
        depth += (token.text in (")", "]")) - (token.text in ("(", "["))
        word = token.text.upper()
        if depth < 0 or (depth == 0 and word in _NOT_IN_PROXY):
            return None
        if depth == 0 and word == "PROXY" and 1 < length < len(tokens):
            is_clause = _may_precede(tokens[-length - 1].text)
            text = sql[tokens[-length + 1].start : tokens[-1].end + 1]
            return ("proxy", text, length) if is_clause and _is_expression(text) else None
    return None


def _is_expression(text: str) -> bool:
    from suffice.sql.statement import parse_one

    try:
        return len(parse_one(f"SELECT ({text})").expressions) == 1
    except UsageError:
        return False


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _number(text: str, clause: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{clause}: {text!r} is not a number") from None


def _share(text: str, clause: str) -> float:
    percent = _number(text, clause)
    if not 0 < percent < 100:
        raise UsageError(f"{clause}: a percentage between 0 and 100, both excluded, is needed")
    return percent / 100
