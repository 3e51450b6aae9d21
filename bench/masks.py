"""Masks without segmentation weights: the default segmenter against the filled box and OpenCV's GrabCut from the box.

The test is the three labelled VOC2011 pictures of Debian's package labelme-examples (16 polygons, those named
`__ignore__` left out): unpack it and give its folder `instance_segmentation/data_annotated` with --voc. Nothing was
chosen on it.
Scenes composed here, hostile on purpose (low contrast, holes, thin parts, truncation), are measured beside it. IoU is
between full-size masks; a click is in the middle of the thing (its deepest pixel).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # read as NumPy is imported: one core is one core

import cv2
import numpy as np
import PIL.Image
from PIL import ImageDraw
from report import save, seconds
from scipy import ndimage

from suffice.masks.default.everything import mask_iou
from suffice.masks.default.segmenter import DefaultSegmenter
from suffice.masks.prompt import Point, ThingPrompt
from suffice.media.mask_crop import mask_box
from suffice.media.mask_dilate import dilate
from suffice.media.mask_rle import Mask
from suffice.models.protocol import Image

Sample = tuple[Image, Mask]
TESTS = Path(__file__).parents[1] / "tests"


def voc(folder: Path) -> Iterator[Sample]:
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        image = np.array(PIL.Image.open(path.with_suffix(".jpg")).convert("RGB"))
        for shape in content["shapes"]:
            if "ignore" not in shape["label"]:
                mask = PIL.Image.new("1", image.shape[1::-1])
                ImageDraw.Draw(mask).polygon([tuple(p) for p in shape["points"]], fill=1, outline=1)
                yield image, np.array(mask)


def scenes(count: int, seed: int = 1) -> Iterator[Sample]:
    """Blobs of one photograph's texture on another's, of scikit-image's."""
    import skimage.data

    photographs = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        ground, cloth = (_patch(photographs[rng.integers(4)], rng) for _ in range(2))
        mask = _blob(rng, *ground.shape[:2])
        if mask.sum() < 400:
            continue
        if rng.random() < 0.35:
            cloth = cloth - cloth[mask].mean(axis=0) + ground[mask].mean(axis=0) + rng.normal(0, 18, 3)
        alpha = ndimage.gaussian_filter(mask.astype(float), 0.8)[..., None]
        image = cloth * alpha + ground * (1 - alpha) + rng.normal(0, 3, ground.shape)
        yield np.clip(image, 0, 255).astype(np.uint8), mask
        made += 1


def _patch(photograph: Image, rng: np.random.Generator) -> np.ndarray:
    height, width = 300, 400
    scale = max(height / photograph.shape[0], width / photograph.shape[1]) * rng.uniform(1, 1.6)
    size = (int(photograph.shape[1] * scale) + 1, int(photograph.shape[0] * scale) + 1)
    pixels = np.array(PIL.Image.fromarray(photograph).resize(size))
    y, x = rng.integers(pixels.shape[0] - height + 1), rng.integers(pixels.shape[1] - width + 1)
    return pixels[y : y + height, x : x + width].astype(float)


