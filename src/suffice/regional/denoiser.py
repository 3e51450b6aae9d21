"""One network of the UNet family that predicts noise for whole latents or for some of their tiles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from suffice.regional.frame import Alone, Cache, Exchange, Frame, Stage
from suffice.regional.install import UnsupportedLayerError, installed, installed_motion

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.diffusion.motion.inject import Frames
    from suffice.diffusion.motion.load import Motion
    from suffice.regional.tiles import TileGrid


class Networks(NamedTuple):
    """A UNet and what may stand beside it: a ControlNetModel, a motion module."""

    unet: Any
    control: Any = None
    motion: Motion | None = None


@dataclass
class Condition:
    """What the networks are told besides the latent: text ``[b, words, d]`` and, for SDXL, pooled text and sizes.

    With classifier-free guidance ``b`` is twice the pictures: first without, then with the prompt. hint: a ControlNet's
    picture ``[1, 3, H, W]`` from 0 to 1; strength: how much it counts. frames: so many pictures in a row are a clip.
    """

    text: Tensor
    added: dict[str, Tensor] | None = None
    hint: Tensor | None = None
    strength: float = 1.0
    frames: int = 1

    @property
    def batch(self) -> int:
        return int(self.text.shape[0])


@dataclass
class Denoiser:
    """Networks with the operators installed; :func:`opened` makes one. `clip`: how many frames motion modules see."""

    networks: Networks
    stage: Stage
    clip: Frames

    @property
    def unet(self) -> Any:
        return self.networks.unet

    def layer_names(self) -> list[str]:
        """Names of all layers, as caches know them, in one order for all who hold the same networks."""
        return sorted(PREFIXES[kind] + name for kind, one in _modules(self.networks) for name, _ in one.named_modules())

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

        self.stage.frame, self.clip.count = frame, condition.frames
        try:
            with torch.no_grad():
                down, middle = self._hints(sample, time, condition)
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

    def _hints(self, sample: Tensor, time: Any, condition: Condition) -> tuple[list[Tensor] | None, Tensor | None]:
        """What a ControlNet adds to the UNet's down blocks and middle; its layers rest as the UNet's do."""
        if condition.hint is None:
            return None, None
        down, middle = self.networks.control(
            sample,
            time,
            condition.text,
            controlnet_cond=condition.hint.expand(condition.batch, -1, -1, -1),
            conditioning_scale=condition.strength,
            added_cond_kwargs=condition.added,
            return_dict=False,
        )
        return down, middle


PREFIXES = {"unet": "", "control": "control.", "motion": "motion."}


def _modules(networks: Networks) -> list[tuple[str, Any]]:
    """The modules there are, by kind."""
    found = {"unet": networks.unet, "control": networks.control}
    if networks.motion is not None:
        found["motion"] = networks.motion.adapter
    return [(kind, one) for kind, one in found.items() if one is not None]


@contextmanager
def opened(unet: Any, control: Any = None, motion: Motion | None = None, skips: bool = True) -> Iterator[Denoiser]:
    """Within the block the networks may be run on tiles; afterwards they are as they were.

    Raises :class:`UnsupportedLayerError` for a layer that cannot; unless something `skips`, it is run as it is.
    """
    from suffice.diffusion.motion.inject import injected

    networks = Networks(unet, control, motion)
    with injected(unet, motion) as clip, ExitStack() as stack:
        stage = Stage()
        try:
            stack.enter_context(installed(unet, PREFIXES["unet"], stage))
            if control is not None:
                stack.enter_context(installed(control, PREFIXES["control"], stage))
            if motion is not None:
                stack.enter_context(installed_motion(unet, motion, PREFIXES["motion"], stage))
        except UnsupportedLayerError:
            if skips:
                raise
            stack.close()
        yield Denoiser(networks, stage, clip)
