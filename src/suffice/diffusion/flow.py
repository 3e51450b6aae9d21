"""Dense optical flow between two frames: Lucas and Kanade's, from coarse to fine, without weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.media.image import Image

Flow = npt.NDArray[np.float32]
"""Where each pixel of the first frame is in the second, less where it was: float32 ``[height, width, 2]``, x then y."""

Floats = npt.NDArray[np.float32]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SMALLEST_PX = 12
_ROUNDS = 4
_WINDOW_PX = 2.0
_LEAST = 1.0


def optical_flow(first: Image, second: Image) -> Flow:
    """The flow from `first` to `second`.

    At each scale the flow of the coarser one is refined a few times: the second frame is drawn back along it, and each
    pixel moves by the least-squares answer of its Gaussian neighbourhood. Flat places get next to none of their own.

    Source: Lucas and Kanade 1981; pyramid as in Bouguet 2001.
    """
    from scipy import ndimage

    frames = [np.asarray(image @ _LUMA, np.float32) for image in (first, second)]
    pyramid = [frames]
    while min(pyramid[-1][0].shape) >= 2 * _SMALLEST_PX:
        pyramid.append([ndimage.gaussian_filter(frame, 1.0)[::2, ::2] for frame in pyramid[-1]])
    flow = np.zeros((*pyramid[-1][0].shape, 2), np.float32)
    for a, b in reversed(pyramid):
        flow = _enlarged(flow, a.shape)
        for _ in range(_ROUNDS):
            flow = _refined(flow, a, b)
    return flow


def _enlarged(flow: Flow, shape: tuple[int, ...]) -> Flow:
    from scipy import ndimage

    if flow.shape[:2] == shape:
        return flow
    rows, columns = np.meshgrid(*(np.arange(side) / 2 for side in shape), indexing="ij")
    sides = [ndimage.map_coordinates(flow[..., k], (rows, columns), order=1, mode="nearest") * 2 for k in (0, 1)]
    return np.stack(sides, axis=2)


def _refined(flow: Flow, a: Floats, b: Floats) -> Flow:
    from scipy import ndimage

    drawn = warp(b, flow)
    down, across = np.gradient((a + drawn) / 2)
    change = drawn - a
    products = (across * across, across * down, down * down, across * change, down * change)
    xx, xy, yy, xt, yt = (ndimage.gaussian_filter(product, _WINDOW_PX) for product in products)
    xx, yy = xx + _LEAST, yy + _LEAST
    determinant = xx * yy - xy * xy
    moved = np.stack([(xy * yt - yy * xt) / determinant, (xy * xt - xx * yt) / determinant], axis=2)
    step = flow + np.clip(moved, -1, 1)
    return np.stack([ndimage.median_filter(step[..., side], 5) for side in (0, 1)], axis=2).astype(np.float32)


def warp(image: npt.NDArray[np.generic], flow: Flow) -> Floats:
    """`image` drawn back along `flow`: each pixel is fetched from where the flow says that it has gone."""
    from scipy import ndimage

    rows, columns = np.meshgrid(*map(np.arange, flow.shape[:2]), indexing="ij")
    places = (rows + flow[..., 1], columns + flow[..., 0])
    if image.ndim == 2:
        return np.asarray(ndimage.map_coordinates(image.astype(np.float32), places, order=1, mode="nearest"))
    sides = [warp(image[..., side], flow) for side in range(image.shape[2])]
    return np.stack(sides, axis=2)
