"""All active equals dense, none new equals the cache, and the checks catch a broken operator."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
sys.path.insert(0, str(Path(__file__).parents[1]))

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


def test_none_new_equals_the_cache() -> None:
    unet = tiny_unet()
    old, _, condition = setting(unet)
    grid, cache = TileGrid(16, 16, 4), Cache()
    with opened(unet) as denoiser:
        dense = denoiser.dense(old, 500, condition, grid, cache)
        kept = {name: tensor.clone() for name, tensor in cache.tensors.items()}
        some = torch.tensor([0, 5, 15])
        again = denoiser.sparse(old, 500, condition, grid, cache, some)
    assert (again - grid.cut(dense)[:, some]).abs().max() <= CLOSE
    assert all((cache.tensors[name] - tensor).abs().max() <= 1e-4 for name, tensor in kept.items())


def change_at(tiles: list[int], old: Any, new: Any, grid: TileGrid) -> Any:
    """`old` with the tiles of `new`."""
    cut = grid.cut(old)
    cut[:, tiles] = grid.cut(new)[:, tiles]
    return grid.joined(cut)


def test_resting_tiles_are_untouched_and_running_ones_see_them() -> None:
    """The cache moves where tiles ran and nowhere else; all of them run in turn twice come close to a dense pass."""
    unet = tiny_unet()
    old, new, condition = setting(unet)
    grid, cache = TileGrid(16, 16, 4), Cache()
    run, rest = [5, 6, 9], [tile for tile in range(16) if tile not in (5, 6, 9)]
    with opened(unet) as denoiser:
        denoiser.dense(old, 500, condition, grid, cache)
        name = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.key"
        before = cache.tensors[name].clone()
        denoiser.sparse(change_at(run, old, new, grid), 500, condition, grid, cache, torch.tensor(run))
    assert torch.equal(cache.tensors[name][:, rest], before[:, rest])
    assert (cache.tensors[name][:, run] - before[:, run]).abs().max() > 0.01


@pytest.mark.parametrize("broken", ["halo", "moments", "keys"])
def test_a_broken_operator_is_caught(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative controls: windows without their surroundings, moments of the step before, keys of the step before."""
    import suffice.regional.operators.convolution as convolution
    import suffice.regional.operators.group_norm as group_norm
    from suffice.regional.frame import Frame

    unet = tiny_unet()
    old, new, condition = setting(unet)
    grid, cache = TileGrid(16, 16, 4), Cache()
    with opened(unet) as denoiser:
        denoiser.dense(old, 500, condition, grid, cache)
        if broken == "halo":
            monkeypatch.setattr(convolution, "read_windows", without_surroundings(convolution.read_windows))
        elif broken == "moments":
            monkeypatch.setattr(group_norm, "merged", stale_moments(group_norm.merged))
        else:
            kept = Frame.kept
            monkeypatch.setattr(
                Frame, "kept", lambda f, name, *a: kept(f, name, *a).clone() if "attn1" in name else kept(f, name, *a)
            )
            monkeypatch.setattr("suffice.regional.operators.self_attention.attended", stale_attention(cache))
        sparse = grid.joined(denoiser.sparse(new, 100, condition, grid, cache, torch.arange(16)))
    assert (sparse - plain(unet, new, 100, condition)).abs().max() > 100 * CLOSE


def without_surroundings(read: Any) -> Any:
    def broken(padded: Any, grid: Any, frame: Any, halo: int) -> Any:
        windows = read(padded, grid, frame, halo).clone()
        windows[:, :, [0, -1]] = 0
        windows[:, :, :, [0, -1]] = 0
        return windows

    return broken


def stale_moments(merged: Any) -> Any:
    first: dict[tuple[int, ...], Any] = {}

    def broken(table: Any, cells: int) -> Any:
        return merged(first.setdefault(tuple(table.shape), table.clone() * 0.5), cells)

    return broken


