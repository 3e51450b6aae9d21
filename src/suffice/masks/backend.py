"""What a segmenter and a finder are to the rest of this room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from suffice.masks.found import Candidate
from suffice.masks.prompt import BoxXyxy, Prompt, ThingPrompt
from suffice.media.mask_rle import Mask
from suffice.models.protocol import Image


class Segmenter(Protocol):
    """Prompts to masks. Weights load at the first call."""

    name: str
    version: str
    """Changes whenever the same prompt could give another mask."""

    def encode(self, image: Image) -> Any:
        """The dear part, once a picture: whatever :meth:`segment` needs of it."""
        ...

    def segment(self, encoded: Any, things: Sequence[ThingPrompt]) -> list[tuple[Candidate, ...]]:
        """Up to three candidates for each of `things`, of the picture's size."""
        ...

    def everything(self, encoded: Any) -> list[Candidate]:
        """Masks of whatever there is, best first."""
        ...


@dataclass(frozen=True, eq=False)
class Found:
    """Something that fits a word.

    Attributes:
        box_xyxy: in pixels of the picture.
        score: how sure the finder is of the box.
        label: what the finder calls it.
        asked: the word that it was found for.
        mask: when the finder gives masks itself.
    """

    box_xyxy: BoxXyxy
    score: float
    label: str
    asked: str
    mask: Mask | None = None


class Finder(Protocol):
    """Words to boxes."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def find(self, image: Image, prompt: Prompt) -> list[Found]:
        """What fits any of ``prompt.texts``, best first, before suppression and choice."""
        ...
