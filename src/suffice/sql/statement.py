"""The statements that are ours: CREATE MODEL, DROP MODEL, SHOW MODELS, EXPLAIN. Everything else is DuckDB's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError
from suffice.sql.target import EXPLAIN

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True)
class CreateModel:
    """``CREATE [OR REPLACE] MODEL name USING 'runner:locator' [(option => value, …)]``"""

    name: str
    locator: str
    options: Mapping[str, Any]
    replace: bool


@dataclass(frozen=True)
class DropModel:
    """``DROP MODEL [IF EXISTS] name``"""

    name: str
    if_exists: bool


@dataclass(frozen=True)
class Explain:
    """``EXPLAIN [ANALYZE] statement``"""

    sql: str
    analyze: bool


@dataclass(frozen=True)
class Query:
    """Any other statement, parsed; `tree` is None when only DuckDB can read it."""

    sql: str
    tree: exp.Expr | None


def parse(
    sql: str, ours: Collection[str] = (), tokens: list[Any] | None = None
) -> CreateModel | DropModel | Explain | Query:
    """Parse one statement.

    DuckDB's syntax grows faster than any other reader of it: what cannot be read here and has none of `ours` (names
    of models, media functions and their views) in it goes to DuckDB as it is. `tokens` are those of `sql`, if known.

    Raises:
        UsageError: the statement has one of `ours` in it and cannot be read; the message has the place.
    """
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.errors import TokenError

    try:
        tokens = DuckDB().tokenize(sql) if tokens is None else tokens
    except TokenError as error:
        raise UsageError(f"cannot read the statement: {error}") from None
    words = [token.text.upper() for token in tokens[:5]]
    if "MODEL" in words[1:4] and words[0] in ("CREATE", "DROP"):
        return _create_model(sql, words) if words[0] == "CREATE" else _drop_model(sql, words, tokens)
    if explained := EXPLAIN.match(sql):
        return Explain(sql[explained.end() :], explained.group(1) is not None)
    try:
        return Query(sql, _one_tree(sql, tokens))
    except UsageError:
        if any(token.text.lower() in ours for token in tokens):
            raise
        return Query(sql, None)


def parse_one(sql: str) -> exp.Expr:
    """The syntax tree of one DuckDB statement."""
    from sqlglot.dialects.duckdb import DuckDB

    return _one_tree(sql, DuckDB().tokenize(sql))


def _one_tree(sql: str, tokens: list[Any]) -> exp.Expr:
    import logging

    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.errors import ParseError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        trees = DuckDB().parser().parse(tokens, sql)
    except ParseError as error:
        where = error.errors[0]
        raise UsageError(
            f"line {where['line']}, column {where['col']}: {where['description']} near {where['highlight']!r}"
        ) from None
    if len(trees) != 1 or trees[0] is None:
        raise UsageError(f"one statement at a time: this has {len([t for t in trees if t])}")
    return trees[0]


_CREATE_FORM = "CREATE [OR REPLACE] MODEL name USING 'runner:locator' [(option => value, …)]"


def _create_model(sql: str, words: list[str]) -> CreateModel:
    from sqlglot import exp

    start = sql.upper().index("MODEL") + len("MODEL")
    name, _, rest = sql[start:].strip().partition(" ")
    using, _, rest = rest.strip().partition(" ")
    if using.upper() != "USING" or not name.isidentifier():
        raise UsageError(f"expected {_CREATE_FORM}")
    # The rest reads as a call: 'locator'(options) -> model('locator', options).
    text = rest.strip().rstrip(";").strip()
    locator_end = _string_end(text)
    options_text = text[locator_end:].strip()
    if options_text and not (options_text.startswith("(") and options_text.endswith(")")):
        raise UsageError(f"expected {_CREATE_FORM}, found {options_text[:40]!r} after the locator")
    inside = options_text[1:-1]
    call = parse_one(f"SELECT model({text[:locator_end]}{', ' + inside if inside.strip() else ''})").find(exp.Anonymous)
    assert call is not None
    locator, *arguments = call.expressions
    return CreateModel(
        name, str(constant(locator)), named_options(f"CREATE MODEL {name}", arguments), "REPLACE" in words
    )


def _string_end(text: str) -> int:
    if not text.startswith("'"):
        raise UsageError(f"expected {_CREATE_FORM}")
    position = 1
    while position < len(text):
        if text[position] == "'":
            if text[position + 1 : position + 2] != "'":
                return position + 1
            position += 1
        position += 1
    raise UsageError("the locator's string is not closed")


def _drop_model(sql: str, words: list[str], tokens: list[Any]) -> DropModel:
    names = [token.text for token in tokens[2:] if token.text.upper() not in ("IF", "EXISTS", ";")]
    if words[1] != "MODEL" or len(names) != 1:
        raise UsageError("expected DROP MODEL [IF EXISTS] name")
    return DropModel(names[0], "EXISTS" in words)


def named_options(where: str, arguments: list[exp.Expr]) -> dict[str, Any]:
    """``name => value`` arguments as a dictionary of constants."""
    from sqlglot import exp

    options = {}
    for argument in arguments:
        if not isinstance(argument, exp.Kwarg | exp.PropertyEQ):
            raise UsageError(f"{where}: options are written name => value, found {argument.sql('duckdb')}")
        options[argument.this.name.lower()] = constant(argument.expression)
    return options


def constant(node: exp.Expr) -> Any:
    """The Python value of a literal, a negative number, a list or NULL; UsageError for anything that needs a row."""
    from sqlglot import exp

    match node:
        case exp.Literal():
            return node.this if node.is_string else (int(node.this) if node.this.isdigit() else float(node.this))
        case exp.Boolean():
            return bool(node.this)
        case exp.Null():
            return None
        case exp.Neg():
            return -constant(node.this)
        case exp.Paren():
            return constant(node.this)
        case exp.Array() | exp.Tuple():
            return [constant(one) for one in node.expressions]
        case exp.Struct():
            return {one.this.name: constant(one.expression) for one in node.expressions}
    raise UsageError(f"{node.sql('duckdb')}: a constant is needed here")
