"""Flow and interpolation, annotators, grids, the original's requests, SparseCtrl, IP-Adapter, memory."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from tiny_diffusion import CHANNELS, TEXT, tiny_checkpoint

from suffice.diffusion.animator import Animator
from suffice.diffusion.api import read_request
from suffice.diffusion.clip.strip import make_strip
from suffice.diffusion.control.annotate.canny import canny
from suffice.diffusion.control.annotate.edges import edges
from suffice.diffusion.control.annotate.flow import flow as flow_colours
from suffice.diffusion.flow import optical_flow, warp
from suffice.diffusion.grid import make_grid, read_axis
from suffice.diffusion.interpolate import between_named, interpolated
from suffice.diffusion.memory.estimate import activation_bytes, refuse_if_too_large, rough_bytes
from suffice.diffusion.memory.float8 import quantize, store_in_float8, weight_bytes
from suffice.diffusion.preview import Previews
from suffice.diffusion.settings import Settings
from suffice.diffusion.vae import decode_latents
from suffice.errors import UsageError

RUN = Settings(frames=4, steps=2, timeline="a", seed=3)


@pytest.fixture(scope="module")
def animator() -> Animator:
    return Animator(str(tiny_checkpoint()), device="cpu")


def _texture(dx: float, dy: float, side: int = 64) -> np.ndarray:
    y, x = np.mgrid[:side, :side].astype(float)
    wave = np.sin((x - dx) / 5) + np.cos((y - dy) / 6) + np.sin((x - dx + y - dy) / 9)
    return np.repeat(((wave + 3) / 6 * 255).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize("moved", [(0.0, 0.0), (1.5, -0.5), (-4.0, 3.0)])
def test_flow_finds_how_a_texture_moved(moved: tuple[float, float]) -> None:
    found = optical_flow(_texture(0, 0), _texture(*moved))[8:-8, 8:-8]
    assert np.abs(found - np.array(moved)).mean() < 0.25


def test_drawn_back_along_its_flow_a_frame_is_the_one_before() -> None:
    first, second = _texture(0, 0), _texture(3, 2)
    back = warp(second, optical_flow(first, second))
    inner = np.s_[8:-8, 8:-8]
    before = np.abs(first[inner].astype(float) - second[inner]).mean()
    assert np.abs(first[inner] - back[inner]).mean() < before / 5


@pytest.mark.parametrize(("closed", "count"), [(False, 9), (True, 12)])
def test_interpolated_frames_come_between_unchanged_ones(closed: bool, count: int) -> None:
    frames = [_texture(2 * number, 0) for number in range(3)]
    found = list(interpolated(frames, 4, closed=closed))
    assert len(found) == count
    assert all(np.array_equal(found[4 * number], frame) for number, frame in enumerate(frames))
    inner = np.s_[8:-8, 8:-8]
    assert np.abs(found[2][inner].astype(int) - _texture(1, 0)[inner]).mean() < 3


def test_one_frame_stays_one_and_none_none() -> None:
    assert len(list(interpolated([_texture(0, 0)], 3))) == 1 and not list(interpolated([], 3))


def test_canny_is_a_thin_line_around_a_thing() -> None:
    from skimage.feature import canny as theirs

    picture = np.zeros((64, 64, 3), np.uint8)
    picture[20:44, 16:48] = 200
    found = canny(picture)[:, :, 0] > 0
    wanted = theirs(picture[:, :, 0].astype(float), 1.0, 50, 100)
    assert found.any() and not found[26:38, 22:42].any() and not found[:16].any()
    near = np.zeros_like(wanted)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            near |= np.roll(wanted, (dy, dx), (0, 1))
    assert near[found].mean() > 0.95 and 0.7 < found.sum() / wanted.sum() < 1.4


def test_soft_edges_and_flow_colours() -> None:
    assert edges(np.full((16, 16, 3), 90, np.uint8)).max() == 0
    assert edges(_texture(0, 0)).max() == 255
    still, right, left = (flow_colours(_texture(dx, 0), _texture(0, 0)).mean((0, 1)) for dx in (0, 3, -3))
    assert still.max() < 5  # nothing moves: black
    assert right[0] > 2 * right[1] and left[1] > 2 * left[0]  # to the right is red, to the left its opposite


def test_a_grid_has_every_combination_and_keeps_what_is_ready() -> None:
    def make(settings: Settings) -> np.ndarray:
        if settings.seed == 9:
            raise KeyboardInterrupt
        grey = int(settings.guidance) * 20
        return make_strip([np.full((8, 10, 3), grey, np.uint8)] * 2, 2)

    x, y = read_axis("guidance=1,2,3"), read_axis("seed=1,2")
    sheets = list(make_grid(RUN, [x, y], make))
    assert len(sheets) == 2 and sheets[0].shape == (2 * (8 + 14) + 2, 3 * 10 + 4, 3)
    assert [int(sheets[0][20, 2 + 12 * column, 0]) for column in range(3)] == [20, 40, 60]
    frames = make_grid(RUN, [x, read_axis("seed=1,9")], make)
    first = next(frames)
    assert int(first[20, 2, 0]) == 20 and int(first[42, 2, 0]) == 200
    with pytest.raises(KeyboardInterrupt):
        list(frames)
    blocks = next(make_grid(RUN, [x, y, read_axis("steps=1,2,3")], make))
    assert blocks.shape == (6 * (8 + 14) + 5 * 2, 3 * 10 + 4, 3)


def _graph(path: Path, with_time: bool) -> str:
    """Two pictures mixed by their share of time, or half and half."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    picture = [1, 3, "height", "width"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, picture) for name in ("first", "second")]
    share = helper.make_tensor("half", TensorProto.FLOAT, [1], [0.5])
    if with_time:
        inputs.append(helper.make_tensor_value_info("time", TensorProto.FLOAT, [1]))
    nodes = [
        helper.make_node("Sub", ["second", "first"], ["apart"]),
        helper.make_node("Mul", ["apart", "time" if with_time else "half"], ["part"]),
        helper.make_node("Add", ["first", "part"], ["between"]),
    ]
    output = [helper.make_tensor_value_info("between", TensorProto.FLOAT, picture)]
    graph = helper.make_graph(nodes, "mix", inputs, output, [] if with_time else [share])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return f"onnx:{path}"


