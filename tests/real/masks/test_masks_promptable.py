"""Tiny random checkpoints: our pixels, prompts and masks are transformers' own."""

from __future__ import annotations

import json
from itertools import pairwise

import masks_tiny
import numpy as np
import pytest

from suffice.errors import ModelError, UsageError
from suffice.masks.ask import ask
from suffice.masks.embeddings import Embeddings
from suffice.masks.names import finder_named, segmenter_named
from suffice.masks.prompt import Point, Prompt, ThingPrompt, point_prompt
from suffice.masks.promptable.automatic import AutomaticSettings
from suffice.masks.promptable.canvas import HALF_MEAN, HALF_STD, IMAGENET_MEAN, IMAGENET_STD, bilinear, canvas_of, draw
from suffice.masks.promptable.checkpoint_segmenter import CheckpointSegmenter, prompt_arrays

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

POINTS = ThingPrompt(points=(Point(10, 12), Point(60, 30, False)))
BOX = ThingPrompt(box_xyxy=(5.0, 6.0, 40.5, 30.0))
BOTH = ThingPrompt(points=(Point(20, 20),), box_xyxy=(5.0, 6.0, 40.5, 30.0))


def theirs(kind, folder, image, thing):
    """Masks, logits and scores as transformers' own processor and model make them (SAM and SAM-HQ)."""
    classes = {"sam": (hf.SamModel, hf.SamProcessor), "sam_hq": (hf.SamHQModel, hf.SamHQProcessor)}
    processor = classes[kind][1](
        hf.SamImageProcessorPil(
            size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}, mask_pad_size={"height": 16, "width": 16}
        )
    )
    processor.target_size = 64
    model = classes[kind][0].from_pretrained(folder).eval()
    asked = {}
    if thing.points:
        asked["input_points"] = [[[[p.x, p.y] for p in thing.points]]]
        asked["input_labels"] = [[[int(p.is_on) for p in thing.points]]]
    if thing.box_xyxy:
        asked["input_boxes"] = [[list(thing.box_xyxy)]]
    inputs = processor(image, return_tensors="pt", **asked)
    with torch.inference_mode():
        outputs = model(**{k: v for k, v in inputs.items() if k not in ("original_sizes", "reshaped_input_sizes")})
    masks = processor.image_processor.post_process_masks(
        outputs.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"]
    )
    return inputs, outputs, masks[0][0].numpy()


@pytest.mark.parametrize("thing", [POINTS, BOX, BOTH], ids=["points", "box", "both"])
@pytest.mark.parametrize("kind", ["sam", "sam_hq"])
def test_masks_equal_transformers(kind, thing, checkpoints, noise):
    folder = masks_tiny.write(kind, checkpoints)
    segmenter = CheckpointSegmenter(str(folder))
    encoded = segmenter.encode(noise)
    inputs, outputs, masks = theirs(kind, folder, noise, thing)
    pixels = draw(noise, encoded.canvas, segmenter.family.mean, segmenter.family.std)
    assert np.abs(pixels - np.asarray(inputs["pixel_values"])).max() <= 1e-4
    decoded = segmenter.decode(encoded, prompt_arrays([thing], encoded.canvas))
    assert np.abs(decoded.logits - outputs.pred_masks[0].numpy()).max() <= 1e-4
    assert np.abs(decoded.scores - outputs.iou_scores[0].numpy()).max() <= 1e-4
    (candidates,) = segmenter.segment(encoded, [thing])
    assert len(candidates) == 3
    for ours, other in zip(candidates, masks, strict=True):
        assert ours.mask.shape == noise.shape[:2]
        assert np.array_equal(ours.mask, other)


NEWER = {"sam2": ("Sam2Model", 64), "sam3_tracker": ("Sam3TrackerModel", 56), "edgetam": ("EdgeTamModel", 64)}


