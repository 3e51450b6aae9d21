"""The words pocket captions are made of, as a byte-pair vocabulary in CLIP's format.

Each known word is one token; an unknown word falls apart into known pieces, down to single letters.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

from suffice.diffusion.pocket.scene import BACKGROUNDS, COLOURS, KINDS, MOTIONS, SIZES, STILL

_GLUE = "a an on in at and of left right above below the top bottom middle row background digit ,"
_SPARE = "picture image photo drawing with two no blurry"  # words people type; no caption holds them
START, END = "<|startoftext|>", "<|endoftext|>"


def words() -> list[str]:
    """Return every whole-word token, sorted."""
    spoken = (*KINDS, *COLOURS, *BACKGROUNDS, *MOTIONS, *SIZES, STILL, _GLUE, _SPARE)
    return sorted({word for phrase in spoken for word in phrase.split()})


def _letters() -> list[str]:
    """Return the 256 printable stand-ins for bytes, as GPT-2 and CLIP number them."""
    kept = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in kept] + [chr(256 + n) for n in range(256 - len(kept))]


def _merge(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def merges() -> list[tuple[str, str]]:
    """Return byte-pair merges, commonest pair first, until every word of `words()` is one piece."""
    split = [[*word[:-1], word[-1] + "</w>"] for word in words()]
    found: list[tuple[str, str]] = []
    while pairs := Counter(pair for pieces in split for pair in pairwise(pieces)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        found.append(best)
        split = [_merge(pieces, best) for pieces in split]
    return found


def tokens() -> list[str]:
    """Return every token in the order of its number."""
    letters = _letters()
    joined = list(dict.fromkeys(a + b for a, b in merges()))
    return [*letters, *(letter + "</w>" for letter in letters), *joined, START, END]


def write_tokenizer(folder: Path) -> None:
    """Write `vocab.json`, `merges.txt` and the two configs that CLIPTokenizer loads."""
    folder.mkdir(parents=True, exist_ok=True)
    vocab = {token: number for number, token in enumerate(tokens())}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges())]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1) + "\n")
