"""On a CUDA device: the same clip as on the CPU, lean ways that are lean, training that starts there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from suffice.diffusion.animator import Animator  # noqa: E402
from suffice.diffusion.memory.float8 import weight_bytes  # noqa: E402
from suffice.diffusion.pocket.fit import Plan, fit  # noqa: E402
from suffice.diffusion.settings import Settings  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
ASKED = Settings(timeline="a red circle moving right on a black background", frames=16, steps=6, seed=1)


def latents(**how: Any) -> Any:
    return Animator("pocket", **how).animate(ASKED).latents.float().cpu()


def test_a_clip_is_the_same_as_on_the_cpu() -> None:
    ours, theirs = latents(device="cuda", dtype="float32"), latents(device="cpu")
    assert (ours - theirs).abs().max() <= 1e-3


@pytest.mark.parametrize("how", [{"offload": True}, {"storage": "float8"}, {"compiled": "inductor"}])
def test_lean_ways_answer_much_the_same(how: dict[str, Any]) -> None:
    plain, lean = latents(device="cuda"), latents(device="cuda", **how)
    assert (plain - lean).square().mean().sqrt() <= 0.05 * plain.std()


def test_offloaded_weights_are_at_home_between_clips() -> None:
    animator = Animator("pocket", device="cuda", offload=True)
    before = torch.cuda.memory_allocated()
    latents = animator.animate(ASKED).latents
    assert latents.is_cuda and animator.parts.home.type == "cpu"
    del latents
    assert torch.cuda.memory_allocated() - before < weight_bytes(animator.parts.unet)


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_training_runs_where_the_default_device_is(tmp_path: Path, optimiser: str) -> None:
    torch.set_default_device("cuda")
    try:
        model = torch.nn.Sequential(torch.nn.Linear(40, 36), torch.nn.Tanh(), torch.nn.Linear(36, 1))
        seen = []

        def loss(_: int, generator: Any) -> Any:
            x = torch.randn(64, 40, generator=generator)
            seen.append((model(x) - x.sum(1, keepdim=True)).square().mean())
            return seen[-1]

        for steps in (100, 200):  # the second run goes on from the first one's checkpoint
            fit(Plan("toy", steps=steps, rate=3e-2, seed=1, optimiser=optimiser), model, loss, tmp_path)
    finally:
        torch.set_default_device("cpu")
    assert len(seen) == 200 and all(value.is_cuda for value in seen)
    assert sum(seen[-20:]) < 0.5 * sum(seen[:20])