@pytest.mark.parametrize("thing", [POINTS, BOX, BOTH], ids=["points", "box", "both"])
@pytest.mark.parametrize("kind", NEWER)
def test_newer_networks_equal_their_own_models_on_the_same_pixels(kind, thing, checkpoints, noise):
    """transformers' processors for them need torchvision: their steps are written out here as its source has them."""
    name, side = NEWER[kind]
    folder = masks_tiny.write(kind, checkpoints)
    with masks_tiny.pyramids():
        segmenter = CheckpointSegmenter(str(folder))
        encoded = segmenter.encode(noise)
        model = getattr(hf, name).from_pretrained(folder).eval()
    pixels = torch.from_numpy(draw(noise, encoded.canvas, segmenter.family.mean, segmenter.family.std))
    assert pixels.shape == (1, 3, side, side)
    scale = torch.tensor([side / 80, side / 48])
    asked = {}
    if thing.points:
        asked["input_points"] = (torch.tensor([[[[p.x, p.y] for p in thing.points]]]) * scale).float()
        asked["input_labels"] = torch.tensor([[[int(p.is_on) for p in thing.points]]])
    if thing.box_xyxy:
        asked["input_boxes"] = (torch.tensor(thing.box_xyxy).reshape(2, 2) * scale).reshape(1, 1, 4).float()
    with torch.inference_mode():
        outputs = model(pixel_values=pixels, **asked)
    decoded = segmenter.decode(encoded, prompt_arrays([thing], encoded.canvas))
    assert np.abs(decoded.logits - outputs.pred_masks[0].numpy()).max() <= 1e-4
    assert np.abs(decoded.scores - outputs.iou_scores[0].numpy()).max() <= 1e-4
    low = outputs.pred_masks[0]
    masks = torch.nn.functional.interpolate(low, (48, 80), mode="bilinear", align_corners=False)[0] > 0
    (candidates,) = segmenter.segment(encoded, [thing])
    assert len(candidates) == 3
    for ours, other in zip(candidates, masks.numpy(), strict=True):
        assert np.array_equal(ours.mask, other)


@pytest.mark.parametrize("kind", ["sam3", "sam3_video"])
def test_sam3_finds_words_with_masks_as_its_own_model_does(kind, checkpoints, noise):
    """The steps of its processor (which needs torchvision) are written out here as its source has them."""
    folder = masks_tiny.write(kind, checkpoints)
    finder = finder_named(f"hf:{folder}")
    found = finder.find(noise, Prompt(texts=("cat. dog",), box_score_min=0.0))
    assert {each.asked for each in found} == {"cat", "dog"} and len(found) == 12
    model = hf.Sam3Model.from_pretrained(folder).eval()
    tokens = hf.AutoTokenizer.from_pretrained(folder)("dog", padding="max_length", max_length=32, return_tensors="pt")
    pixels = torch.from_numpy(draw(noise, canvas_of(48, 80, 56, "stretch"), HALF_MEAN, HALF_STD))
    with torch.inference_mode():
        outputs = model(pixel_values=pixels, input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
    scores = (outputs.pred_logits.sigmoid() * outputs.presence_logits.sigmoid())[0]
    boxes = outputs.pred_boxes[0] * torch.tensor([80, 48, 80, 48])
    masks = torch.nn.functional.interpolate(outputs.pred_masks.sigmoid(), (48, 80), mode="bilinear")[0] > 0.5
    order = scores.argsort(descending=True)
    ours = [each for each in found if each.asked == "dog"]
    assert np.abs(np.array([each.score for each in ours]) - scores[order].numpy()).max() <= 1e-4
    assert np.abs(np.array([each.box_xyxy for each in ours]) - boxes[order].numpy()).max() <= 1e-2
    assert all(np.array_equal(each.mask, masks[index].numpy()) for each, index in zip(ours, order, strict=True))
    assert finder.find(noise, Prompt(texts=("cat",), box_score_min=float(scores.max()) + 0.5)) == []


def test_a_mask_that_the_finder_gave_is_the_answer(checkpoints, noise):
    finder = finder_named(f"hf:{masks_tiny.write('sam3', checkpoints)}")
    segmenter = CheckpointSegmenter(str(masks_tiny.write("sam3_tracker", checkpoints)))
    prompt = Prompt(texts=("dog",), box_score_min=0.0, iou_max=1.0)
    found = {round(each.score, 6): each for each in finder.find(noise, prompt)}
    things = ask(noise, prompt, segmenter, finder)
    assert len(things) == len(found) == 6
    assert all(np.array_equal(thing.mask, found[round(thing.score, 6)].mask) for thing in things)


def test_things_prompted_together_are_things_prompted_alone(checkpoints, noise):
    segmenter = CheckpointSegmenter(str(masks_tiny.write("sam", checkpoints)))
    encoded = segmenter.encode(noise)
    other = ThingPrompt(points=(Point(30, 5), Point(2, 2)))
    previous = np.zeros(noise.shape[:2], bool)
    previous[10:30, 20:50] = True
    things = [POINTS, BOX, other, BOTH, ThingPrompt(mask=previous)]
    together = segmenter.segment(encoded, things)
    for thing, found in zip(things, together, strict=True):
        (alone,) = segmenter.segment(encoded, [thing])
        assert [c.score for c in alone] == pytest.approx([c.score for c in found], abs=1e-5)
        assert all(np.mean(a.mask != b.mask) < 0.001 for a, b in zip(alone, found, strict=True))


def test_a_previous_mask_changes_the_answer(checkpoints, noise):
    segmenter = CheckpointSegmenter(str(masks_tiny.write("sam", checkpoints)))
    encoded = segmenter.encode(noise)
    previous = np.zeros(noise.shape[:2], bool)
    previous[10:30, 20:50] = True
    (plain,) = segmenter.segment(encoded, [POINTS])
    (again,) = segmenter.segment(encoded, [ThingPrompt(points=POINTS.points, mask=previous)])
    assert any(not np.array_equal(a.mask, b.mask) for a, b in zip(plain, again, strict=True))


def test_numpy_resizing_is_torchs():
    planes = np.random.default_rng(1).normal(size=(3, 16, 16)).astype(np.float32)
    for size in [(64, 64), (48, 80), (9, 7)]:
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(planes)[None], size, mode="bilinear", align_corners=False
        )[0].numpy()
        assert np.abs(bilinear(planes, *size) - expected).max() <= 1e-5


