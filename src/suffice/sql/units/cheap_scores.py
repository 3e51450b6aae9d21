"""Which cheap scores a statement suggests: what ``PROXY auto`` tries and EXPLAIN offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

COLUMNS_MAX, WORDS_MAX = 12, 3


def cheap_scores(tree: exp.Expr, columns: Sequence[str], numbers: Sequence[str], models: Sequence[str]) -> list[str]:
    """SQL of scores of a unit, those that cost nothing first.

    Args:
        tree: the statement, whose words say what is looked for.
        columns: of the units; `numbers` those of them that are numbers.
        models: names that can be called.
    """
    scores = [f'"{name}"' for name in numbers[:COLUMNS_MAX]]
    if "image" in columns:
        if "similarity" in models:
            scores += [f"similarity(image, {_quoted(word)})" for word in words_in(tree)]
        scores += ["nearest(embed(image))"] if "embed" in models else []
    sides = [name for name in columns if name.endswith("__image")]
    if len(sides) == 2 and "embed" in models:  # pairs of pictures
        scores += ["array_cosine_similarity({})".format(", ".join(f'embed("{side}")' for side in sides))]
    if "text" in columns and "embed_text" in models:
        scores += ["nearest(embed_text(text))"]
    return scores


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
