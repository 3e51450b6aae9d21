"""Motion modules: told apart by their keys, put into a UNet, and taken out without a trace."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_diffusion import CHANNELS, TEXT, tiny_adapter, tiny_checkpoint, tiny_unet

from suffice.diffusion.lora import attached, layer_names, load_lora
from suffice.diffusion.motion.inject import injected
from suffice.diffusion.motion.kind import HOTSHOT, LCM, OWN, V1, V2, V3, XL, MotionKind, kind_of
from suffice.diffusion.motion.load import Motion, load_motion
from suffice.errors import ModelError, UsageError

FRAMES = 3


def _keys(blocks: int, mid: bool, positions: int | None, hotshot: bool = False) -> dict[str, tuple[int, ...]]:
    layer = "temporal_attentions.0" if hotshot else "motion_modules.0.temporal_transformer"
    table = "positional_encoding" if hotshot else "pe"
    shapes: dict[str, tuple[int, ...]] = {}
    places = [f"down_blocks.{n}" for n in range(blocks)] + ["mid_block"] * mid
    for place, width in zip(places, (320, 640, 1280, 1280, 1280), strict=False):
        shapes[f"{place}.{layer}.norm.weight"] = (width,)
        if positions:
            key = f"{place}.{layer}.transformer_blocks.0.attention_blocks.0.pos_encoder.{table}"
            shapes[key] = (1, positions, width)
    return shapes


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        (_keys(4, False, 24), V1),
        (_keys(4, True, 32), V2),
        (_keys(4, False, 32), V3),
        (_keys(4, True, None), LCM),
        (_keys(3, False, 32), XL),
        (_keys(3, False, 24, hotshot=True), HOTSHOT),
        ({"down_blocks.0.motion_modules.0.norm.weight": (16,)}, OWN),
    ],
)
def test_the_kind_is_told_by_the_keys(shapes: dict[str, tuple[int, ...]], kind: MotionKind) -> None:
    assert kind_of(shapes) == kind


@pytest.fixture(scope="module")
def unet() -> torch.nn.Module:
    torch.manual_seed(1)
    return tiny_unet().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def motion() -> Motion:
    return load_motion(tiny_checkpoint() / "motion")


def _run(unet: torch.nn.Module, count: int = 2 * FRAMES) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(count, 4, 8, 8, generator=generator)
    states = torch.randn(count, 7, TEXT, generator=generator)
    with torch.no_grad():
        found: torch.Tensor = unet(latents, torch.tensor(10), encoder_hidden_states=states, return_dict=False)[0]
    return found


def test_injected_it_is_diffusers_own_and_taken_out_the_unet_is_as_before(
    unet: torch.nn.Module, motion: Motion
) -> None:
    from diffusers import UNetMotionModel

    before = _run(unet)
    with injected(unet, motion) as frames:
        frames.count = FRAMES
        inside = _run(unet)
    assert torch.equal(_run(unet), before)
    theirs = UNetMotionModel.from_unet2d(unet, motion.adapter).eval()
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2 * FRAMES, 4, 8, 8, generator=generator).reshape(2, FRAMES, 4, 8, 8).transpose(1, 2)
    states = torch.randn(2 * FRAMES, 7, TEXT, generator=generator)
    with torch.no_grad():
        wanted = theirs(latents, torch.tensor(10), encoder_hidden_states=states).sample
    assert torch.allclose(inside, wanted.transpose(1, 2).flatten(0, 1), atol=1e-5)
    assert not torch.allclose(inside, before, atol=1e-3)


@pytest.mark.parametrize("kind", [V1, V2, HOTSHOT])
def test_every_kind_leaves_no_trace_even_after_an_error(
    unet: torch.nn.Module, motion: Motion, kind: MotionKind
) -> None:
    before = _run(unet)
    odd = replace(motion, kind=replace(kind, family=None))
    with pytest.raises(ZeroDivisionError), injected(unet, odd) as frames:
        frames.count = FRAMES
        _run(unet)
        raise ZeroDivisionError
    assert torch.equal(_run(unet), before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in unet.modules())


def test_a_module_whose_last_layers_are_zero_changes_nothing(unet: torch.nn.Module, motion: Motion) -> None:
    silent = tiny_adapter()
    for name, parameter in silent.named_parameters():
        if "proj_out" in name:
            parameter.data.zero_()
    with injected(unet, replace(motion, adapter=silent)) as frames:
        frames.count = FRAMES
        assert torch.equal(_run(unet), _run(unet))
        inside = _run(unet)
    assert torch.allclose(inside, _run(unet), atol=1e-6)


def test_each_frame_or_all_frames_normed(unet: torch.nn.Module, motion: Motion) -> None:
    """With one frame there is no difference; with several there is."""
    found = []
    for each in (True, False):
        for count in (1, FRAMES):
            with injected(unet, replace(motion, kind=replace(motion.kind, norm_each_frame=each))) as frames:
                frames.count = count
                found.append(_run(unet))
    assert torch.allclose(found[0], found[2], atol=1e-5)
    assert not torch.allclose(found[1], found[3], atol=1e-4)


def test_norms_over_frames_see_the_clip(unet: torch.nn.Module, motion: Motion) -> None:
    from torch.nn import functional

    from suffice.diffusion.motion.group_norm import norm_over_frames
    from suffice.diffusion.motion.inject import Frames

    frames = Frames()
    frames.count = FRAMES
    norm = unet.conv_norm_out
    states = torch.randn(2 * FRAMES, CHANNELS[0], 4, 4)
    clip = states.reshape(2, FRAMES, CHANNELS[0], 4, 4).transpose(1, 2)
    wanted = (
        functional.group_norm(clip, norm.num_groups, norm.weight, norm.bias, norm.eps).transpose(1, 2).flatten(0, 1)
    )
    handles = norm_over_frames(unet, frames)
    assert torch.allclose(norm(states), wanted, atol=1e-6)
    for handle in handles:
        handle.remove()


def _tensors() -> int:
    return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())


def test_a_hundred_cycles_hold_on_to_nothing(unet: torch.nn.Module, motion: Motion) -> None:
    def cycle() -> None:
        with injected(unet, motion) as frames:
            frames.count = FRAMES

    cycle()
    gc.collect()
    before = _tensors()
    weights = {id(parameter): parameter.data_ptr() for parameter in unet.parameters()}
    for _ in range(100):
        cycle()
    gc.collect()
    assert _tensors() <= before
    assert {id(parameter): parameter.data_ptr() for parameter in unet.parameters()} == weights


def _original(key: str) -> str:
    for new, old in (
        (".motion_modules.0.", ".motion_modules.0.temporal_transformer."),
        (".motion_modules.1.", ".motion_modules.1.temporal_transformer."),
        (".attn1.", ".attention_blocks.0."),
        (".attn2.", ".attention_blocks.1."),
        (".norm1.", ".norms.0."),
        (".norm2.", ".norms.1."),
        (".norm3.", ".ff_norm."),
    ):
        key = key.replace(new, old)
    return key


def test_a_file_in_the_original_layout_loads_and_a_broken_one_does_not(tmp_path: Path) -> None:
    from diffusers import MotionAdapter

    wanted = MotionAdapter(block_out_channels=(32, 32), motion_layers_per_block=1).state_dict()
    state = {_original(key): value for key, value in wanted.items() if ".pos_embed." not in key}
    table = "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.pos_encoder.pe"
    save_file({**state, table: torch.zeros(1, 24, 32)}, tmp_path / "mm.safetensors")
    loaded = load_motion(tmp_path / "mm.safetensors")
    found = loaded.adapter.state_dict()
    assert loaded.kind.frames_max == 24
    assert all(torch.equal(found[key], wanted[key]) for key in wanted if ".pos_embed." not in key)
    save_file({key: value for key, value in state.items() if "ff_norm" not in key}, tmp_path / "broken.safetensors")
    with pytest.raises(ModelError, match=r"broken.safetensors lacks '.*norm3"):
        load_motion(tmp_path / "broken.safetensors")


def test_what_does_not_fit_is_said(tmp_path: Path, unet: torch.nn.Module, motion: Motion) -> None:
    with (
        pytest.raises(UsageError, match="motion module of AnimateDiff SDXL, for sdxl; this checkpoint is sd15"),
        injected(unet, replace(motion, kind=XL)),
    ):
        pass
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(UsageError, match="no motion module"):
        load_motion(tmp_path / "x.safetensors")
    (tmp_path / "mm.ckpt").write_bytes(b"")
    with pytest.raises(UsageError, match=r"only \.safetensors files are read"):
        load_motion(tmp_path / "mm.ckpt")


def _lora_file(folder: Path, style: str) -> Path:
    """The same LoRA of one spatial and one temporal layer, in one of four layouts."""
    generator = torch.Generator().manual_seed(0)
    spatial, temporal = (
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
        "down_blocks.0.motion_modules.0.transformer_blocks.0.attn1.to_out.0",
    )
    pairs = {
        name: (torch.randn(2, CHANNELS[0], generator=generator), torch.randn(CHANNELS[0], 2, generator=generator))
        for name in (spatial, temporal)
    }
    state = {}
    for name, (down, up) in pairs.items():
        if style == "peft":
            state |= {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
        elif style == "kohya":
            flat = "lora_unet_" + name.replace(".", "_")
            state |= {
                f"{flat}.lora_down.weight": down,
                f"{flat}.lora_up.weight": up,
                f"{flat}.alpha": torch.tensor(2.0),
            }
        elif style == "diffusers":
            state |= {f"unet.{name}.lora.down.weight": down, f"unet.{name}.lora.up.weight": up}
        else:
            old = name.replace(".attn1.to_out.0", ".attention_blocks.0.processor.to_out_lora").replace(
                ".attn1.to_q", ".attn1.processor.to_q_lora"
            )
            old = old.replace("motion_modules.0.", "motion_modules.0.temporal_transformer.")
            state |= {f"{old}.down.weight": down, f"{old}.up.weight": up}
    save_file(state, folder / f"{style}.safetensors")
    return folder / f"{style}.safetensors"


def test_one_lora_in_four_layouts_does_the_same_and_leaves_nothing(
    tmp_path: Path, unet: torch.nn.Module, motion: Motion
) -> None:
    found = []
    with injected(unet, motion) as frames:
        frames.count = FRAMES
        before = _run(unet)
        for style in ("peft", "kohya", "diffusers", "animatediff"):
            lora = load_lora(_lora_file(tmp_path, style))
            assert len(lora.layers) == 2
            with attached([lora], layer_names([unet, motion.adapter])):
                found.append(_run(unet))
            assert torch.equal(_run(unet), before)
    assert all(torch.equal(found[0], other) for other in found[1:])
    assert not torch.allclose(found[0], before, atol=1e-3)


def test_a_lora_counts_by_frame(tmp_path: Path, unet: torch.nn.Module, motion: Motion) -> None:
    lora = load_lora(_lora_file(tmp_path, "peft"))
    before = _run(unet)
    with attached([lora], layer_names([unet, motion.adapter])):
        whole = _run(unet)
        lora.weight.values = [1.0, 0.0, 1.0]
        some = _run(unet)
    off, on = [1, 4], [0, 2, 3, 5]
    assert torch.allclose(some[off], before[off], atol=1e-6) and torch.allclose(some[on], whole[on], atol=1e-5)


def test_a_lora_equals_its_weights_merged(tmp_path: Path, unet: torch.nn.Module) -> None:
    lora = load_lora(_lora_file(tmp_path, "peft"))
    name = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    layer = layer_names([unet])[name]
    with attached([lora], {name: layer}):
        hung = _run(unet)
    kept = layer.weight.data.clone()
    layer.weight.data += lora.layers[name].up @ lora.layers[name].down
    merged = _run(unet)
    layer.weight.data = kept
    assert torch.allclose(hung, merged, atol=1e-5)


def test_a_lora_of_another_family_is_refused(tmp_path: Path, unet: torch.nn.Module) -> None:
    lora = load_lora(_lora_file(tmp_path, "peft"))
    with pytest.raises(UsageError, match="no layer of this model"), attached([lora], {"other": unet.conv_in}):
        pass
    save_file({"x": torch.zeros(1)}, tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match="no LoRA layer"):
        load_lora(tmp_path / "none.safetensors")