@pytest.mark.parametrize("kind", ["sam", "sam_hq", "sam2", "sam3_tracker", "sam3_video"])
def test_a_picture_is_encoded_once(kind, checkpoints, noise, tmp_path):
    segmenter = CheckpointSegmenter(str(masks_tiny.write(kind, checkpoints)))
    embeddings = Embeddings(tmp_path / "kept")
    for x in range(10):
        ask(noise, point_prompt(Point(x, x)), segmenter, embeddings=embeddings)
    assert embeddings.encoded_count == 1
    again = Embeddings(tmp_path / "kept")
    (first,) = ask(noise, point_prompt(Point(3, 3)), segmenter, embeddings=embeddings)
    (second,) = ask(noise, point_prompt(Point(3, 3)), segmenter, embeddings=again)
    assert again.encoded_count == 0
    assert np.array_equal(first.mask, second.mask)
    ask(255 - noise, point_prompt(Point(3, 3)), segmenter, embeddings=again)
    assert again.encoded_count == 1


def test_everything_obeys_its_thresholds(checkpoints, noise):
    folder = str(masks_tiny.write("sam", checkpoints))
    lenient = AutomaticSettings(points_per_side=3, score_min=-1, stability_min=0, box_iou_max=1.0, crop_layers=1)
    found = CheckpointSegmenter(folder, lenient)
    candidates = found.everything(found.encode(noise))
    assert candidates and all(a.score >= b.score for a, b in pairwise(candidates))
    strict = CheckpointSegmenter(folder, AutomaticSettings(points_per_side=3, score_min=0.9))
    assert strict.everything(strict.encode(noise)) == []


def test_a_checkpoint_of_the_wrong_family_says_which(tmp_path):
    for kind, hint in {"grounding-dino": "finder", "segformer": "semantic", "bert": "'bert'"}.items():
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"model_type": kind}))
        with pytest.raises(UsageError, match=kind) as caught:
            segmenter_named(f"hf:{folder}")
        assert hint in str(caught.value)
    with pytest.raises(UsageError, match="segformer"):
        finder_named(f"hf:{tmp_path / 'segformer'}")


def test_truncated_weights_are_one_line(checkpoints, noise, tmp_path):
    source = masks_tiny.write("sam", checkpoints)
    for file in source.iterdir():
        content = file.read_bytes()
        (tmp_path / file.name).write_bytes(content[:-100] if file.suffix == ".safetensors" else content)
    segmenter = CheckpointSegmenter(str(tmp_path))
    with pytest.raises(ModelError) as caught:
        ask(noise, Prompt(things=(BOX,)), segmenter)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["sam2_video", "sam3_video"])