@pytest.mark.parametrize("with_time", [True, False])
def test_a_network_between_frames(tmp_path: Path, with_time: bool) -> None:
    between = between_named(_graph(tmp_path / "mix.onnx", with_time))
    first, second = np.full((10, 41, 3), 40, np.uint8), np.full((10, 41, 3), 200, np.uint8)
    found = between(first, second, 3)
    assert [int(frame[0, 0, 0]) for frame in found] == [80, 120, 160]
    assert all(frame.shape == first.shape and (frame == frame[0, 0]).all() for frame in found)
    if not with_time:
        with pytest.raises(UsageError, match="2, 4 or 8, not 3"):
            between(first, second, 2)


def test_an_interpolator_is_a_setting(animator: Animator, tmp_path: Path) -> None:
    named = _graph(tmp_path / "mix.onnx", with_time=True)
    clip = animator.animate(replace(RUN, frames=2, interpolate=3, interpolator=named))
    first, early, late, last = (frame.astype(float) for frame in clip.frames)
    assert np.abs(early - (2 * first + last) / 3).max() <= 1 and np.abs(late - (first + 2 * last) / 3).max() <= 1
    for wrong, said in (("flwo", "did you mean 'flow'"), ("onnx:nothing.onnx", "no such file"), ("onnx", "onnx:PATH")):
        with pytest.raises(UsageError, match=said):
            animator.animate(replace(RUN, interpolator=wrong))


def test_previews_come_within_their_share_of_the_time(animator: Animator) -> None:
    seen: list[np.ndarray] = []
    previews = Previews(animator.parts.vae, seen.append, interval_s=0.0)
    clip = animator.animate(replace(RUN, steps=6), previews)
    assert 1 <= len(seen) <= 6 and seen[0].shape == (16, 16, 3)
    (last,) = decode_latents(animator.parts.vae, clip.latents[:, :, 2:3])
    once: list[np.ndarray] = []
    Previews(animator.parts.vae, once.append)(6, 6, clip.latents)
    assert np.array_equal(once[0], last)
    rare = Previews(animator.parts.vae, once.append, interval_s=1e6)
    for step in range(5):
        rare(step, 5, clip.latents)
    assert len(once) == 2


def test_compiled_blocks_answer_as_they_do_uncompiled(animator: Animator) -> None:
    compiled = Animator(str(tiny_checkpoint()), device="cpu", compiled="eager")
    for settings in (RUN, replace(RUN, motion="none", frames=1), RUN):
        expected, found = (each.animate(settings).latents for each in (animator, compiled))
        assert (expected - found).abs().max() <= 1e-4
    with pytest.raises(UsageError, match="did you mean 'inductor'"):
        Animator(str(tiny_checkpoint()), device="cpu", compiled="inductr")


