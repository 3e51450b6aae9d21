"""The architecture: a random family loads through diffusers, whole, and is the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

from suffice.diffusion.pocket.configs import init_random
from suffice.diffusion.pocket.data import scenes
from suffice.diffusion.pocket.vocabulary import END, START, merges, tokens, words, write_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pocket")
    init_random(3, path)
    return path


def test_tokenizer_gives_each_word_one_token(tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    from suffice.diffusion.pocket.caption import caption

    write_tokenizer(tmp_path)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path)
    assert tokenizer.model_max_length == 77
    for scene in scenes(60, 4):
        said = caption(scene)
        split = said.replace(",", " ,").split()
        assert tokenizer.tokenize(said) == [f"{word}</w>" for word in split]
    ids = tokenizer("a red circle", padding="max_length").input_ids
    assert tokenizer.convert_ids_to_tokens(ids)[0] == START and tokenizer.convert_ids_to_tokens(ids)[-1] == END


def test_an_unknown_word_falls_apart_and_loses_nothing(tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    write_tokenizer(tmp_path)
    pieces = CLIPTokenizer.from_pretrained(tmp_path).tokenize("turquoise")
    assert len(pieces) > 1 and "".join(pieces) == "turquoise</w>"


def test_vocabulary_has_no_double_and_every_word() -> None:
    known = tokens()
    assert len(known) == len(set(known))
    assert {f"{word}</w>" for word in words()} <= set(known)
    assert {a + b for a, b in merges()} <= set(known)


def test_random_family_runs_through_diffusers(folder: Path) -> None:
    import torch
    from diffusers import StableDiffusionPipeline

    torch.set_num_threads(1)
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    options = {"num_inference_steps": 2, "height": 64, "width": 64, "output_type": "np"}
    picture = pipe("a red circle", generator=torch.Generator().manual_seed(0), **options).images[0]
    assert picture.shape == (64, 64, 3) and np.isfinite(picture).all()
    assert {part.dtype for part in (pipe.unet, pipe.vae, pipe.text_encoder)} == {torch.float32}


def test_same_seed_writes_the_same_weights(folder: Path, tmp_path: Path) -> None:
    init_random(3, tmp_path)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((folder / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)


def test_untrained_motion_changes_nothing(folder: Path) -> None:
    import torch
    from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

    unet = UNet2DConditionModel.from_pretrained(folder / "unet").eval()
    moved = UNetMotionModel.from_unet2d(unet, MotionAdapter.from_pretrained(folder / "motion")).eval()
    noisy, told, at = torch.randn(2, 4, 16, 16), torch.randn(2, 77, 96), torch.tensor(500)
    with torch.no_grad():
        flat = unet(noisy, at, told).sample
        clip = moved(noisy.permute(1, 0, 2, 3)[None], at, told).sample[0].permute(1, 0, 2, 3)
    assert torch.allclose(flat, clip, atol=1e-5)


def test_block_types_are_stable_diffusions(folder: Path) -> None:
    config = json.loads((folder / "unet" / "config.json").read_text())
    assert set(config["down_block_types"]) == {"CrossAttnDownBlock2D", "DownBlock2D"}
    assert config["sample_size"] == 16 and config["cross_attention_dim"] == 96