def test_a_network_with_memory_follows_in_bounded_memory(kind, checkpoints):
    from suffice.masks.promptable.video_session import VideoSession
    from suffice.masks.tracking.follow import Follow, Numbered

    rng = np.random.default_rng(0)
    frames = [(n, rng.integers(0, 255, (48, 80, 3), dtype=np.uint8)) for n in range(26)]
    things = (ThingPrompt(points=(Point(10, 10),)), ThingPrompt(box_xyxy=(30, 10, 60, 40)))
    folder = masks_tiny.write(kind, checkpoints)
    session = VideoSession(str(folder))
    seen = list(session.follow(frames, Follow(Prompt(things=things))))
    assert session.kept_frames_max <= 17 < len(frames)
    later = Follow(Prompt(things=things), {9: [Numbered(7, ThingPrompt(box_xyxy=(5, 5, 20, 20)))]})
    told = list(session.follow(frames[:12], later))
    assert {t.id for t in told[8].things} <= {1, 2} and {t.id for t in told[11].things} == {1, 2, 7}
    assert theirs_followed(kind, folder, frames, things) == [
        [(thing.id, thing.area) for thing in each.things] for each in seen
    ]


FOLLOWERS = {
    "sam2_video": ("Sam2Video", 64, IMAGENET_MEAN, IMAGENET_STD),
    "sam3_video": ("Sam3TrackerVideo", 56, HALF_MEAN, HALF_STD),
}


def theirs_followed(kind, folder, frames, things):
    """The same through one session of transformers that streams and forgets nothing."""
    name, side, mean, std = FOLLOWERS[kind]
    canvas = canvas_of(48, 80, side, "stretch")
    session = getattr(hf, f"{name}InferenceSession")(video_height=48, video_width=80, dtype=torch.float32)
    scale = torch.tensor([side / 80, side / 48])
    for number, thing in enumerate(things, 1):
        xy = [[p.x, p.y] for p in thing.points] or [thing.box_xyxy[:2], thing.box_xyxy[2:]]
        labels = [1] if thing.points else [2, 3]
        given = {
            "point_coords": (torch.tensor(xy)[None, None] * scale).float(),
            "point_labels": torch.tensor(labels, dtype=torch.int32)[None, None],
        }
        session.add_point_inputs(session.obj_id_to_idx(number), 0, given)
    session.obj_with_new_inputs = [1, 2]
    model = getattr(hf, f"{name}Model").from_pretrained(folder).eval()
    followed = []
    for _, image in frames:
        pixels = torch.from_numpy(draw(image, canvas, mean, std))
        with torch.inference_mode():
            outputs = model(inference_session=session, frame=pixels)
        masks = torch.nn.functional.interpolate(outputs.pred_masks, (48, 80), mode="bilinear", align_corners=False)[
            :, 0
        ]
        areas = [int((mask > 0).sum()) for mask in masks]
        odds = outputs.object_score_logits.ravel().tolist()
        followed.append([(i, a) for i, a, odd in zip(outputs.object_ids, areas, odds, strict=True) if odd > 0 and a])
    return followed


@pytest.mark.parametrize("kind", ["grounding_dino", "owlv2"])
def test_finders_equal_transformers(kind, checkpoints, tmp_path):
    import tiny_checkpoints

    torch.manual_seed(3)
    folder = tmp_path / kind
    for part in getattr(tiny_checkpoints, kind)():
        part.save_pretrained(folder)
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    finder = finder_named(f"hf:{folder}")
    prompt = Prompt(texts=("cat. dog",), box_score_min=0.0, text_score_min=0.0)
    found = finder.find(image, prompt)
    assert found and all(a.box_xyxy[2] >= a.box_xyxy[0] for a in found)
    processor = finder._processor()
    inputs = processor(images=[image], text=[["cat", "dog"]], input_data_format="channels_last", return_tensors="pt")
    with torch.inference_mode():
        outputs = hf.AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()(**inputs)
    extra = {"input_ids": inputs["input_ids"], "text_threshold": 0.0} if kind == "grounding_dino" else {}
    (expected,) = processor.post_process_grounded_object_detection(
        outputs=outputs, threshold=0.0, target_sizes=[(40, 60)], text_labels=[["cat", "dog"]], **extra
    )
    assert np.abs(np.array([f.box_xyxy for f in found]) - expected["boxes"].numpy()).max() <= 1e-4
    assert np.abs(np.array([f.score for f in found]) - expected["scores"].numpy()).max() <= 1e-4
