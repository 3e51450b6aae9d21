"""The checkpoint behind a request: the only file that knows how parts are loaded, prompts encoded, latents decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError
from suffice.regional.course import Course
from suffice.regional.denoiser import Condition, Control
from suffice.regional.inpaint import KeptOutside
from suffice.regional.settings import RequestSettings
from suffice.regional.tiles import TileGrid

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.diffusion.load import Parts
    from suffice.media.image import Image

TILES_ACROSS = 8
SMALLEST_TILE = 4


@dataclass(frozen=True)
class Model:
    """A loaded checkpoint of the Stable Diffusion 1.5 or XL family."""

    parts: Parts

    @property
    def unet(self) -> Any:
        return self.parts.unet

    def course(
        self,
        settings: RequestSettings,
        *,
        picture: Image | None = None,
        mask: Any = None,
        whole_above: float = 1.0,
    ) -> Course:
        """Everything of a request but the running of it. Raises :class:`UsageError` for what cannot be."""
        import torch

        settings.check()
        height, width = self._size(settings, picture)
        grid = self.grid(height, width, settings.tile)
        generator = torch.Generator().manual_seed(settings.seed)
        shape = (settings.pictures, self.unet.config.in_channels, height, width)
        noise = torch.randn(shape, generator=generator).to(self.parts.device, self.unet.dtype)
        kept = None if picture is None else self._kept(picture, mask, noise)
        condition, words = self._condition(settings, height, width)
        scheduler = self._scheduler(settings)
        return Course(settings, condition, noise, grid, scheduler, generator, words, kept, whole_above)

    def grid(self, height: int, width: int, tile: int | None) -> TileGrid:
        """Tiles of the wanted side, or so that about eight lie across; each must halve as often as the UNet does."""
        halvings = 2 ** (len(self.unet.config.block_out_channels) - 1)
        if tile is None:
            wanted = max(SMALLEST_TILE, halvings, min(height, width) // TILES_ACROSS)
            fitting = [t for t in range(halvings, min(height, width) + 1, halvings) if not (height % t or width % t)]
            tile = min(fitting, key=lambda t: (t < SMALLEST_TILE, abs(t - wanted)), default=wanted)
        if tile % halvings:
            raise UsageError(f"tiles of {tile} cannot be halved as often as this UNet does: a multiple of {halvings}")
        return TileGrid(height, width, tile)

    def _size(self, settings: RequestSettings, picture: Image | None) -> tuple[int, int]:
        scale, own = self.parts.latent_scale, self.parts.side_px
        height, width = settings.height or own, settings.width or own
        if picture is not None:
            height, width = picture.shape[:2]
        if height % scale or width % scale:
            raise UsageError(f"a picture of {width}×{height} px: both sides must be multiples of {scale}")
        return height // scale, width // scale

    def _scheduler(self, settings: RequestSettings) -> Any:
        from suffice.diffusion.schedulers import make_scheduler

        scheduler = make_scheduler(self.parts.scheduler, settings.solver)
        scheduler.set_timesteps(settings.steps, device=self.parts.device)
        if len(scheduler.timesteps) != settings.steps:
            raise UsageError(f"{settings.solver} makes {len(scheduler.timesteps)} steps of {settings.steps}")
        return scheduler

    def _condition(self, settings: RequestSettings, height: int, width: int) -> tuple[Condition, list[int]]:
        import torch

        from suffice.diffusion.prompts.encode import encode_prompts

        told = encode_prompts(self.parts, [settings.prompt, settings.negative])
        sides = [settings.negative, settings.prompt] if settings.guidance != 1 else [settings.prompt]
        rows = [told[side] for side in sides for _ in range(settings.pictures)]
        added = None
        if self.parts.family == "sdxl":
            pixels = [float(side * self.parts.latent_scale) for side in (height, width)]
            sizes = torch.tensor([[*pixels, 0.0, 0.0, *pixels]]).repeat(len(rows), 1)
            pooled = torch.stack([row.pooled for row in rows if row.pooled is not None])
            added = {"text_embeds": pooled, "time_ids": sizes.to(pooled)}
        return Condition(torch.stack([row.states for row in rows]), added), self._words(settings.prompt)

    def _words(self, prompt: str) -> list[int]:
        """Places of the prompt's tokens among the states: no start, end or padding."""
        tokenizer = self.parts.tokenizers[0]
        ids = tokenizer(prompt).input_ids[: tokenizer.model_max_length]
        return [place for place, token in enumerate(ids) if token not in tokenizer.all_special_ids]

    def _kept(self, picture: Image, mask: Any, noise: Tensor) -> KeptOutside:
        import torch
        from torch.nn import functional

        from suffice.diffusion.vae import encode_images

        latents = encode_images(self.parts.vae, [picture])[:, :, 0].to(noise)
        allowed = torch.as_tensor(mask).to(noise)[None, None]
        return KeptOutside(latents, noise[:1], functional.adaptive_max_pool2d(allowed, noise.shape[2:]))

    def control(self, spec: str, grid: TileGrid) -> Control:
        """``KIND:PICTURE=STRENGTH``: a ControlNet of this checkpoint with its hint, drawn from the picture by KIND.

        Raises :class:`UsageError` when the checkpoint has none of that kind, or the picture cannot be read.
        """
        import torch
        from diffusers import ControlNetModel

        from suffice.diffusion.clip.source import resized
        from suffice.diffusion.control.hints import ANNOTATORS
        from suffice.diffusion.controls import read_spec
        from suffice.media.image import decode_image

        told, scale = read_spec(spec), self.parts.latent_scale
        names = [name for name in self.parts.names() if name.startswith("controlnet")]
        fitting = [name for name in names if name.removeprefix("controlnet_").rstrip("s") == told.kind.rstrip("s")]
        if not fitting:
            raise UsageError(
                f"{self.parts.where} has no ControlNet for {told.kind!r}: {', '.join(names) or 'none at all'}"
            )
        image = resized(decode_image(told.source), grid.width * scale, grid.height * scale)
        hint = torch.from_numpy(ANNOTATORS[told.kind](image, image).copy()).permute(2, 0, 1)[None] / 255
        network = ControlNetModel.from_pretrained(self.parts.extra(fitting[0]), use_safetensors=True)
        network = network.to(self.parts.device, self.unet.dtype).requires_grad_(False).eval()
        return Control(network, hint.to(self.parts.device, self.unet.dtype), told.strength)

    def decode(self, latents: Tensor) -> list[Image]:
        """Pictures of latents ``[b, c, h, w]``."""
        from suffice.diffusion.vae import decode_latents

        return list(decode_latents(self.parts.vae, latents.transpose(0, 1)[None]))


def load(name: str, device: str | None = None) -> Model:
    """``pocket``, a folder or a hub id, as ``suffice animate`` takes them; raises what its loader raises."""
    from suffice.diffusion.load import load_parts

    return Model(load_parts(name, device=device))


def load_unet(name: str, device: str | None = None) -> Any:
    """The network alone, for workers."""
    return load(name, device).unet
