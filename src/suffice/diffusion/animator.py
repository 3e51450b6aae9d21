"""From settings to a clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suffice.diffusion.canvas import Canvas, make_canvas
from suffice.diffusion.clip.source import Source, open_source, resized
from suffice.diffusion.compile import compile_blocks
from suffice.diffusion.conditions import added_conditions, embed_prompts, guidance_of, values_of
from suffice.diffusion.controls import make_controls, split_weight
from suffice.diffusion.deep_features import DeepFeatures, HeldPlan, deep_features, kept_bytes
from suffice.diffusion.denoise import OnStep, Steps, denoise, set_steps
from suffice.diffusion.interpolate import between_named, interpolated
from suffice.diffusion.ip_adapter import IpAdapter, adapted, load_ip_adapter, picture_conditions
from suffice.diffusion.load import load_parts
from suffice.diffusion.lora import Lora, attached, layer_names, load_lora
from suffice.diffusion.masked.latent_mask import latent_mask
from suffice.diffusion.memory.estimate import (
    activation_bytes,
    available_bytes,
    refuse_if_too_large,
    rough_bytes,
    vae_bytes,
)
from suffice.diffusion.memory.float8 import store_in_float8
from suffice.diffusion.memory.offload import offload
from suffice.diffusion.motion.inject import Frames, check_fits, injected, motion_places
from suffice.diffusion.motion.load import Motion, load_motion
from suffice.diffusion.noise.draw import draw_noise
from suffice.diffusion.noise.freeinit import FreeInit, low_pass, mix_frequencies
from suffice.diffusion.predict import UNetPredict
from suffice.diffusion.schedulers import make_scheduler
from suffice.diffusion.seam import begun_at_rest, drawn_together
from suffice.diffusion.settings import Settings
from suffice.diffusion.start import fade_in_latents, keep_outside, start_latents
from suffice.diffusion.timeline.parse import Timeline, parse_timeline
from suffice.diffusion.timeline.track import constant
from suffice.diffusion.vae import decode_latents, encode_images
from suffice.diffusion.windows.plan import Plan, travels_closed
from suffice.errors import UsageError, nearest

if TYPE_CHECKING:
    import torch

    from suffice.media.image import Image

LESS = "try --split, a smaller --context, or a smaller --width and --height"
MASKED_STRENGTH, INIT_STRENGTH = 1.0, 0.75


@dataclass(frozen=True)
class Clip:
    """A clip that is denoised; frames are decoded as they are asked for.

    Attributes:
        latents: ``[1, channels, frames, height, width]``.
        frames: the finished pictures, once.
        count: how many there will be.
        fps: as it is to be played.
        settings: all that it depends on, with what was left open filled in.
    """

    latents: torch.Tensor
    frames: Iterator[Image]
    count: int
    fps: float
    settings: Settings


class Animator:
    """A checkpoint in memory that makes pictures and clips; motion modules and LoRAs come and go with each clip."""

    def __init__(
        self,
        model: str = "pocket",
        *,
        device: str | None = None,
        dtype: str | None = None,
        storage: str = "",
        compiled: str = "",
        offload: bool = False,
        tiled: bool = False,
    ) -> None:
        """Load `model` (see :func:`suffice.diffusion.load.load_parts`).

        Args:
            storage: ``float8`` to hold weights in 8 bits.
            compiled: a backend of ``torch.compile``, such as ``inductor``; empty for none.
            offload: leave weights in main memory; each block comes to the device while it computes.
            tiled: have the autoencoder see pictures in tiles that overlap, one at a time.
        """
        self.parts = load_parts(model, device=device, dtype=dtype, offloaded=offload)
        if tiled:
            self.parts.vae.enable_tiling()
            self.parts.vae.enable_slicing()
        self._storage, self._compiled = storage, compiled
        self._made_ready(self.parts.unet)
        self._unets: dict[str, Any] = {"unet": self.parts.unet}
        self._motions: dict[str, Motion] = {}

    def animate(self, settings: Settings, on_step: OnStep | None = None, source: Source | None = None) -> Clip:
        """Denoise what `settings` ask for, from the frames of `source` where they are not in a file.

        Raises:
            UsageError, ModelError, MediaError: what is asked for cannot be made; says which part is wrong.
        """
        timeline = parse_timeline(
            settings.timeline, settings.frames, negative=settings.negative, closed=travels_closed(_loop(settings))
        )
        between = between_named(settings.interpolator)
        canvas = make_canvas(settings, self.parts, source)
        motion = self._motion(settings)
        plan = make_plan(settings, motion)
        job = _Job(self, settings, timeline, canvas, motion, plan)
        latents = job.closed(job.sample_or_refuse(on_step))
        made = replace(settings, width=settings.width or canvas.width, height=settings.height or canvas.height)
        frames, factor, closed = _finished(self.parts.vae, latents, canvas), settings.interpolate, settings.loop == "A"
        if factor > 1:
            frames = interpolated(frames, factor, closed=closed, between=between)
        count = canvas.frames * factor if closed else (canvas.frames - 1) * factor + 1
        return Clip(latents, frames, count, settings.fps * factor, made)

    def unet(self, settings: Settings) -> Any:
        """The UNet for `settings`: one with mask channels where there is a mask and the checkpoint has such."""
        own = self.parts.unet.config.in_channels
        if not settings.mask or settings.inpaint == "blend" or own == 9 or "unet_inpaint" not in self.parts.names():
            return self.parts.unet
        if "unet_inpaint" not in self._unets:
            from diffusers import UNet2DConditionModel

            unet = UNet2DConditionModel.from_pretrained(
                self.parts.folder, subfolder="unet_inpaint", torch_dtype=self.parts.unet.dtype, use_safetensors=True
            )
            self._unets["unet_inpaint"] = unet.requires_grad_(False).eval().to(self.parts.home)
            self._offload([unet])
            self._made_ready(unet)
        return self._unets["unet_inpaint"]

    def _offload(self, modules: Iterable[Any]) -> None:
        if self.parts.computes_on is not None:
            offload(modules, self.parts.computes_on)

    def _made_ready(self, unet: Any) -> None:
        store_in_float8(unet, self._storage)
        compile_blocks(unet, self._compiled)

    def _motion(self, settings: Settings) -> Motion | None:
        if settings.motion == "none" or (settings.motion == "auto" and settings.frames == 1):
            return None
        path = self.parts.folder / "motion" if settings.motion == "auto" else Path(settings.motion).expanduser()
        if not path.exists():
            where = f"{self.parts.where} has no motion module" if settings.motion == "auto" else f"there is no {path}"
            raise UsageError(f"{where}: name one with --motion, or say --motion none for frames on their own")
        if str(path) not in self._motions:
            motion = load_motion(path, device=self.parts.home, dtype=self.parts.unet.dtype)
            check_fits(self.parts.unet, motion)
            self._offload(layer for _, layer in motion_places(self.parts.unet, motion.adapter))
            self._motions[str(path)] = motion
        return self._motions[str(path)]


def _loop(settings: Settings) -> Any:
    return settings.loop


def make_plan(settings: Settings, motion: Motion | None) -> Plan:
    """The windows of a clip; a window is never longer than the motion module knows positions for."""
    size = settings.context or (motion.kind.frames if motion else 16)
    if motion and size > motion.kind.frames_max:
        raise UsageError(f"a window of {size} frames is too long: {motion.kind.name} knows {motion.kind.frames_max}")
    overlap = settings.overlap if settings.overlap >= 0 else size // 4
    return Plan(settings.frames, size, overlap, settings.stride, settings.windows, _loop(settings))


def _finished(vae: Any, latents: torch.Tensor, canvas: Canvas) -> Iterator[Image]:
    for number, painted in enumerate(decode_latents(vae, latents)):
        yield canvas.finish(number, painted)


@dataclass
class _Job:
    """One clip while it is made."""

    animator: Animator
    settings: Settings
    timeline: Timeline
    canvas: Canvas
    motion: Motion | None
    plan: Plan

    def sample_or_refuse(self, on_step: OnStep | None) -> torch.Tensor:
        import torch

        try:
            return self.sample(on_step)
        except (torch.OutOfMemoryError, MemoryError):
            raise UsageError(f"the memory of {self.animator.parts.device} is too small for this clip: {LESS}") from None

    def closed(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents of a clip that was to be a loop, with its seam closed; where a source is shown, as they are."""
        settings = self.settings
        if settings.loop == "N" or self.canvas.source is not None or settings.last or self.canvas.frames < 3:
            return latents
        tied = settings.control or settings.regions or not self.timeline.is_constant
        if tied and not self.timeline.closed:
            return latents
        decode = partial(decode_latents, self.animator.parts.vae)
        return drawn_together(latents, decode) if tied else begun_at_rest(latents, decode)

    def sample(self, on_step: OnStep | None) -> torch.Tensor:
        import torch

        generator = torch.Generator().manual_seed(self.settings.seed)
        noise = self._noise(generator)
        loras = self._loras()
        with ExitStack() as stack:
            unet = self.animator.unet(self.settings)
            self._attach(stack, unet, loras)
            frames = stack.enter_context(injected(unet, self.motion))
            adapter = self._adapter()
            stack.enter_context(adapted(unet, adapter))
            self._check_memory(unet, frames)
            deep = stack.enter_context(deep_features(unet, self.settings.deep_every))
            predict = self._predict(unet, frames, loras, adapter, deep)
            return self._passes(predict, noise, generator, on_step)

    def _noise(self, generator: torch.Generator) -> torch.Tensor:
        scale = self.animator.parts.latent_scale
        channels = self.animator.parts.vae.config.latent_channels
        shape = (1, channels, self.canvas.frames, self.canvas.height // scale, self.canvas.width // scale)
        noise = draw_noise(
            shape,
            generator,
            kind=self.settings.noise,
            context=self.plan.size,
            stride=max(1, self.plan.size - self.plan.overlap),
            seeds=self.timeline.seeds,
        )
        return noise.to(self.animator.parts.device)

    def _loras(self) -> list[Lora]:
        parts = self.animator.parts
        found = []
        for text in self.settings.loras:
            name, weight = split_weight(text)
            path = Path(name).expanduser()
            path = path if path.exists() else parts.extra(name)
            lora = load_lora(path, device=parts.device, dtype=parts.unet.dtype)
            lora.weight.values = (weight,)
            found.append(lora)
        known = [lora.name for lora in found]
        for name in self.timeline.loras:
            if name not in known:
                raise UsageError(f"the timeline has LoRA {name!r}, but the clip has no such{nearest(name, known)}")
        return found

    def _attach(self, stack: ExitStack, unet: Any, loras: list[Lora]) -> None:
        modules = [unet, *([self.motion.adapter] if self.motion else [])]
        layers = layer_names(modules)
        for encoder in self.animator.parts.text_encoders:
            layers |= layer_names([encoder], "te")
        stack.enter_context(attached(loras, layers))

    def _predict(
        self, unet: Any, frames: Frames, loras: list[Lora], adapter: IpAdapter | None, deep: DeepFeatures | None
    ) -> UNetPredict:
        settings, parts, canvas = self.settings, self.animator.parts, self.canvas
        images = picture_conditions(adapter, self.timeline) if adapter else None
        prompts = embed_prompts(settings, self.timeline, parts, canvas.width, canvas.height)
        return UNetPredict(
            unet,
            frames,
            prompts.positive,
            prompts.negative,
            guidance_of(settings, self.timeline),
            rescale=settings.rescale,
            inputs=self._inputs(unet),
            controls=make_controls(settings, self.timeline, parts, canvas),
            regions=prompts.regions,
            added=added_conditions(parts, canvas.width, canvas.height, images),
            before=self._set_lora_weights(loras),
            split=settings.split,
            **({"turn": deep.turn} if deep else {}),
        )

    def _adapter(self) -> IpAdapter | None:
        if not self.settings.ip_adapter:
            if self.timeline.images is not None:
                raise UsageError("the timeline has pictures, but the clip no IP-Adapter: name one with --ip-adapter")
            return None
        return load_ip_adapter(Path(self.settings.ip_adapter).expanduser(), self.animator.parts)

    def _check_memory(self, unet: Any, frames: Frames) -> None:
        """Refuse what will not fit. Most clips are far below what is free: then the rough bound is enough."""
        parts, canvas = self.animator.parts, self.canvas
        frames.count = min(self.plan.size, canvas.frames)
        all_sides = 2 + len(self.settings.regions)
        sides = 1 if self.settings.split else all_sides
        size = (canvas.height // parts.latent_scale, canvas.width // parts.latent_scale)
        kept = sum(len(window) for window in self.plan.at(0)) if self.settings.deep_every > 1 else 0
        deep = kept_bytes(unet, all_sides, kept, *size)
        free = available_bytes(parts.device)
        if rough_bytes(unet, sides * frames.count, *size) + deep < free:
            return
        peak = activation_bytes(unet, sides, frames.count, *size, device=parts.computes_on) + deep
        refuse_if_too_large(max(peak, vae_bytes(parts, canvas.height, canvas.width)), free, LESS)

    def _set_lora_weights(self, loras: list[Lora]) -> Any:
        tracks = {
            lora.name: values_of(
                self.timeline.loras.get(lora.name, constant(float(lora.weight.values[0]))), self.timeline
            )
            for lora in loras
        }

        def before(window: tuple[int, ...]) -> None:
            for lora in loras:
                lora.weight.values = tracks[lora.name](window)

        return before

    def _inputs(self, unet: Any) -> Any:
        """Mask and masked picture for a UNet with nine input channels."""
        if unet.config.in_channels != 9:
            return None
        if self.canvas.masks is None or self.canvas.source is None:
            raise UsageError(f"{self.animator.parts.where} paints within masks only: give --init and --mask")
        import torch

        mask = latent_mask(self.canvas.masks, self.animator.parts.latent_scale)
        hidden = [
            image * ~m[:, :, None] + 127 * m[:, :, None]
            for image, m in zip(self.canvas.source, self.canvas.masks, strict=True)
        ]
        picture = encode_images(self.animator.parts.vae, [image.astype("uint8") for image in hidden])
        both = torch.cat([mask.to(picture), picture], dim=1)[0].transpose(0, 1)
        return lambda window: both[list(window)]

    def _passes(
        self, predict: UNetPredict, noise: torch.Tensor, generator: torch.Generator, on_step: OnStep | None
    ) -> torch.Tensor:
        """Once, or as often as FreeInit wants."""
        source = self._source(noise)
        how = FreeInit(self.settings.freeinit, self.settings.freeinit_filter)
        latents = self._pass(predict, source, noise, noise, generator, on_step)
        for _ in range(how.iterations - 1):
            start = self._freeinit(how, latents, noise, generator)
            latents = self._pass(predict, source, start, noise, generator, on_step)
        return latents

    def _freeinit(
        self, how: FreeInit, latents: torch.Tensor, noise: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        import torch

        scheduler = self._scheduler()
        last = torch.tensor([scheduler.config.num_train_timesteps - 1], device=noise.device)
        noisy = scheduler.add_noise(latents, noise, last)
        fresh = torch.randn(noise.shape, generator=generator).to(noise)
        return mix_frequencies(noisy, fresh, low_pass(tuple(noise.shape[2:]), how))

    def _pass(
        self,
        predict: UNetPredict,
        source: torch.Tensor | None,
        start: torch.Tensor,
        noise: torch.Tensor,
        generator: torch.Generator,
        on_step: OnStep | None,
    ) -> torch.Tensor:
        strength = self._strength()
        steps = set_steps(self._scheduler(), self.settings.steps, noise.device, generator, strength)
        latents = start_latents(steps, source, start, strength)
        keep = self._keep(steps, source, noise, predict)
        plan = HeldPlan(self.plan, self.settings.deep_every)
        return denoise(latents, steps, predict, plan, blend=self.settings.blend, keep=keep, on_step=on_step)

    def _scheduler(self) -> Any:
        changes = self.motion.kind.scheduler if self.motion else {}
        return make_scheduler(self.animator.parts.scheduler, self.settings.scheduler or None, changes)

    def _strength(self) -> float:
        if self.canvas.source is None and not self.settings.last:
            return 1.0
        usual = MASKED_STRENGTH if self.canvas.masks is not None else INIT_STRENGTH
        return self.settings.strength or usual

    def _source(self, noise: torch.Tensor) -> torch.Tensor | None:
        settings, vae = self.settings, self.animator.parts.vae
        last = None
        if settings.last:
            picture = resized(open_source(settings.last).one(0), self.canvas.width, self.canvas.height)
            last = encode_images(vae, [picture]).to(noise)
        fading = self.canvas.still and self.canvas.masks is None and self.canvas.frames > 1
        if self.canvas.source is None:
            first = None
        elif fading:
            first = encode_images(vae, [self.canvas.source[0]]).to(noise)
        else:
            return encode_images(vae, self.canvas.source).to(noise)  # type: ignore[arg-type]
        if first is None and last is None:
            return None
        return fade_in_latents(first, last, noise, settings.init_power, settings.init_scale)

    def _keep(self, steps: Steps, source: torch.Tensor | None, noise: torch.Tensor, predict: UNetPredict) -> Any:
        if self.canvas.masks is None or source is None or predict.inputs is not None:
            return None
        mask = latent_mask(self.canvas.masks, self.animator.parts.latent_scale).to(noise)
        return keep_outside(steps, source, noise, mask)
