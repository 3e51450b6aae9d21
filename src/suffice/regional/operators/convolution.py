"""Convolution over active tiles: each tile is read with its halo from the kept input, and convolved without padding.

The kept map is the layer's own *input*, after norm and activation, so tiles stay gathered through a whole ResNet block
and only the ring around a tile comes from what is kept (compare gather and scatter of SIGE, arXiv:2211.02048).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.frame import Frame
    from suffice.regional.tiles import TileGrid

# below this many cells a side a matrix product over patches beats the library's direct convolution (measured on CPU)
SMALL_TILE = 2
# reads the latent, which is known whole at every step, so nothing of it is ever old
FIRST = ("conv_in", "control.conv_in")


def convolution(module: Any, frame: Frame, layer: str, maps: Tensor) -> Tensor:
    """`maps` ``[b·active, c, t, t]`` (or whole maps in a dense pass) through `module`, with its stride and bias."""
    if frame.active is None:
        return _dense(module, frame, layer, maps)
    halo = module.padding[0]
    if layer in FIRST:
        return without_padding(module, read_windows(_first_input(frame, halo), frame.grid, frame, halo))
    grid = frame.grid.scaled(frame.grid.height * maps.shape[2] // frame.grid.tile)
    shape = (frame.batch, maps.shape[1], grid.height + 2 * halo, grid.width + 2 * halo)
    padded = frame.kept(layer, shape, maps)
    write_tiles(padded, maps, grid, frame, halo)
    frame.exchange.halo(layer, padded, grid, halo)
    return without_padding(module, read_windows(padded, grid, frame, halo))


def _dense(module: Any, frame: Frame, layer: str, maps: Tensor) -> Tensor:
    from torch.nn import functional

    frame.grid.scaled(maps.shape[2])
    if layer not in FIRST:
        frame.cache.tensors[layer] = functional.pad(maps, (module.padding[0],) * 4)
    return type(module).forward(module, maps)


def _first_input(frame: Frame, halo: int) -> Tensor:
    from torch.nn import functional

    assert frame.latents is not None
    return functional.pad(frame.latents, (halo,) * 4)


def write_tiles(padded: Tensor, maps: Tensor, grid: TileGrid, frame: Frame, halo: int) -> None:
    """Put the active tiles into the kept map."""
    rows, columns = grid.places(frame.active)
    inner = padded[:, :, halo : halo + grid.height, halo : halo + grid.width]
    tiles = maps.reshape(frame.batch, -1, *maps.shape[1:]).transpose(1, 2)
    grid.windows(inner, 0)[:, :, rows, columns] = tiles


def read_windows(padded: Tensor, grid: TileGrid, frame: Frame, halo: int) -> Tensor:
    """The active tiles with their halo, ``[b·active, c, t + 2·halo, t + 2·halo]``."""
    rows, columns = grid.places(frame.active)
    windows = grid.windows(padded, halo)[:, :, rows, columns].transpose(1, 2)
    return windows.reshape(-1, *windows.shape[2:])


def without_padding(module: Any, windows: Tensor) -> Tensor:
    """Convolve windows that already carry their surroundings."""
    from torch.nn import functional

    if windows.shape[-1] - 2 * module.padding[0] > SMALL_TILE or module.groups != 1:
        return functional.conv2d(windows, module.weight, module.bias, module.stride, 0, 1, module.groups)
    return _by_patches(module, windows)


def _by_patches(module: Any, windows: Tensor) -> Tensor:
    """The same as one matrix product: for maps too small to fill a direct convolution's registers."""
    from torch.nn import functional

    kernel, stride = module.kernel_size, module.stride
    patches = windows.unfold(2, kernel[0], stride[0]).unfold(3, kernel[1], stride[1])
    count, _, height, width = patches.shape[:4]
    rows = patches.permute(0, 2, 3, 1, 4, 5).reshape(count * height * width, -1)
    out = functional.linear(rows, module.weight.reshape(module.out_channels, -1), module.bias)
    return out.reshape(count, height, width, -1).permute(0, 3, 1, 2)
