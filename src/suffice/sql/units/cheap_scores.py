"""Which cheap scores a statement suggests: what ``PROXY auto`` tries and EXPLAIN offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from suffice.models.protocol import IMAGE, Signature

if TYPE_CHECKING:
    from sqlglot import exp

COLUMNS_MAX, WORDS_MAX = 12, 3

FRAMES_BEFORE = 5
"""How far back the frame lies that one is held against: far enough for what walks to have moved."""


def cheap_scores(
    tree: exp.Expr, columns: Sequence[str], numbers: Sequence[str], models: Sequence[str], rough: Sequence[str] = ()
) -> list[str]:
    """SQL of scores of a unit, those that cost nothing first.

    Args:
        tree: the statement, whose words say what is looked for.
        columns: of the units; `numbers` those of them that are numbers.
        models: names that can be called.
        rough: what the statement's own models say at less cost (:func:`rough_count`).
    """
    scores = [f'"{name}"' for name in numbers[:COLUMNS_MAX]]
    if "image" in columns:
        if "frame_index" in columns and "difference" in models:
            scores += [_DIFFERENCE]
        scores += rough
        if "similarity" in models:
            scores += [f"similarity(image, {_quoted(word)})" for word in words_in(tree)]
        scores += ["nearest(embed(image))"] if "embed" in models else []
    sides = [name for name in columns if name.endswith("__image")]
    if len(sides) == 2 and "embed" in models:  # pairs of pictures
        scores += ["array_cosine_similarity({})".format(", ".join(f'embed("{side}")' for side in sides))]
    if "text" in columns and "embed_text" in models:
        scores += ["nearest(embed_text(text))"]
    return scores


_DIFFERENCE = (
    f"difference(image, regexp_replace(image, '[0-9]+$', greatest(frame_index - {FRAMES_BEFORE}, 0)::VARCHAR))"
)


def rough_count(tree: exp.Expr, name: str, signature: Signature) -> str:
    """Rows that a model which looks at the unit's picture gives with its rough options; empty when it has none."""
    from sqlglot import exp

    if not signature.rough or [column.type for column in signature.inputs] != [IMAGE]:
        return ""
    options = ", ".join(f"{option} => {value}" for option, value in signature.rough.items())
    known = {column.name for column in signature.outputs}
    tests = [
        test.copy()
        for test in tree.find_all(exp.EQ, exp.In)
        if isinstance(test.this, exp.Column) and test.this.name in known
        if all(isinstance(value, exp.Literal) for value in test.expressions or [test.args.get("expression")])
    ]
    for column in (column for test in tests for column in test.find_all(exp.Column)):
        column.set("table", None)
    conditions = list(dict.fromkeys(test.sql("duckdb") for test in tests))
    where = f" WHERE {' OR '.join(conditions)}" if conditions else ""
    return f"(SELECT count(*) FROM {name}(image, {options}){where})"


def words_in(tree: exp.Expr) -> list[str]:
    """What columns are compared with: ``label = 'person'`` is about a person."""
    from sqlglot import exp

    found = [
        side.name
        for comparison in tree.find_all(exp.EQ)
        for side in (comparison.left, comparison.right)
        if isinstance(side, exp.Literal) and side.is_string
    ]
    found += [one.name for many in tree.find_all(exp.In) for one in many.expressions if isinstance(one, exp.Literal)]
    return list(dict.fromkeys(word for word in found if any(letter.isalpha() for letter in word)))[:WORDS_MAX]


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"