def stale_attention(cache: Cache) -> Any:
    from suffice.regional.operators.self_attention import attended

    old = {id(one): one for name, one in cache.tensors.items() if name.endswith((".key", ".value"))}
    by_shape = {tuple(one.flatten(1, 2).shape): one.flatten(1, 2).clone() for one in old.values()}

    def broken(module: Any, query: Any, key: Any, value: Any) -> Any:
        return attended(module, query, by_shape.get(tuple(key.shape), key), value)

    return broken


def test_removed_without_trace() -> None:
    unet = tiny_unet()
    old, _, condition = setting(unet)
    before = {name: dict(module.__dict__) for name, module in unet.named_modules()}
    expected = plain(unet, old, 500, condition)
    with pytest.raises(ZeroDivisionError), opened(unet):
        raise ZeroDivisionError
    after = {name: dict(module.__dict__) for name, module in unet.named_modules()}
    assert {name: set(one) for name, one in before.items()} == {name: set(one) for name, one in after.items()}
    assert torch.equal(plain(unet, old, 500, condition), expected)


def test_an_unsupported_layer_is_named_and_nothing_is_touched() -> None:
    from suffice.regional.install import UnsupportedLayerError

    unet = tiny_unet()
    unet.conv_out.dilation = (2, 2)
    with pytest.raises(UnsupportedLayerError, match=r"conv_out.*run it whole with --skip off"), opened(unet):
        pass
    assert not any("forward" in module.__dict__ for module in unet.modules())


def test_an_unsupported_layer_runs_whole_where_nothing_rests() -> None:
    from suffice.regional.install import UnsupportedLayerError

    unet = tiny_unet()
    unet.conv_out.dilation, unet.conv_out.padding = (2, 2), (2, 2)
    old, _, condition = setting(unet)
    with opened(unet, skips=False) as denoiser:
        dense = denoiser.dense(old, 500, condition, TileGrid(16, 16, 4), Cache())
    assert torch.equal(dense, plain(unet, old, 500, condition))
    with pytest.raises(UnsupportedLayerError), opened(unet):
        pass


def test_tiles_before_any_whole_pass_are_refused() -> None:
    from suffice.regional.frame import StaleCacheError

    unet = tiny_unet()
    old, _, condition = setting(unet)
    with opened(unet) as denoiser, pytest.raises(StaleCacheError):
        denoiser.sparse(old, 500, condition, TileGrid(16, 16, 4), Cache(), torch.tensor([1]))


def test_work_is_linear_in_the_active_fraction() -> None:
    """Within 5%, by PyTorch's own counter, on a network wide enough that the time embedding does not count."""
    from diffusers import UNet2DConditionModel

    from suffice.regional.flops import counted

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=32, block_out_channels=(32, 64, 64), layers_per_block=1, cross_attention_dim=16,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"), attention_head_dim=4,
    ).eval()  # fmt: skip
    latents, condition, grid, cache = (
        torch.randn(1, 4, 32, 32),
        Condition(torch.randn(1, 5, 16)),
        TileGrid(32, 32, 4),
        Cache(),
    )
    with opened(unet) as denoiser:
        dense, _ = counted(lambda: denoiser.dense(latents, 9, condition, grid, Cache()))
        denoiser.dense(latents, 9, condition, grid, cache)
        for active in (4, 16, 32, 48, 64):
            tiles = torch.arange(active)
            some, _ = counted(lambda a=tiles: denoiser.sparse(latents, 9, condition, grid, cache, a))
            assert some / dense == pytest.approx(active / 64, rel=0.05)


