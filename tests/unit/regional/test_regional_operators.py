"""All active equals dense, none new equals the cache, and the checks catch a broken operator."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from tiny_unet import sdxl_unet, tiny_unet  # noqa: E402

from suffice.regional.denoiser import Condition, opened  # noqa: E402
from suffice.regional.frame import Cache  # noqa: E402
from suffice.regional.tiles import TileGrid  # noqa: E402

CLOSE = 1e-5


def setting(unet: Any, batch: int = 2, height: int = 16, width: int = 16) -> tuple[Any, Any, Condition]:
    torch.manual_seed(1)
    old, new = torch.randn(2, batch, 4, height, width)
    added = None
    if unet.config.addition_embed_type:
        added = {"text_embeds": torch.randn(batch, 8), "time_ids": torch.randn(batch, 6)}
    return old, new, Condition(torch.randn(batch, 5, 12), added)


def plain(unet: Any, latents: Any, time: int, condition: Condition) -> Any:
    with torch.inference_mode():
        return unet(latents, time, condition.text, added_cond_kwargs=condition.added).sample


@pytest.mark.parametrize("unet", [tiny_unet(), tiny_unet(linear=True), sdxl_unet()], ids=["conv", "linear", "sdxl"])
@pytest.mark.parametrize("shape", [(2, 16, 16), (4, 16, 24), (1, 8, 8)])
def test_all_active_equals_dense(unet: Any, shape: tuple[int, int, int]) -> None:
    old, new, condition = setting(unet, *shape)
    grid, cache = TileGrid(shape[1], shape[2], 4), Cache()
    with opened(unet) as denoiser:
        dense = denoiser.dense(old, 500, condition, grid, cache)
        assert torch.equal(dense, plain(unet, old, 500, condition))
        every = torch.arange(grid.count)
        sparse = grid.joined(denoiser.sparse(new, 100, condition, grid, cache, every))
    expected = plain(unet, new, 100, condition)
    assert (sparse - expected).abs().max() <= CLOSE
    assert (dense - expected).abs().max() > 0.01
