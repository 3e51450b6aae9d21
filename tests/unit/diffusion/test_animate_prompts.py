"""Prompts of any length, with weights, on a text encoder of random weights."""

from __future__ import annotations

import pytest
import torch
from tiny_diffusion import tiny_checkpoint

from suffice.diffusion.load import Parts, load_parts
from suffice.diffusion.prompts.encode import encode_prompts
from suffice.diffusion.prompts.weights import Weighted, split_weights
from suffice.errors import UsageError


@pytest.fixture(scope="module")
def parts() -> Parts:
    return load_parts(str(tiny_checkpoint()), device="cpu")


def test_weights() -> None:
    assert split_weights("a (red:1.5) car") == [Weighted("a ", 1), Weighted("red", 1.5), Weighted(" car", 1)]
    assert split_weights("((x))")[0].weight == pytest.approx(1.21)
    assert split_weights("[x]")[0].weight == pytest.approx(1 / 1.1)
    assert split_weights(r"\(x\)") == [Weighted("(x)", 1)]
    assert split_weights("a: b (c") == [Weighted("a: b ", 1), Weighted("c", 1.1)]
    assert split_weights("") == [Weighted("", 1)]


def test_a_short_prompt_is_what_diffusers_makes_of_it(parts: Parts) -> None:
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoders[0],
        tokenizer=parts.tokenizers[0],
        unet=parts.unet,
        scheduler=parts.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    theirs, _ = pipeline.encode_prompt("a red cat", "cpu", 1, False)
    ours = encode_prompts(parts, ["a red cat"])["a red cat"].states
    assert torch.allclose(ours, theirs[0], atol=1e-6)


def test_clip_skip_takes_an_earlier_layer_through_the_last_norm(parts: Parts) -> None:
    ids = parts.tokenizers[0]("a red cat", padding="max_length", return_tensors="pt").input_ids
    encoder = parts.text_encoders[0]
    layer = encoder(ids, output_hidden_states=True).hidden_states[-2]
    wanted = encoder.final_layer_norm(layer)[0]
    assert torch.allclose(encode_prompts(parts, ["a red cat"], clip_skip=1)["a red cat"].states, wanted, atol=1e-6)


def test_one_long_prompt_makes_all_prompts_as_long(parts: Parts) -> None:
    long = "cat " * 60
    found = encode_prompts(parts, ["", "a", long])
    assert {len(each.states) for each in found.values()} == {3 * 77}
    assert torch.allclose(found["a"].states[:77], encode_prompts(parts, ["a"])["a"].states, atol=1e-5)


def test_nothing_is_cut_off(parts: Parts) -> None:
    long = "x " * 80
    found = encode_prompts(parts, [long + "a", long + "b"])
    assert not torch.equal(found[long + "a"].states[77:], found[long + "b"].states[77:])


def test_a_weight_changes_the_token_and_keeps_the_mean(parts: Parts) -> None:
    found = encode_prompts(parts, ["a b", "a (b:1.4)", "a (b:1.0)"])
    plain, heavier, same = (found[text].states for text in ("a b", "a (b:1.4)", "a (b:1.0)"))
    assert torch.equal(plain, same)
    assert not torch.allclose(plain, heavier, atol=1e-3)
    assert torch.allclose(plain.mean(), heavier.mean(), atol=1e-5)


def test_sdxl_has_two_encoders_and_a_pooled_vector() -> None:
    parts = load_parts(str(tiny_checkpoint("sdxl")), device="cpu")
    found = encode_prompts(parts, ["a"])["a"]
    assert parts.family == "sdxl"
    assert found.states.shape == (77, 32) and found.pooled is not None and found.pooled.shape == (16,)


def test_clip_skip_must_leave_a_layer(parts: Parts) -> None:
    with pytest.raises(UsageError, match="clip skip 3 leaves no layer"):
        encode_prompts(parts, ["a"], clip_skip=3)
