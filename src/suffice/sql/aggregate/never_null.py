"""Tests for NULL that columns without NULLs make pointless: AVG(x) then counts the rows that COUNT(*) counts."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from suffice.sql.aggregate.piece import Piece

_STRICT = (exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren)
"""NULL only where an operand is."""


def without_null_tests(piece: Piece, is_never_null: Callable[[exp.Column], bool]) -> Piece:
    """A count of rows without the conditions that always hold; other pieces as they are."""
    if piece.value is not None or piece.condition is None:
        return piece
    terms = list(piece.condition.flatten()) if isinstance(piece.condition, exp.And) else [piece.condition]
    kept = [term for term in terms if not _always_holds(term, is_never_null)]
    return Piece(None, exp.and_(*kept) if kept else None)


def may_be_null(piece: Piece, is_never_null: Callable[[exp.Column], bool]) -> bool:
    """Whether SUM of a piece may be NULL in a group that has rows."""
    return piece.value is not None and (piece.condition is not None or not _is_value(piece.value, is_never_null))


def _is_value(node: exp.Expr | None, is_never_null: Callable[[exp.Column], bool]) -> bool:
    def of(*nodes: exp.Expr | None) -> bool:
        return all(_is_value(one, is_never_null) for one in nodes)

    match node:
        case exp.Column():
            return is_never_null(node)
        case exp.Literal():
            return True
        case exp.Neg() | exp.Paren() | exp.Abs():
            return of(node.this)
        case exp.Add() | exp.Sub() | exp.Mul():
            return of(node.this, node.expression)
        case exp.Coalesce():
            return any(map(of, [node.this, *node.expressions]))
        case exp.Case():
            return of(node.args.get("default"), *(branch.args["true"] for branch in node.args["ifs"]))
    return type(node) is exp.Cast and of(node.this)


def _always_holds(term: exp.Expr, is_never_null: Callable[[exp.Column], bool]) -> bool:
    test = term.this if isinstance(term, exp.Not) else None
    if not (isinstance(test, exp.Is) and isinstance(test.expression, exp.Null)):
        return False
    nodes = list(test.this.walk())
    plain = all(isinstance(n, (*_STRICT, exp.Column, exp.Identifier, exp.Literal)) for n in nodes)
    return plain and all(is_never_null(node) for node in nodes if isinstance(node, exp.Column))
