"""Less memory and less time: weights that come block by block, deep features taken again, compiled blocks."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_diffusion import tiny_checkpoint

from suffice.diffusion.animator import Animator
from suffice.diffusion.compile import compile_blocks
from suffice.diffusion.deep_features import DeepFeatures, deep_features, kept_bytes
from suffice.diffusion.load import load_parts
from suffice.diffusion.memory import offload
from suffice.diffusion.memory.estimate import activation_bytes
from suffice.diffusion.memory.float8 import store_in_float8
from suffice.diffusion.motion.inject import injected
from suffice.diffusion.motion.load import load_motion
from suffice.diffusion.settings import Settings
from suffice.errors import UsageError

RUN = Settings(frames=4, steps=4, timeline="(a:1.3) b", seed=3)


@pytest.fixture(scope="module")
def animator() -> Animator:
    return Animator(str(tiny_checkpoint()), device="cpu")


class Lent:
    """Counts the bytes that are on a stand-in for a second device: copies in the same memory."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def __call__(self, tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
        copy = tensor.detach().clone()
        self.now += copy.nbytes
        self.most = max(self.most, self.now)
        weakref.finalize(copy, self._back, copy.nbytes)
        return copy

    def _back(self, size: int) -> None:
        self.now -= size


def _tensors(*modules: Any) -> list[torch.Tensor]:
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]


@pytest.mark.parametrize("storage", ["", "float8"])
def test_offloaded_blocks_come_one_by_one_and_answer_the_same(
    animator: Animator, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`cpu:0` stands in for a device of its own: torch does not hold it equal to `cpu`, where the weights lie."""
    lent = Lent()
    monkeypatch.setattr(offload, "to_device", lent)
    settings = replace(RUN, control=(), frames=6, context=4)
    away = Animator(str(tiny_checkpoint()), device="cpu:0", storage=storage, offload=True)
    home = _tensors(away.parts.unet, away.parts.vae, *away.parts.text_encoders)
    whole = Animator(str(tiny_checkpoint()), device="cpu", storage=storage) if storage else animator
    found, expected = away.animate(settings), whole.animate(settings)
    assert torch.equal(found.latents, expected.latents)
    assert all(np.array_equal(a, b) for a, b in zip(found.frames, expected.frames, strict=True))
    after = _tensors(away.parts.unet, away.parts.vae, *away.parts.text_encoders)
    assert [id(tensor) for tensor in after] == [id(tensor) for tensor in home]
    assert lent.now == 0 and 0 < lent.most < 0.6 * sum(tensor.nbytes for tensor in home)


def test_offloaded_weights_are_on_the_device_while_their_block_runs_and_home_after_a_failure() -> None:
    """On torch's `meta` device: shapes and places are real, numbers are not."""
    meta = torch.device("meta")
    parts = load_parts(str(tiny_checkpoint()), device="meta", offloaded=True)
    assert parts.device == meta and parts.home == torch.device("cpu")
    motion = load_motion(tiny_checkpoint() / "motion")
    offload.offload([motion.adapter], meta)
    seen: list[str] = []
    resnet = parts.unet.down_blocks[0].resnets[0]
    resnet.register_forward_hook(lambda module, *_: seen.append(module.conv1.weight.device.type))
    latents = torch.empty(4, parts.unet.config.in_channels, 8, 8, device=meta)
    states = torch.empty(4, 77, parts.unet.config.cross_attention_dim, device=meta)
    with torch.no_grad():
        assert parts.unet(latents, 1, states).sample.device == meta
        with injected(parts.unet, None), pytest.raises(RuntimeError):
            parts.unet(latents, 1, states[..., :-1])
    assert seen and set(seen) == {"meta"}
    assert {tensor.device.type for tensor in _tensors(parts.unet, parts.vae)} == {"cpu"}


def test_offload_on_a_cpu_says_that_it_does_nothing() -> None:
    with pytest.warns(UserWarning, match="does nothing on cpu"):
        assert load_parts(str(tiny_checkpoint()), device="cpu", offloaded=True).computes_on is None


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_memory_of_8_bit_weights_is_estimated_too(family: str) -> None:
    unet = load_parts(str(tiny_checkpoint(family)), device="cpu").unet
    before = activation_bytes(unet, 2, 4, 8, 8)
    store_in_float8(unet, "float8")
    assert activation_bytes(unet, 2, 4, 8, 8) >= before
    assert all(weight.device.type == "cpu" for weight in unet.parameters())


def _calls(block: Any, calls: list[int]) -> Any:
    return block.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))