def _blob(rng: np.random.Generator, height: int, width: int) -> Mask:
    """A star-like outline, sometimes with a hole, a thin arm, or cut by the picture's edge."""
    rows, columns = np.mgrid[:height, :width]
    size = rng.uniform(30, 130, 2)
    y, x = rng.uniform(0, height), rng.uniform(0, width)
    angle = np.arctan2((rows - y) / size[0], (columns - x) / size[1])
    reach = 0.6 + sum(rng.normal(0, 0.25 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(1, 7))
    away = np.hypot((rows - y) / size[0], (columns - x) / size[1])
    mask = away < np.clip(reach, 0.15, 1)
    if rng.random() < 0.3:
        mask &= np.hypot(rows - y, columns - x) > size.min() * rng.uniform(0.08, 0.2)
    if rng.random() < 0.3:
        mask |= (np.abs(rows - y + (columns - x) * rng.uniform(-0.6, 0.6)) < 3) & (np.abs(columns - x) < size[1])
    return ndimage.label(mask)[0] == 1


def filled(image: Image, mask: Mask) -> Mask:
    box = mask_box(mask)
    full = np.zeros(mask.shape, bool)
    full[box.y0 : box.y1, box.x0 : box.x1] = True
    return full


def grabcut(image: Image, mask: Mask) -> Mask:
    box = mask_box(mask)
    labels = np.zeros(mask.shape, np.uint8)
    rectangle = (box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0)
    cv2.setRNGSeed(0)
    cv2.grabCut(
        image[..., ::-1].copy(), labels, rectangle, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_RECT
    )
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


def by_box(segmenter: DefaultSegmenter) -> Callable[[Image, Mask], Mask]:
    def answer(image: Image, mask: Mask) -> Mask:
        box = tuple(map(float, mask_box(mask)))
        return segmenter.segment(segmenter.encode(image), [ThingPrompt(box_xyxy=box)])[0][0].mask  # type: ignore[arg-type]

    return answer


def by_click(segmenter: DefaultSegmenter) -> Callable[[Image, Mask], Mask]:
    def answer(image: Image, mask: Mask) -> Mask:
        return segmenter.segment(segmenter.encode(image), [click_on(mask)])[0][0].mask

    return answer


def click_on(mask: Mask) -> ThingPrompt:
    """In the middle: at its deepest pixel."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), mask.shape)
    return ThingPrompt(points=(Point(float(x), float(y)),))


def dilations() -> Iterator[dict[str, object]]:
    """A 4K mask grown by a disk, ours and OpenCV's in turn; the masks are equal."""
    mask = np.random.default_rng(0).random((54, 96)).repeat(40, axis=0).repeat(40, axis=1) > 0.6
    for radius in (1, 3, 10, 20):
        offsets = np.arange(-radius, radius + 1)
        disk = (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.uint8)
        pixels = mask.astype(np.uint8)
        assert np.array_equal(dilate(mask, radius), cv2.dilate(pixels, disk) > 0)
        ours, theirs = [], []
        for _ in range(9):  # in turn, and processor time: other work on the machine does not count
            ours.append(_cpu_s(partial(dilate, mask, radius)))
            theirs.append(_cpu_s(partial(cv2.dilate, pixels, disk)))
        found = round(min(ours) / min(theirs), 2)
        yield {"set": "dilate a 4K mask", "radius_px": radius, "time_by_opencvs": found}
        print(f"dilate 2160 x 3840 by {radius:2}: {found} of OpenCV's time", flush=True)


def _cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def below_filled(found: list[float], samples: list[Sample]) -> int:
    """Things that the filled box covers better."""
    return sum(iou < mask_iou(filled(*sample), sample[1]) for iou, sample in zip(found, samples, strict=True))


def oracle_click(segmenter: DefaultSegmenter) -> Callable[[Image, Mask], Mask]:
    """The best of the three readings, by the truth: what choosing perfectly would give."""

    def answer(image: Image, mask: Mask) -> Mask:
        readings = segmenter.segment(segmenter.encode(image), [click_on(mask)])[0]
        return max((each.mask for each in readings), key=lambda each: mask_iou(each, mask))

    return answer


def hundred_prompts(rounds: int = 3) -> Iterator[dict[str, object]]:
    """100 clicks on one picture through :func:`ask`, by one encoding and 100 runs of the decoder alone."""
    import tempfile

    sys.path[:0] = [str(TESTS / "real" / "masks"), str(TESTS / "real" / "huggingface")]
    import masks_tiny

    from suffice.masks.ask import ask
    from suffice.masks.embeddings import Embeddings
    from suffice.masks.prompt import Prompt, point_prompt
    from suffice.masks.promptable.checkpoint_segmenter import CheckpointSegmenter, prompt_arrays

    image = np.random.default_rng(0).integers(0, 255, (576, 768, 3), dtype=np.uint8)
    points = [Point(float(x), float(y)) for y in range(28, 576, 57) for x in range(38, 760, 76)]
    with tempfile.TemporaryDirectory() as folder:
        segmenter = CheckpointSegmenter(str(masks_tiny.write("sam_with_its_own_decoder", Path(folder))))

        def one_by_one() -> None:
            kept = Embeddings()
            for point in points:
                ask(image, point_prompt(point), segmenter, embeddings=kept)

        def together() -> None:
            ask(image, Prompt(tuple(ThingPrompt((point,)) for point in points)), segmenter)

        def bare() -> None:
            encoded = segmenter.encode(image)
            for point in points:
                segmenter.decode(encoded, prompt_arrays([ThingPrompt((point,))], encoded.canvas))

        bare()
        for name, way in {"one by one": one_by_one, "in one prompt": together}.items():
            shares = [_cpu_s(way) / _cpu_s(bare) for _ in range(rounds)]
            share = {"time_by_encoding_and_100_decodings": round(min(shares), 2)}
            yield {"set": "100 clicks on one picture", "way": name, **share}
            print(f"100 clicks {name}: {min(shares):.2f} of one encoding and 100 decodings", flush=True)


def folder_of(count: int) -> Iterator[dict[str, object]]:
    """Wall time of `count` pictures, people found and cut out, by one job and by one a core; on a quiet machine."""
    import tempfile

    from suffice.assets import asset_path
    from suffice.masks.batch import Request, mask_pictures
    from suffice.masks.crew import Workshop
    from suffice.masks.default.finder import DefaultFinder
    from suffice.masks.embeddings import Embeddings
    from suffice.masks.picture_files import save_picture
    from suffice.masks.prompt import text_prompt
    from suffice.media.decode_frames import decode_frames
    from suffice.media.index_video import index_video
    from suffice.media.scan import expand

    clip = str(asset_path("pedestrians.mp4"))
    with tempfile.TemporaryDirectory() as folder:
        for number, frame in decode_frames(clip, list(range(0, 7 * count, 7)), index_video(clip)):
            save_picture(Path(folder) / f"{number:04}.png", frame)
        files, request = expand(folder), Request(text_prompt("person"))

        def by(jobs: int) -> float:
            workshop = Workshop(DefaultSegmenter("fast"), DefaultFinder(), Embeddings())
            with tempfile.TemporaryDirectory() as out:
                return seconds(lambda: list(mask_pictures(files, request, workshop, Path(out), jobs)))

        by(1)
        cores = os.cpu_count() or 1
        gain = by(1) / by(cores)
        yield {"set": f"a folder of {count} pictures", "cores": cores, "times_one_core": round(gain, 2)}
        print(f"{count} pictures on {cores} cores: {gain:.2f} times one core", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voc", type=Path, default=None)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--ways", default="", help="only those with this in their name")
    parser.add_argument("--folder", type=int, default=100, help="pictures of the folder")
    parser.add_argument("--parts", default="iou,dilate,prompts,folder", help="which to run")
    parser.add_argument("--name", default="masks", help="of the file of results")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with_iou = "iou" in arguments.parts.split(",")
    sets = {"composed scenes": list(scenes(arguments.scenes))} if arguments.scenes and with_iou else {}
    if arguments.voc and with_iou:
        sets["VOC2011, labelme-examples"] = list(voc(arguments.voc))
    ways = {
        "the filled box": filled,
        "OpenCV GrabCut, box": grabcut,
        "default, box": by_box(DefaultSegmenter()),
        "default:fast, box": by_box(DefaultSegmenter("fast")),
        "default, one click": by_click(DefaultSegmenter()),
        "default, one click, the best of three": oracle_click(DefaultSegmenter()),
    }
    results: list[dict[str, object]] = []
    for name, samples in sets.items():
        for way, answer in ((way, answer) for way, answer in ways.items() if arguments.ways in way):
            started = time.process_time()
            found = [mask_iou(answer(image, mask), mask) for image, mask in samples]
            cpu_s = (time.process_time() - started) / len(samples)
            row = {"set": name, "things": len(samples), "way": way, "mean_iou": round(float(np.mean(found)), 3)}
            row |= {"below_the_filled_box": below_filled(found, samples)}
            results.append({**row, "cpu_s_a_thing": round(cpu_s, 3)})
            print(f"{name:28} {way:22} IoU {row['mean_iou']:.3f}   {cpu_s:.3f} CPU-s", flush=True)
    parts = {"dilate": dilations, "prompts": hundred_prompts, "folder": partial(folder_of, arguments.folder)}
    for name, part in parts.items():
        if name in arguments.parts.split(","):
            results += part()
    save(arguments.name, results)


if __name__ == "__main__":
    main()
