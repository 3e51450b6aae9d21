"""Inputs cut into stretches that lie together in their files, so that each worker decodes its part once."""

from __future__ import annotations

from collections.abc import Sequence

from suffice.errors import MediaError
from suffice.media.load import Located
from suffice.media.reference import parse_reference
from suffice.models.protocol import IMAGE, Signature
from suffice.models.run import Arguments, Locate

STRETCHES_A_WORKER = 4
"""So many at least, so that nobody waits long for the slowest."""
INPUTS_MAX = 128


def stretches(signature: Signature, inputs: Sequence[Arguments], workers: int) -> list[list[int]]:
    """Positions of `inputs`, by file and place in it, in stretches of whole batches."""
    order = sorted(range(len(inputs)), key=lambda position: _place(signature, inputs[position]))
    batches = -(-len(inputs) // (workers * STRETCHES_A_WORKER * signature.batch_size))
    size = max(1, min(batches * signature.batch_size, INPUTS_MAX))
    return [order[start : start + size] for start in range(0, len(order), size)]


def files_of(signature: Signature, inputs: Sequence[Arguments], locate: Locate) -> dict[str, Located | MediaError]:
    """Where the files of all pictures among `inputs` are."""
    found: dict[str, Located | MediaError] = {}
    for arguments in inputs:
        for file_hash, _ in _pictures(signature, arguments):
            if file_hash not in found:
                try:
                    found[file_hash] = locate(file_hash)
                except MediaError as error:
                    found[file_hash] = error
    return found


def _place(signature: Signature, arguments: Arguments) -> tuple[str, int]:
    return next(iter(_pictures(signature, arguments)), ("", 0))


def _pictures(signature: Signature, arguments: Arguments) -> list[tuple[str, int]]:
    """File and place of every picture of an input; what is no reference fails where it is loaded."""
    found = []
    for column, value in zip(signature.inputs, arguments, strict=True):
        if column.type == IMAGE:
            try:
                reference = parse_reference(value)
            except MediaError:
                continue
            found.append((reference.file_hash, reference.index))
    return found
