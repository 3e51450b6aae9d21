"""Maps of tiny checkpoints are transformers' own; masks sharpen a map by the rule that is written down."""

from __future__ import annotations

from pathlib import Path

import masks_tiny
import numpy as np
import PIL.Image
import pytest

from suffice.errors import UsageError
from suffice.masks.semantic.checkpoint_map import CheckpointMap
from suffice.masks.semantic.label_tables import ADE20K, class_ids, coco_panoptic, table_named
from suffice.masks.semantic.map_files import MapWish, map_pictures
from suffice.masks.semantic.palette import ADE20K_RGB, coloured
from suffice.masks.semantic.semantic_map import SemanticMap, enhanced
from suffice.media.mask_rle import decode_rle
from suffice.media.wants import wanted

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

AUTO = {"segformer": hf.SegformerForSemanticSegmentation, "mask2former": hf.Mask2FormerForUniversalSegmentation,
        "eomt": hf.EomtForUniversalSegmentation, "oneformer": hf.OneFormerForUniversalSegmentation}  # fmt: skip


def theirs(kind, folder, processor, image):
    """What a network is given, by transformers' own processors."""
    if kind == "oneformer":
        whole = hf.OneFormerProcessor(processor, hf.AutoTokenizer.from_pretrained(folder), task_seq_length=20)
        return whole(images=image, task_inputs=["semantic"], return_tensors="pt")
    inputs = processor(images=image, return_tensors="pt")
    inputs.pop("pixel_mask", None) if kind == "segformer" else None
    return inputs


@pytest.mark.parametrize("kind", AUTO)
def test_maps_equal_transformers(kind, checkpoints, noise):
    folder = masks_tiny.write_map(kind, checkpoints)
    found = CheckpointMap(str(folder)).map_of(noise)
    processor = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    inputs = theirs(kind, folder, processor, noise)
    with torch.inference_mode():
        outputs = AUTO[kind].from_pretrained(folder).eval()(**inputs)
    (expected,) = processor.post_process_semantic_segmentation(outputs, target_sizes=[(48, 80)])
    assert np.array_equal(found.ids, expected.numpy())
    assert found.names == ("sky", "grass", "cat")
    assert sum(found.areas().values()) == 48 * 80
    assert coloured(found).shape == (48, 80, 3)


def test_tables_are_whole():
    assert len(ADE20K) == len(ADE20K_RGB) == len(set(ADE20K)) == 150
    assert len(coco_panoptic()) == 133
    assert (ADE20K[12], ADE20K[127], ADE20K[149], coco_panoptic()[132]) == ("person", "bicycle", "flag", "rug-merged")
    assert table_named("ADE20K") is ADE20K
    with pytest.raises(UsageError, match="ade20k"):
        table_named("ade2k")


def test_categories_by_name_and_id():
    assert class_ids("sky+21 + Palm", ADE20K) == [2, 21, 72]
    with pytest.raises(UsageError, match="'sky'"):
        class_ids("skyy", ADE20K)
    with pytest.raises(UsageError, match="0 to 149"):
        class_ids("150", ADE20K)
    semantic = SemanticMap(np.array([[0, 1], [2, -1]], np.int16), ("a", "b", "c"))
    assert semantic.category("a+b+2", "1").tolist() == [[True, False], [True, False]]


def test_enhancing_by_hand():
    base = np.zeros((8, 8), np.int16)
    base[:, 4:] = 1
    base[0, 0] = 2
    large = np.zeros((8, 8), bool)
    large[:6, :5] = True
    small = np.zeros((8, 8), bool)
    small[:2, 4:7] = True
    masks = [small, large]
    given = SemanticMap(base, ("a", "b", "c"))
    once = enhanced(given, masks)
    expected = base.copy()
    expected[:6, :5] = 0
    expected[:2, 4:7] = 1
    assert np.array_equal(once.ids, expected)
    again = enhanced(once, [large & ~small, small])
    assert np.array_equal(again.ids, once.ids)
    assert np.array_equal(enhanced(given, masks, majority_min=1.0).ids[:6, :4], base[:6, :4])


def test_matting_changes_only_the_band(checkpoints, noise):
    from suffice.masks.matting import Matter, trimap

    mask = np.zeros(noise.shape[:2], bool)
    mask[12:36, 20:60] = True
    folder = masks_tiny.write_map("vitmatte", checkpoints)
    alpha = Matter(str(folder)).alpha(noise, mask, 5)
    sure = trimap(mask, 5)
    assert alpha.shape == mask.shape and np.array_equal(alpha[sure != 128], sure[sure != 128])
    processor = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    inputs = processor(images=noise, trimaps=sure, return_tensors="pt")
    with torch.inference_mode():
        expected = hf.VitMatteForImageMatting.from_pretrained(folder).eval()(**inputs).alphas[0, 0, :48, :80].numpy()
    band = sure == 128
    assert np.abs(alpha[band] / 255 - expected[band]).max() <= 0.5 / 255 + 1e-6


class Halves:
    """A network that sees two classes side by side."""

    def map_of(self, image):
        ids = np.zeros(image.shape[:2], np.int16)
        ids[:, ids.shape[1] // 2 :] = 1
        return SemanticMap(ids, ("sky", "sea"))


def test_maps_of_a_folder_keep_their_places_and_skip_what_is_broken(tmp_path, noise):
    folder, out = tmp_path / "photos", tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    for place in (folder / "a.png", folder / "deep" / "a.png"):
        PIL.Image.fromarray(noise).save(place)
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:90])
    files = wanted([str(folder)], "image")
    told = {Path(each["file"]): each for each in map_pictures(files, Halves(), MapWish("sea"), out)}
    assert "b.png" in told[folder / "b.png"]["problem"]
    for place in (folder / "a.png", folder / "deep" / "a.png"):
        assert told[place]["areas"] == {"sky": 1920, "sea": 1920}
        mask = np.array(PIL.Image.open(told[place]["files"]["mask"])) > 0
        assert mask[:, 40:].all() and not mask[:, :40].any()
    assert len({each["files"]["map"] for each in told.values() if "files" in each}) == 2
    with pytest.raises(UsageError, match="'sea'"):
        list(map_pictures(files, Halves(), MapWish("seaa"), out))


def test_maps_and_categories_over_http(checkpoints, tmp_path, noise):
    from starlette.testclient import TestClient

    from suffice.serve.app import create_app
    from suffice.serve.settings import ServeSettings

    masks_tiny.write_map("segformer", checkpoints)
    PIL.Image.fromarray(noise).save(checkpoints / "noise.png")
    settings = ServeSettings(str(tmp_path / "town.suffice"), (checkpoints,))
    asked = {"source": {"path": "noise.png"}, "model": "hf:segformer", "wait_s": 30}
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        whole = client.post("/api/masks/semantic", json=asked).json()
        one = client.post("/api/masks/category", json={**asked, "include": "0+grass+cat", "exclude": "cat"}).json()
        for job in (whole, one):
            while job["result"] is None and job["state"] in ("waiting", "running"):
                job.update(client.get(f"/api/jobs/{job['id']}", params={"wait_s": 30}).json())
    expected = CheckpointMap(str(checkpoints / "segformer")).map_of(noise)
    assert whole["result"]["areas"] == expected.areas()
    masks = {name: decode_rle(rle) for name, rle in whole["result"]["masks"].items()}
    assert all(np.array_equal(mask, expected.category(name)) for name, mask in masks.items())
    assert np.array_equal(decode_rle(one["result"]["rle"]), expected.category("sky+grass"))
