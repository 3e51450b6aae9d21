"""Weights in prompts: ``(red:1.3)``, ``(red)`` for 1.1, ``[red]`` for 1/1.1; a backslash makes a bracket plain."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(r"\\[()\[\]\\]|:\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*\)|[()\[\]]|[^\\()\[\]:]+|.", re.DOTALL)
_STEP = 1.1


class Weighted(NamedTuple):
    """A piece of a prompt and how much it counts, 1 being plain."""

    text: str
    weight: float


def split_weights(prompt: str) -> list[Weighted]:
    """`prompt` in pieces of one weight each; brackets nest, and those that never close count up to the end."""
    pieces: list[Weighted] = []
    open_at: list[tuple[str, int]] = []
    for token in _TOKEN.findall(prompt):
        if token in ("(", "["):
            open_at.append((token, len(pieces)))
        elif token.endswith(")") and token[0] == ":" and open_at and open_at[-1][0] == "(":
            _scale(pieces, open_at.pop()[1], float(token[1:-1]))
        elif token == ")" and open_at and open_at[-1][0] == "(":
            _scale(pieces, open_at.pop()[1], _STEP)
        elif token == "]" and open_at and open_at[-1][0] == "[":
            _scale(pieces, open_at.pop()[1], 1 / _STEP)
        else:
            pieces.append(Weighted(token[1] if len(token) == 2 and token[0] == "\\" else token, 1.0))
    for bracket, start in reversed(open_at):
        _scale(pieces, start, _STEP if bracket == "(" else 1 / _STEP)
    return _joined(pieces)


def _scale(pieces: list[Weighted], start: int, factor: float) -> None:
    pieces[start:] = [Weighted(piece.text, piece.weight * factor) for piece in pieces[start:]]


def _joined(pieces: list[Weighted]) -> list[Weighted]:
    joined: list[Weighted] = []
    for piece in pieces:
        if joined and joined[-1].weight == piece.weight:
            joined[-1] = Weighted(joined[-1].text + piece.text, piece.weight)
        else:
            joined.append(piece)
    return joined or [Weighted("", 1.0)]
