"""The checkpoint behind a request: the only file that knows how parts are loaded, prompts encoded, latents decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError
from suffice.regional.course import Course
from suffice.regional.denoiser import Condition, Networks
from suffice.regional.inpaint import KeptOutside
from suffice.regional.settings import RequestSettings
from suffice.regional.tiles import TileGrid

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.diffusion.load import Parts
    from suffice.diffusion.motion.load import Motion
    from suffice.media.image import Image

TILES_ACROSS = 8
SMALLEST_TILE = 4


@dataclass(frozen=True)
class Recipe:
    """What a process must load. control: a ControlNet's folder in the checkpoint. moves: also its motion module."""

    model: str
    control: str | None = None
    moves: bool = False


@dataclass(frozen=True)
class Model:
    """A loaded checkpoint of the Stable Diffusion 1.5 or XL family, and what of it a request needs besides."""

    parts: Parts
    networks: Networks
    recipe: Recipe

    @property
    def unet(self) -> Any:
        return self.networks.unet

    def course(
        self,
        settings: RequestSettings,
        *,
        picture: Image | None = None,
        mask: Any = None,
        control: str | None = None,
        whole_above: float = 1.0,
    ) -> Course:
        """Everything of a request but the running of it. Raises :class:`UsageError` for what cannot be."""
        import torch

        settings.check()
        height, width = self._size(settings, picture)
        grid = self.grid(height, width, settings.tile)
        generator = torch.Generator().manual_seed(settings.seed)
        noise = self._noise(settings, grid, generator).to(self.parts.device, self.unet.dtype)
        kept = None if picture is None else self._kept(picture, mask, noise)
        condition, words = self._condition(settings, height, width)
        if control is not None:
            condition.hint, condition.strength = self._hint(control, grid)
        scheduler = self._scheduler(settings)
        return Course(settings, condition, noise, grid, scheduler, generator, words, kept, whole_above)

    def _noise(self, settings: RequestSettings, grid: TileGrid, generator: Any) -> Tensor:
        """``[pictures, c, h, w]``, or of a clip ``[frames, c, h, w]``, drawn as ``suffice animate`` draws it."""
        import torch

        channels, size = self.unet.config.in_channels, (grid.height, grid.width)
        if settings.frames == 1:
            return torch.randn((settings.pictures, channels, *size), generator=generator)
        motion = self.networks.motion
        if motion is None or settings.frames > motion.kind.frames_max:
            knows = "was loaded without motion" if motion is None else f"knows {motion.kind.frames_max} frames at most"
            raise UsageError(f"a clip of {settings.frames} frames: {self.parts.where} {knows}")
        return torch.randn((channels, settings.frames, *size), generator=generator).transpose(0, 1).contiguous()

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

        changes = self.networks.motion.kind.scheduler if self.networks.motion and settings.frames > 1 else {}
        scheduler = make_scheduler(self.parts.scheduler, settings.solver, changes)
        scheduler.set_timesteps(settings.steps, device=self.parts.device)
        if len(scheduler.timesteps) != settings.steps:
            raise UsageError(f"{settings.solver} makes {len(scheduler.timesteps)} steps of {settings.steps}")
        return scheduler

    def _condition(self, settings: RequestSettings, height: int, width: int) -> tuple[Condition, list[int]]:
        import torch

        from suffice.diffusion.prompts.encode import encode_prompts

        told = encode_prompts(self.parts, [settings.prompt, settings.negative])
        sides = [settings.negative, settings.prompt] if settings.guidance != 1 else [settings.prompt]
        rows = [told[side] for side in sides for _ in range(max(settings.pictures, settings.frames))]
        added = None
        if self.parts.family == "sdxl":
            pixels = [float(side * self.parts.latent_scale) for side in (height, width)]
            sizes = torch.tensor([[*pixels, 0.0, 0.0, *pixels]]).repeat(len(rows), 1)
            pooled = torch.stack([row.pooled for row in rows if row.pooled is not None])
            added = {"text_embeds": pooled, "time_ids": sizes.to(pooled)}
        states = torch.stack([row.states for row in rows])
        return Condition(states, added, frames=settings.frames), self._words(settings.prompt)

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

    def _hint(self, spec: str, grid: TileGrid) -> tuple[Tensor, float]:
        """What the ControlNet is shown, drawn from the picture of ``KIND:PICTURE=STRENGTH`` by KIND; its strength."""
        import torch

        from suffice.diffusion.clip.source import resized
        from suffice.diffusion.control.hints import ANNOTATORS
        from suffice.diffusion.controls import read_spec
        from suffice.media.image import decode_image

        told, scale = read_spec(spec), self.parts.latent_scale
        image = resized(decode_image(told.source), grid.width * scale, grid.height * scale)
        hint = torch.from_numpy(ANNOTATORS[told.kind](image, image).copy()).permute(2, 0, 1)[None] / 255
        return hint.to(self.parts.device, self.unet.dtype), told.strength

    def decode(self, latents: Tensor) -> list[Image]:
        """Pictures of latents ``[b, c, h, w]``."""
        from suffice.diffusion.vae import decode_latents

        return list(decode_latents(self.parts.vae, latents.transpose(0, 1)[None]))


def load(name: str, device: str | None = None, *, control: str | None = None, moves: bool = False) -> Model:
    """``pocket``, a folder or a hub id, as ``suffice animate`` takes them; raises what its loader raises.

    control: ``KIND:PICTURE=STRENGTH`` of a request to come, whose ControlNet is loaded too. moves: load the motion
    module. Raises :class:`UsageError` when the checkpoint has none.
    """
    from suffice.diffusion.load import load_parts

    parts = load_parts(name, device=device)
    recipe = Recipe(name, None if control is None else _control_part(parts, control), moves)
    return Model(parts, _networks(parts, recipe), recipe)


def load_networks(recipe: Recipe, device: str | None = None) -> Networks:
    """The networks alone, for workers."""
    from suffice.diffusion.load import load_parts

    return _networks(load_parts(recipe.model, device=device), recipe)


def _networks(parts: Parts, recipe: Recipe) -> Networks:
    control = None if recipe.control is None else _controlnet(parts, recipe.control)
    return Networks(parts.unet, control, _motion(parts) if recipe.moves else None)


def _control_part(parts: Parts, spec: str) -> str:
    """The folder of the checkpoint's ControlNet for the kind of `spec`."""
    from suffice.diffusion.controls import read_spec

    kind = read_spec(spec).kind
    names = [name for name in parts.names() if name.startswith("controlnet")]
    fitting = [name for name in names if name.removeprefix("controlnet_").rstrip("s") == kind.rstrip("s")]
    if not fitting:
        raise UsageError(f"{parts.where} has no ControlNet for {kind!r}: {', '.join(names) or 'none at all'}")
    return fitting[0]


def _controlnet(parts: Parts, name: str) -> Any:
    from diffusers import ControlNetModel

    network = ControlNetModel.from_pretrained(parts.extra(name), use_safetensors=True)
    return network.to(parts.device, parts.unet.dtype).requires_grad_(False).eval()


def _motion(parts: Parts) -> Motion:
    from suffice.diffusion.motion.load import load_motion

    return load_motion(parts.extra("motion"), device=parts.device, dtype=parts.unet.dtype)
