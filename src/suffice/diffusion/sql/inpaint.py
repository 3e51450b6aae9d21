"""``inpaint(image, mask, text)``: a picture with the masked part painted anew."""

from __future__ import annotations

from typing import Any

from suffice.diffusion.sql.painted import NUMBERS, options_of, painter, version_of
from suffice.models.batch_model import BatchModel
from suffice.models.protocol import IMAGE, Column, Model, Signature


def inpaint(**options: Any) -> Model:
    """The path of a PNG in which what `mask` covers shows `text`; every other pixel is the picture's own.

    The mask is run lengths as JSON text, as ``segment(image, 'person')`` gives. Options: `checkpoint` (``pocket``, a
    folder, a hub id), `seed`, `steps`, `guidance`, and `folder`, where pictures are put. Needs the extra ``torch``.
    """
    from suffice.diffusion.settings import Settings

    known = options_of("inpaint", NUMBERS, options)
    made = Settings(
        model=known["checkpoint"],
        frames=1,
        seed=known["seed"],
        steps=known["steps"],
        guidance=known["guidance"],
        only_masked=True,
    )

    def settings(mask: str, text: str) -> Settings:
        from dataclasses import replace

        return replace(made, mask=mask, timeline=text)

    signature = Signature(
        name="inpaint",
        version=version_of(known["checkpoint"]),
        inputs=(Column("image", IMAGE), Column("mask", "VARCHAR"), Column("text", "VARCHAR")),
        outputs=(Column("path", "VARCHAR"),),
        returns="scalar",
        options=known,
        batch_size=1,
        cost_s=5.0,
    )
    return BatchModel(signature, lambda image, mask, text: (image, mask, text), painter(settings, known["folder"]))