@pytest.mark.parametrize(
    "more", [{}, {"split": True}, {"frames": 9, "context": 4, "windows": "static"}, {"freeinit": 2}, {"steps": 5}]
)
def test_deep_blocks_run_in_every_second_step(animator: Animator, more: dict[str, Any]) -> None:
    settings = replace(RUN, **more)
    unet, calls, first = animator.parts.unet, [], []
    handle = _calls(unet.mid_block.resnets[0], calls)
    whole = animator.animate(settings, lambda done, of, latents: first.append(latents.clone())).latents
    all_calls = len(calls)
    calls.clear()
    found = animator.animate(
        replace(settings, deep_every=2), lambda done, of, latents: first.append(latents.clone())
    ).latents
    handle.remove()
    passes = settings.freeinit * settings.steps
    assert len(calls) == all_calls // passes * settings.freeinit * -(-settings.steps // 2)
    assert torch.equal(first[0], first[passes])  # the first step is the whole UNet's
    assert not torch.equal(found, whole) and (found - whole).abs().mean() < whole.abs().mean()
    assert "forward" not in unet.mid_block.__dict__ and torch.equal(animator.animate(settings).latents, whole)


def test_features_of_every_step_are_the_unet_itself(animator: Animator) -> None:
    """With `every` above all steps but told of a new run at each call, nothing is taken again."""
    unet = animator.parts.unet
    latents, states = torch.randn(2, 4, 8, 8), torch.randn(2, 77, unet.config.cross_attention_dim)
    with torch.no_grad():
        expected = unet(latents, 1, states).sample
        with deep_features(unet, 9) as features:
            assert features is not None
            for _ in range(2):
                features.turn(0.0, "one")
                assert torch.equal(unet(latents, 1, states).sample, expected)
            size = sum(each.nbytes for each in features.kept.values())
            assert size == kept_bytes(unet, 1, 2, 8, 8)
            features.turn(0.5, "one")
            assert torch.equal(unet(latents, 1, states).sample, expected)  # the same question, from memory
            assert not torch.equal(unet(latents + 1, 1, states).sample, expected)


def test_features_belong_to_a_window_and_a_run() -> None:
    features = DeepFeatures(3)
    seen = []
    for progress in (0.0, 0.25, 0.5, 0.75, 0.0, 0.25):
        for key in ("a", "b"):
            features.turn(progress, key)
            seen.append(features.again)
            if not features.again:
                features.remember(torch.zeros(1))
    assert seen == [False] * 2 + [True] * 4 + [False] * 4 + [True] * 2


def test_deep_features_with_a_controlnet(animator: Animator, tmp_path: Any) -> None:
    import PIL.Image

    PIL.Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(tmp_path / "hint.png")
    settings = replace(RUN, control=(f"hint:{tmp_path}/hint.png",), deep_every=2)
    settings = replace(settings, controlnets=(f"hint={tiny_checkpoint()}/controlnet_edge",))
    assert torch.isfinite(animator.animate(settings).latents).all()
    with pytest.raises(UsageError, match="deep_every"):
        replace(RUN, deep_every=0)


def test_inductor_without_a_compiler_is_refused_at_once(animator: Animator, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import cpp_builder
    from torch._inductor.exc import InvalidCxxCompiler

    def none() -> str:
        raise InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    with pytest.raises(UsageError, match="C\\+\\+ compiler"):
        compile_blocks(animator.parts.unet, "inductor")
