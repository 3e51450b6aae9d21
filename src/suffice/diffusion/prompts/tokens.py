"""Token ids in chunks that a text encoder takes, each with begin and end marks, and a weight a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from suffice.diffusion.prompts.weights import split_weights


@dataclass(frozen=True)
class Tokens:
    """Ids without marks and their weights, as long as each other."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]

    def chunks(self, length: int) -> int:
        """How many chunks of `length` ids they take, at least one."""
        return max(1, -(-len(self.ids) // length))


def tokenize(tokenizer: Any, prompt: str) -> Tokens:
    """`prompt` as ids, never cut off. Without brackets it is tokenised as a whole, exactly as the tokenizer does."""
    ids: list[int] = []
    weights: list[float] = []
    for text, weight in split_weights(prompt):
        piece = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        ids += piece
        weights += [weight] * len(piece)
    return Tokens(tuple(ids), tuple(weights))


def in_chunks(tokenizer: Any, tokens: Tokens, chunks: int) -> tuple[list[list[int]], list[list[float]]]:
    """`chunks` lists of ids of the tokenizer's length, begin and end marks and padding included, and their weights."""
    total = tokenizer.model_max_length
    room = total - 2
    ids, weights = [], []
    for start in range(0, chunks * room, room):
        some, some_weights = list(tokens.ids[start : start + room]), list(tokens.weights[start : start + room])
        padding = room - len(some)
        ids.append([tokenizer.bos_token_id, *some, tokenizer.eos_token_id, *[tokenizer.pad_token_id] * padding])
        weights.append([1.0, *some_weights, 1.0, *[1.0] * padding])
    return ids, weights
