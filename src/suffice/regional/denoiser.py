"""One network of the UNet family that predicts noise for whole latents or for some of their tiles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.regional.frame import Alone, Cache, Exchange, Frame, Stage
from suffice.regional.install import UnsupportedLayerError, installed

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.tiles import TileGrid


@dataclass
class Condition:
    """What the network is told besides the latent: text states ``[b, words, d]`` and, for SDXL, pooled text and sizes.

    With classifier-free guidance ``b`` is twice the pictures: first without, then with the prompt.
    """

    text: Tensor
    added: dict[str, Tensor] | None = None

    @property
    def batch(self) -> int:
        return int(self.text.shape[0])


@dataclass(frozen=True)
class Control:
    """A ControlNetModel, its picture ``[1, 3, H, W]`` from 0 to 1, and how much it counts. Its layers rest as the
    UNet's do."""

    network: Any
    picture: Tensor
    strength: float = 1.0

    def told(self, sample: Tensor, time: Any, condition: Condition) -> tuple[list[Tensor], Tensor]:
        """What to add to the UNet's down blocks and middle."""
        down, middle = self.network(
            sample,
            time,
            condition.text,
            controlnet_cond=self.picture.expand(condition.batch, -1, -1, -1),
            conditioning_scale=self.strength,
            added_cond_kwargs=condition.added,
            return_dict=False,
        )
        return down, middle


@dataclass
class Denoiser:
    """A UNet with the operators installed; :func:`opened` makes one."""

    unet: Any
    stage: Stage
    control: Control | None = None

    def dense(
        self, latents: Tensor, time: Any, condition: Condition, grid: TileGrid, cache: Cache, recorder: Any = None
    ) -> Tensor:
        """Noise ``[b, c, h, w]`` for whole latents ``[b, c, h, w]``; leaves `cache` as of this step."""
        frame = Frame(grid, condition.batch, cache, recorder=recorder)
        return self._run(frame, latents, time, condition)

    def sparse(
        self,
        latents: Tensor,
        time: Any,
        condition: Condition,
        grid: TileGrid,
        cache: Cache,
        active: Tensor,
        exchange: Exchange | None = None,
        fresh: bool = False,
    ) -> Tensor:
        """Noise ``[b, active, c, t, t]`` for the tiles `active` of `latents` ``[b, c, h, w]`` alone.

        `cache` stands for the other tiles, and takes in these; with `fresh` it may be empty.
        """
        frame = Frame(grid, condition.batch, cache, active, latents, fresh, exchange or Alone())
        tiles = grid.cut(latents)[:, active].flatten(0, 1)
        noise = self._run(frame, tiles, time, condition)
        return noise.reshape(condition.batch, len(active), *noise.shape[1:])

    def _run(self, frame: Frame, sample: Tensor, time: Any, condition: Condition) -> Tensor:
        import torch

        self.stage.frame = frame
        try:
            with torch.no_grad():
                down, middle = (None, None) if self.control is None else self.control.told(sample, time, condition)
                return self.unet(
                    sample,
                    time,
                    condition.text,
                    added_cond_kwargs=condition.added,
                    down_block_additional_residuals=down,
                    mid_block_additional_residual=middle,
                    return_dict=False,
                )[0]
        finally:
            self.stage.frame = None


@contextmanager
def opened_or_plain(unet: Any, control: Control | None, skips: bool) -> Iterator[Denoiser]:
    """As :func:`opened`; where nothing is to rest, a network with a layer that cannot is run as it is."""
    with ExitStack() as stack:
        try:
            denoiser = stack.enter_context(opened(unet, control))
        except UnsupportedLayerError:
            if skips:
                raise
            denoiser = Denoiser(unet, Stage(), control)
        yield denoiser


@contextmanager
def opened(unet: Any, control: Control | None = None) -> Iterator[Denoiser]:
    """Within the block `unet`, and the network of `control`, may be run on tiles; afterwards they are as they were."""
    with ExitStack() as stack:
        stage = stack.enter_context(installed(unet))
        if control is not None:
            stack.enter_context(installed(control.network, "control.", stage))
        yield Denoiser(unet, stage, control)