@pytest.mark.parametrize(
    ("axis", "said"),
    [("sed=1", "did you mean 'seed'"), ("seed", "is not NAME=VALUE"), ("seed=x", "seed"), ("model=a", "whole grid")],
)
def test_wrong_axes(axis: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_axis(axis)


def _body(**clip: Any) -> dict[str, Any]:
    arguments = {"enable": True, "video_length": 24, "fps": 12, "closed_loop": "R+P", "format": ["MP4", "GIF"], **clip}
    return {
        "prompt": "best quality\n0: a\n8: b",
        "negative_prompt": "bad",
        "steps": 7,
        "cfg_scale": 5,
        "seed": 4,
        "sampler_name": "DPM++ 2M Karras",
        "alwayson_scripts": {"AnimateDiff": {"args": [arguments]}},
    }


def test_the_originals_request_is_read(tmp_path: Path) -> None:
    picture = base64.b64encode(b"picture").decode()
    more = {"batch_size": 8, "interp": "FILM", "interp_x": 3, "freeinit_enable": True, "last_frame": picture}
    request = read_request(_body(**more), tmp_path)
    settings = request.settings
    assert request.suffixes == (".mp4", ".gif")
    assert (settings.frames, settings.fps, settings.loop, settings.context) == (24, 12, "R+P", 8)
    assert (settings.scheduler, settings.steps, settings.guidance, settings.seed) == ("dpm++-karras", 7, 5, 4)
    assert (settings.interpolate, settings.freeinit, settings.negative) == (3, 3, "bad")
    assert settings.timeline == "best quality\n0: a\n8: b" and Path(settings.last).read_bytes() == b"picture"
    assert read_request({"prompt": "a"}, tmp_path).settings.frames == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (_body(video_lenght=3), "did you mean 'video_length'"),
        (_body(format=["MPG"]), "no format 'MPG'"),
        (_body(last_frame="%%"), "last is not a picture in base64"),
        ({"sampler_name": "Eulr"}, "no sampler"),
        ({"seed": -1}, "a seed must be said"),
    ],
)
def test_wrong_requests(body: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        read_request(body, tmp_path)


def test_sparsectrl_is_diffusers_own(animator: Animator, tmp_path: Path) -> None:
    from diffusers import AnimateDiffSparseControlNetPipeline, SparseControlNetModel

    from suffice.diffusion.motion.load import load_motion
    from suffice.diffusion.schedulers import make_scheduler

    torch.manual_seed(2)
    model = SparseControlNetModel(
        down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"),
        block_out_channels=CHANNELS,
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=TEXT,
        attention_head_dim=2,
        motion_num_attention_heads=2,
        conditioning_channels=3,
        use_simplified_condition_embedding=False,
        conditioning_embedding_out_channels=(8, 8, 8),
    )
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter) * 0.05
    model.save_pretrained(tmp_path / "net")
    (tmp_path / "given").mkdir()
    pictures = [PIL.Image.fromarray(_texture(5 * n, 0, 16)) for n in range(2)]
    for number, picture in zip((0, 3), pictures, strict=True):
        picture.save(tmp_path / f"given/key_{number}.png")
    how = replace(RUN, control=(f"sparse:{tmp_path / 'given'}=0.8",), controlnets=(f"sparse={tmp_path / 'net'}",))
    ours = animator.animate(how).latents
    parts = animator.parts
    pipeline = AnimateDiffSparseControlNetPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoders[0],
        tokenizer=parts.tokenizers[0],
        unet=parts.unet,
        motion_adapter=load_motion(parts.folder / "motion").adapter,
        controlnet=model.eval(),
        scheduler=make_scheduler(parts.scheduler, None),
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        "a",
        negative_prompt="",
        num_frames=4,
        num_inference_steps=2,
        width=16,
        height=16,
        guidance_scale=7.5,
        conditioning_frames=pictures,
        controlnet_frame_indices=[0, 3],
        controlnet_conditioning_scale=0.8,
        generator=torch.Generator().manual_seed(3),
        output_type="latent",
    ).frames
    assert torch.allclose(ours, theirs, atol=1e-4)


def _ip_adapter(folder: Path, animator: Animator) -> Path:
    import transformers
    from safetensors.torch import save_file

    torch.manual_seed(4)
    vision = transformers.CLIPVisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8,
        projection_dim=6,
    )  # fmt: skip
    transformers.CLIPVisionModelWithProjection(vision).save_pretrained(folder / "image_encoder")
    state = {
        "image_proj.proj.weight": torch.randn(4 * TEXT, 6) * 0.3,
        "image_proj.proj.bias": torch.randn(4 * TEXT),
        "image_proj.norm.weight": torch.ones(TEXT),
        "image_proj.norm.bias": torch.zeros(TEXT),
    }
    number = 1
    for name in animator.parts.unet.attn_processors:
        if "attn2" in name:
            for side in ("to_k_ip", "to_v_ip"):
                state[f"ip_adapter.{number}.{side}.weight"] = torch.randn(CHANNELS[0], TEXT) * 0.3
            number += 2
    save_file(state, folder / "ip-adapter.safetensors")
    return folder


