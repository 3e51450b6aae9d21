"""Which statements a role may ask."""

from __future__ import annotations

from suffice.serve.problems import HttpError
from suffice.serve.settings import Role
from suffice.sql.statement import Explain, Query, parse
from suffice.sql.target import split_target

FORBIDDEN = ("postgres_execute", "postgres_query", "mysql_query", "sqlite_query", "nextval", "checkpoint")
"""Functions that do more than read, or reach beyond what DuckDB confines."""


def check_statement(sql: str, role: Role) -> None:
    """Raises :class:`HttpError` 403 when `sql` is more than a question and the caller is no admin.

    Where files may be read is not decided here: the roots hold for everybody, DuckDB itself refuses others.
    """
    if role >= Role.ADMIN:
        return
    text, _ = split_target(sql)
    statement = parse(text)
    if isinstance(statement, Explain):
        statement = parse(statement.sql)
    if not isinstance(statement, Query) or not _only_reads(statement):
        raise HttpError(403, "only questions (SELECT, EXPLAIN) may be asked with this token; the rest needs an admin's")


def _only_reads(statement: Query) -> bool:
    from sqlglot import exp

    tree = statement.tree
    if tree is None or not isinstance(tree, exp.Query | exp.Values):
        return False
    if any(
        isinstance(node, exp.DML | exp.DDL | exp.Command) and not isinstance(node, exp.Query) for node in tree.walk()
    ):
        return False
    names = {node.name.lower() for node in tree.find_all(exp.Anonymous)}
    return not any(name.startswith(FORBIDDEN) or name.removeprefix("force_") in FORBIDDEN for name in names)
