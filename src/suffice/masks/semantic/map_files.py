"""Maps of many pictures as files: one bad picture does not stop the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from suffice.errors import SufficeError, UsageError
from suffice.masks.backend import Segmenter
from suffice.masks.picture_files import save_mask, save_picture
from suffice.masks.semantic.palette import coloured
from suffice.masks.semantic.semantic_map import SemanticMap, enhanced
from suffice.media.image import decode_image
from suffice.media.scan import FoundFile, relative_places
from suffice.models.protocol import Image


class Mapper(Protocol):
    """Gives every pixel a class."""

    def map_of(self, image: Image) -> SemanticMap: ...


@dataclass(frozen=True)
class MapWish:
    """What to make of each map.

    Attributes:
        include, exclude: classes of a mask to write as well, by name or id; no `include`, no mask.
        segmenter: its masks make the map sharper.
        majority_min: least share of a mask for its class to count.
    """

    include: str | None = None
    exclude: str = ""
    segmenter: Segmenter | None = None
    majority_min: float = 0.0


def map_pictures(files: Sequence[FoundFile], maker: Mapper, wish: MapWish, out: Path) -> Iterator[dict[str, Any]]:
    """``{"file", "areas", "files"}`` a picture, or ``{"file", "problem"}``.

    Raises:
        UsageError: a class is named that the network does not have: no picture could be done.
    """
    for file, place in zip(files, relative_places(files), strict=True):
        try:
            yield _one(file, out / place, maker, wish)
        except UsageError:
            raise
        except (SufficeError, OSError) as error:
            yield {"file": file.path, "problem": str(error)}


def _one(file: FoundFile, place: Path, maker: Mapper, wish: MapWish) -> dict[str, Any]:
    image = decode_image(file.path)
    found = maker.map_of(image)
    if wish.segmenter is not None:
        masks = [each.mask for each in wish.segmenter.everything(wish.segmenter.encode(image))]
        found = enhanced(found, masks, wish.majority_min)
    place.parent.mkdir(parents=True, exist_ok=True)
    stem = place.name.replace(".", "_")
    written = {"map": save_picture(place.with_name(f"{stem}_map.png"), coloured(found))}
    if wish.include is not None:
        mask = found.category(wish.include, wish.exclude)
        written["mask"] = save_mask(place.with_name(f"{stem}_mask.png"), mask)
    return {"file": file.path, "areas": found.areas(), "files": written}