def test_pictures_as_prompts_travel_and_leave_the_unet_as_it_was(animator: Animator, tmp_path: Path) -> None:
    for number in range(2):
        PIL.Image.fromarray(_texture(5 * number, 3 * number, 16)).save(tmp_path / f"{number}.png")
    alone = replace(RUN, motion="none")
    before = animator.animate(alone).latents
    how = replace(alone, ip_adapter=str(_ip_adapter(tmp_path, animator)))
    line = "a\nimage: 0: {0}/0.png, 3: {0}/1.png"
    both = animator.animate(replace(how, timeline=line.format(tmp_path))).latents
    first, last = (
        animator.animate(replace(how, timeline=f"a\nimage: {tmp_path}/{number}.png")).latents for number in range(2)
    )
    assert torch.allclose(both[:, :, 0], first[:, :, 0], atol=1e-4)
    assert torch.allclose(both[:, :, 3], last[:, :, 3], atol=1e-4)
    assert not torch.allclose(first, last, atol=1e-3) and not torch.allclose(first, before, atol=1e-3)
    assert torch.equal(animator.animate(alone).latents, before)
    with pytest.raises(UsageError, match="needs pictures"):
        animator.animate(how)
    with pytest.raises(UsageError, match="no IP-Adapter"):
        animator.animate(replace(alone, timeline=line.format(tmp_path)))


def test_memory_is_known_before_and_refused_with_the_number(
    animator: Animator, monkeypatch: pytest.MonkeyPatch
) -> None:
    unet = animator.parts.unet
    small, large = activation_bytes(unet, 2, 2, 8, 8), activation_bytes(unet, 2, 4, 8, 8)
    assert 1.8 < large / small < 2.2
    assert large < rough_bytes(unet, 8, 8, 8)
    with pytest.raises(UsageError, match=r"about 2.00 GiB at its peak, and 1.00 GiB are free: do less"):
        refuse_if_too_large(2 << 30, 1 << 30, "do less")
    monkeypatch.setattr("suffice.diffusion.animator.available_bytes", lambda device: 1000)
    with pytest.raises(UsageError, match="GiB are free: try --split, a smaller --context"):
        animator.animate(RUN)


def test_running_out_of_memory_names_what_takes_less(animator: Animator, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(animator.parts.unet, "forward", full)
    with pytest.raises(UsageError, match="the memory of cpu is too small for this clip: try --split"):
        animator.animate(RUN)


def test_float8_holds_few_bytes_and_stays_close() -> None:
    from suffice.diffusion.load import load_parts

    unet = load_parts(str(tiny_checkpoint()), device="cpu").unet
    inputs = torch.randn(1, 4, 4, 4), torch.tensor(1), torch.randn(1, 5, TEXT)
    with torch.no_grad():
        wanted, as_float16 = unet(*inputs).sample, weight_bytes(unet) / 2
        store_in_float8(unet, "float8")
        held = weight_bytes(unet)
        found = unet(*inputs).sample
    assert found.dtype == torch.float32 and weight_bytes(unet) == held < 0.7 * as_float16
    assert 0 < (found - wanted).norm() / wanted.norm() < 0.1
    with pytest.raises(UsageError, match="did you mean 'float8'"):
        store_in_float8(unet, "float9")


def test_scaled_channels_keep_three_bits_however_small_they_are() -> None:
    weight = torch.randn(8, 40) * torch.logspace(-6, 2, 8)[:, None]
    small, scale = quantize(weight)
    large = weight.abs() > weight.abs().amax(1, keepdim=True) / 1000
    assert ((small.float() * scale.float() - weight).abs() / weight.abs())[large].max() < 2**-4
    assert small.dtype == torch.float8_e4m3fn


def test_in_sql_masks_are_painted_and_pictures_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    import suffice
    from suffice.media.mask_rle import encode_rle

    monkeypatch.chdir(tmp_path)
    picture = _texture(0, 0, 24)
    PIL.Image.fromarray(picture).save(tmp_path / "a.png")
    mask = np.zeros((24, 24), bool)
    mask[6:14, 5:15] = True
    rle = json.dumps(encode_rle(mask)).replace("'", "''")
    options = f"checkpoint => '{tiny_checkpoint()}', steps => 2"
    with suffice.connect(":memory:", progress=False) as con:
        painted, drawn = con.sql(
            f"SELECT inpaint(image, '{rle}', 'a cat', {options}), restyle(image, 'a cat', {options})"
            " FROM images('a.png')"
        ).fetchall()[0]
    found = np.asarray(PIL.Image.open(painted))
    assert Path(painted).parent == tmp_path / "out" / "pictures"
    assert np.array_equal(found[~mask], picture[~mask]) and (found[mask] != picture[mask]).mean() > 0.5
    assert np.asarray(PIL.Image.open(drawn)).shape == (16, 16, 3)
