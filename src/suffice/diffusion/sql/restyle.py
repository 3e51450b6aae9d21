"""``restyle(image, text)``: the picture drawn again after `text`."""

from __future__ import annotations

from typing import Any

from suffice.diffusion.sql.painted import NUMBERS, options_of, painter, version_of
from suffice.models.batch_model import BatchModel
from suffice.models.options import Option
from suffice.models.protocol import IMAGE, Column, Model, Signature


def restyle(**options: Any) -> Model:
    """The path of a PNG of the checkpoint's size that starts from the picture and goes towards `text`.

    Options: as :func:`~suffice.diffusion.sql.inpaint.inpaint`, and `strength`, 0 (nothing changes) to 1 (only the text
    counts). Needs the extra ``torch``.
    """
    from suffice.diffusion.settings import Settings

    known = options_of("restyle", {**NUMBERS, "strength": Option(0.6, 0, 1)}, options)
    made = Settings(
        model=known["checkpoint"],
        frames=1,
        seed=known["seed"],
        steps=known["steps"],
        guidance=known["guidance"],
        strength=known["strength"],
    )

    def settings(text: str) -> Settings:
        from dataclasses import replace

        return replace(made, timeline=text)

    signature = Signature(
        name="restyle",
        version=version_of(known["checkpoint"]),
        inputs=(Column("image", IMAGE), Column("text", "VARCHAR")),
        outputs=(Column("path", "VARCHAR"),),
        returns="scalar",
        options=known,
        batch_size=1,
        cost_s=5.0,
    )
    return BatchModel(signature, lambda image, text: (image, text), painter(settings, known["folder"]))