def test_controlnet_rests_with_the_unet() -> None:
    from tiny_diffusion import TEXT, tiny_controlnet
    from tiny_diffusion import tiny_unet as small_unet

    torch.manual_seed(0)
    unet, control = small_unet().eval(), tiny_controlnet().eval()
    latents = torch.randn(2, 2, 4, 8, 8)
    condition = Condition(torch.randn(2, 5, TEXT), hint=torch.rand(1, 3, 32, 32), strength=0.7)
    grid, cache, every = TileGrid(8, 8, 2), Cache(), torch.arange(16)
    with torch.no_grad():
        hint = condition.hint.expand(2, -1, -1, -1)
        down, middle = control(
            latents[1], 100, condition.text, controlnet_cond=hint, conditioning_scale=0.7, return_dict=False
        )
        expected = unet(
            latents[1], 100, condition.text, down_block_additional_residuals=down, mid_block_additional_residual=middle
        ).sample
    with opened(unet, control) as denoiser:
        dense = denoiser.dense(latents[0], 500, condition, grid, cache)
        sparse = grid.joined(denoiser.sparse(latents[1], 100, condition, grid, cache, every))
        some = denoiser.sparse(latents[1], 100, condition, grid, cache, every[3:7])
    assert (sparse - expected).abs().max() <= CLOSE
    assert (some - grid.cut(expected)[:, 3:7]).abs().max() <= CLOSE
    assert (dense - expected).abs().max() > 0.01
    assert (plain(unet, latents[1], 100, condition) - expected).abs().max() > 0.01
    assert not any("forward" in module.__dict__ for module in control.modules())


@pytest.mark.parametrize("each_frame", [True, False])
def test_motion_modules_rest_with_the_unet(each_frame: bool) -> None:
    """Both ways in which their first norm looks at frames; the module is taken out again without trace."""
    from tiny_diffusion import TEXT, tiny_adapter
    from tiny_diffusion import tiny_unet as small_unet

    from suffice.diffusion.motion.inject import injected
    from suffice.diffusion.motion.kind import MotionKind
    from suffice.diffusion.motion.load import Motion

    torch.manual_seed(0)
    unet, adapter = small_unet().eval(), tiny_adapter().eval()
    motion = Motion("tiny", MotionKind("tiny", None, 8, 8, {}, norm_each_frame=each_frame), adapter)
    latents, condition = torch.randn(2, 6, 4, 8, 8), Condition(torch.randn(6, 5, TEXT), frames=3)
    with injected(unet, motion) as frames:
        frames.count = 3
        expected = plain(unet, latents[1], 100, condition)
    grid, cache, every = TileGrid(8, 8, 2), Cache(), torch.arange(16)
    with opened(unet, None, motion) as denoiser:
        dense = denoiser.dense(latents[0], 500, condition, grid, cache)
        sparse = grid.joined(denoiser.sparse(latents[1], 100, condition, grid, cache, every))
        some = denoiser.sparse(latents[1], 100, condition, grid, cache, every[3:7])
    assert (sparse - expected).abs().max() <= CLOSE
    assert (some - grid.cut(expected)[:, 3:7]).abs().max() <= CLOSE
    assert (dense - expected).abs().max() > 0.01
    assert (plain(unet, latents[1], 100, condition) - expected).abs().max() > 1e-3  # the module does something
    assert not any("forward" in m.__dict__ or m._forward_hooks for n in (unet, adapter) for m in n.modules())


def test_a_motion_module_that_norms_all_frames_as_one_is_refused() -> None:
    from tiny_diffusion import tiny_adapter
    from tiny_diffusion import tiny_unet as small_unet

    from suffice.diffusion.motion.kind import MotionKind
    from suffice.diffusion.motion.load import Motion
    from suffice.regional.install import UnsupportedLayerError

    kind = MotionKind("tiny v1", None, 8, 8, {}, norm_over_frames=True)
    unet, motion = small_unet().eval(), Motion("tiny", kind, tiny_adapter().eval())
    with pytest.raises(UnsupportedLayerError, match="tiny v1 norms all frames"), opened(unet, None, motion):
        pass
    assert not any("forward" in m.__dict__ or m._forward_hooks for m in unet.modules())
