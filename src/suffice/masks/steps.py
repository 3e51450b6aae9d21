"""What is done to a mask after it was found, step by step, in the order given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from suffice.errors import UsageError, nearest
from suffice.media.mask_dilate import dilate, erode
from suffice.media.mask_rle import Mask
from suffice.media.mask_tidy import drop_islands, fill_holes, largest_island


@dataclass(frozen=True)
class Step:
    """An operation by name with its one number, None for the operation's default."""

    name: str
    amount: float | None = None


def _fill(mask: Mask, amount: float | None) -> Mask:
    return fill_holes(mask, None if amount is None else int(amount))


STEPS: dict[str, tuple[Callable[[Mask, float | None], Mask], bool]] = {
    "grow": (lambda mask, px: dilate(mask, px or 0), True),
    "shrink": (lambda mask, px: erode(mask, px or 0), True),
    "fill-holes": (_fill, False),
    "drop-islands": (lambda mask, area: drop_islands(mask, int(area or 0)), True),
    "largest": (lambda mask, _: largest_island(mask), False),
    "invert": (lambda mask, _: ~mask, False),
}
"""Name to what it does, and whether it needs its number."""


def parse_step(text: str) -> Step:
    """``grow=4``, ``shrink=2.5``, ``fill-holes``, ``fill-holes=100``, ``drop-islands=50``, ``largest``, ``invert``.

    Raises:
        UsageError: no such step, or its number is missing, negative or no number.
    """
    name, given, amount = text.partition("=")
    if name not in STEPS:
        hint = nearest(name, STEPS) or f"; there are {', '.join(STEPS)}"
        raise UsageError(f"there is no step {name!r}{hint}")
    if not given:
        if STEPS[name][1]:
            raise UsageError(f"the step {name} needs a number: {name}=4")
        return Step(name)
    try:
        number = float(amount)
    except ValueError:
        raise UsageError(f"the step {text!r}: {amount!r} is not a number") from None
    if not number >= 0:
        raise UsageError(f"the step {text!r}: the number is 0 or more")
    return Step(name, number)


def take_steps(mask: Mask, steps: Sequence[Step]) -> Mask:
    """`mask` after all `steps`, first to last: growing and then inverting is not inverting and then growing."""
    for step in steps:
        mask = STEPS[step.name][0](mask, step.amount)
    return mask
