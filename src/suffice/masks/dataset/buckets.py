"""Aspect buckets: the few sizes that a trainer batches by."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from suffice.media.reference import Box
from suffice.models.protocol import Image

STEP_PX = 64
ASPECT_MAX = 2.0


class Bucket(NamedTuple):
    """A size in pixels."""

    width: int
    height: int


@lru_cache(maxsize=64)
def buckets(base_px: int, step_px: int = STEP_PX, aspect_max: float = ASPECT_MAX) -> tuple[Bucket, ...]:
    """All sizes in multiples of `step_px` with at most ``base_px²`` pixels, each as high as its width allows, and with
    sides of at most ``1 : aspect_max``; narrow to wide."""
    sizes = []
    for width in range(step_px, int(base_px * aspect_max) + 1, step_px):
        height = base_px * base_px // width // step_px * step_px
        if height and max(width / height, height / width) <= aspect_max:
            sizes.append(Bucket(width, height))
    return tuple(sizes)


def bucket_for(width: int, height: int, base_px: int) -> Bucket:
    """The bucket whose shape is nearest that of ``width x height`` (in ratio), the first of equals."""
    ratio = width / height
    return min(
        buckets(base_px), key=lambda each: max(ratio / (each.width / each.height), each.width / each.height / ratio)
    )


def fill(image: Image, bucket: Bucket, around: Box | None = None) -> tuple[Image, Box]:
    """`image` cut to the shape of `bucket`, as much of it as goes, and resized to it; and where it was cut.

    Args:
        around: keep the cut's middle as near to this box's as the picture allows.
    """
    import PIL.Image

    height, width = image.shape[:2]
    scale = min(width / bucket.width, height / bucket.height)
    cut_wh = (min(round(bucket.width * scale), width), min(round(bucket.height * scale), height))
    middle = ((around.x0 + around.x1) / 2, (around.y0 + around.y1) / 2) if around else (width / 2, height / 2)
    x0 = min(max(round(middle[0] - cut_wh[0] / 2), 0), width - cut_wh[0])
    y0 = min(max(round(middle[1] - cut_wh[1] / 2), 0), height - cut_wh[1])
    box = Box(x0, y0, x0 + cut_wh[0], y0 + cut_wh[1])
    return _resized(PIL.Image.fromarray(image), bucket, box), box


def _resized(picture: object, bucket: Bucket, box: Box) -> Image:
    import numpy as np
    import PIL.Image

    assert isinstance(picture, PIL.Image.Image)
    return np.asarray(picture.resize(bucket, PIL.Image.Resampling.LANCZOS, box=box))
