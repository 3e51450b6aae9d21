"""Painting within masks: outside, every pixel stays bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_diffusion import tiny_checkpoint

from suffice.diffusion.animator import Animator
from suffice.diffusion.masked.crop import smooth_boxes
from suffice.diffusion.masked.latent_mask import latent_mask
from suffice.diffusion.masked.source import open_masks
from suffice.diffusion.settings import Settings
from suffice.errors import MediaError, UsageError
from suffice.media.mask_rle import encode_rle

FRAMES, HEIGHT, WIDTH = 4, 37, 53


@pytest.fixture(scope="module")
def animator() -> Animator:
    return Animator(str(tiny_checkpoint()), device="cpu")


def _mask(number: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:22, 8 + 5 * number : 21 + 5 * number] = True
    mask[15, 12 + 5 * number] = False
    return mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("masked")
    (where / "masks").mkdir()
    (where / "frames").mkdir()
    rng = np.random.default_rng(0)
    for number in range(FRAMES):
        PIL.Image.fromarray(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)).save(where / f"frames/{number}.png")
        PIL.Image.fromarray(_mask(number)).save(where / f"masks/{number}.png")
    rows = [{"frame_index": n, "id": 3, "label": "person", "rle": encode_rle(_mask(n))} for n in range(FRAMES)]
    (where / "track.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    lines = [{"frame_index": row["frame_index"], "time_s": 0.0, "objects": [row]} for row in rows]
    (where / "video.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    (where / "track.json").write_text(json.dumps({"objects": [{"id": 3, "label": "person", "frames": rows}]}))
    return where


def _settings(folder: Path, **more: object) -> Settings:
    base = Settings(frames=FRAMES, steps=2, timeline="a", init=str(folder / "frames"), mask=str(folder / "masks"))
    return replace(base, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("inpaint", ["auto", "blend"])
@pytest.mark.parametrize("only_masked", [False, True])
@pytest.mark.parametrize("feather_px", [0.0, 3.0])
def test_outside_the_mask_every_pixel_stays(
    animator: Animator, folder: Path, inpaint: str, only_masked: bool, feather_px: float
) -> None:
    how = _settings(folder, inpaint=inpaint, only_masked=only_masked, feather_px=feather_px, padding_px=3)
    painted = list(animator.animate(how).frames)
    for number, frame in enumerate(painted):
        source, mask = np.asarray(PIL.Image.open(folder / f"frames/{number}.png")), _mask(number)
        assert np.array_equal(frame[~mask], source[~mask])
        assert (frame[mask] != source[mask]).mean() > 0.5


def test_blending_keeps_the_latents_of_the_source_too(animator: Animator, folder: Path) -> None:
    from suffice.diffusion.canvas import make_canvas
    from suffice.diffusion.vae import encode_images

    how = _settings(folder, inpaint="blend")
    latents = animator.animate(how).latents
    canvas = make_canvas(how, animator.parts)
    assert canvas.source is not None and canvas.masks is not None
    source = encode_images(animator.parts.vae, canvas.source)  # type: ignore[arg-type]
    outside = latent_mask(canvas.masks, 4)[0, 0] == 0
    assert torch.equal(latents[0, :, outside], source[0, :, outside])


@pytest.mark.parametrize("only_masked", [False, True])
def test_a_hint_is_cut_like_its_frame(animator: Animator, folder: Path, only_masked: bool) -> None:
    from suffice.diffusion.canvas import make_canvas

    canvas = make_canvas(_settings(folder, only_masked=only_masked), animator.parts)
    assert canvas.source is not None
    for number in range(FRAMES):
        picture = np.asarray(PIL.Image.open(folder / f"frames/{number}.png"))
        assert np.array_equal(canvas.view(number, picture), canvas.source[number])


def test_a_mask_of_everything_is_no_mask(animator: Animator, folder: Path) -> None:
    side = {"width": 16, "height": 16}
    square = folder / "square.png"
    PIL.Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(square)
    rle = json.dumps(encode_rle(np.ones((16, 16), bool)))
    masked = Settings(frames=1, steps=2, timeline="a", init=str(square), mask=rle, inpaint="blend", **side)  # type: ignore[arg-type]
    free = Settings(frames=1, steps=2, timeline="a", **side)  # type: ignore[arg-type]
    assert torch.equal(animator.animate(masked).latents, animator.animate(free).latents)


def test_masks_from_anywhere_are_the_same(folder: Path) -> None:
    rles = [encode_rle(_mask(number)) for number in range(FRAMES)]
    for where in (
        str(folder / "masks"),
        str(folder / "track.jsonl"),
        str(folder / "track.json#person"),
        str(folder / "video.jsonl#3"),
        rles,
    ):
        at = open_masks(where, WIDTH, HEIGHT)  # type: ignore[arg-type]
        assert all(np.array_equal(at(number), _mask(number)) for number in range(FRAMES))
    assert np.array_equal(open_masks(rles[1], WIDTH, HEIGHT)(3), _mask(1))
    assert np.array_equal(open_masks(str(folder / "masks/2.png"), WIDTH, HEIGHT)(0), _mask(2))
    assert not open_masks(str(folder / "track.jsonl#3"), WIDTH, HEIGHT)(99).any()


def test_wrong_masks_are_said(folder: Path) -> None:
    with pytest.raises(UsageError, match=f"is {WIDTH} x {HEIGHT} at frame 0, the picture 10 x 10"):
        open_masks(str(folder / "masks"), 10, 10)(0)
    with pytest.raises(MediaError, match="has 4 masks, but the clip goes on to frame 4"):
        open_masks(str(folder / "masks"), WIDTH, HEIGHT)(4)
    with pytest.raises(UsageError, match="no object 'cat'"):
        open_masks(str(folder / "track.jsonl#cat"), WIDTH, HEIGHT)
    with pytest.raises(MediaError, match="no track"):
        open_masks(str(folder / "nothing.json"), WIDTH, HEIGHT)
    with pytest.raises(UsageError, match="empty in every frame"):
        smooth_boxes([np.zeros((4, 4), bool)])


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(0, 6), st.floats(0.4, 2.5))
@settings(max_examples=60, deadline=None)
def test_boxes_hold_their_masks_in_one_size_and_move_little(seed: int, frames: int, reach: int, aspect: float) -> None:
    rng = np.random.default_rng(seed)
    masks, places = [], np.clip(np.cumsum(rng.integers(-6, 7, (frames, 2)), axis=0) + 50, 4, 90)
    for x, y in places:
        mask = np.zeros((100, 120), bool)
        mask[y : y + 8, x : x + 10] = rng.random() > 0.2
        masks.append(mask)
    masks[0][5:9, 5:9] = True
    boxes = smooth_boxes(masks, padding_px=2, smooth_frames=reach, aspect=aspect)
    assert len({(box.x1 - box.x0, box.y1 - box.y0) for box in boxes}) == 1
    for box, mask in zip(boxes, masks, strict=True):
        assert 0 <= box.x0 < box.x1 <= 120 and 0 <= box.y0 < box.y1 <= 100
        outside = mask.copy()
        outside[box.y0 : box.y1, box.x0 : box.x1] = False
        assert not outside.any()


def test_a_shaking_mask_does_not_shake_the_box() -> None:
    masks = []
    for number in range(40):
        mask = np.zeros((100, 100), bool)
        mask[40:60, 40 + 4 * (number % 2) : 56 + 4 * (number % 2)] = True
        masks.append(mask)
    x0 = [box.x0 for box in smooth_boxes(masks, smooth_frames=5)]
    assert np.abs(np.diff(x0)).max() <= 1 and max(x0) - min(x0) <= 2
