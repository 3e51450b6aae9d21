"""Our batches against transformers' own processor, network and post-processing, one input at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("transformers", reason="needs the extra 'torch'")

import tiny_checkpoints as tiny
import torch
import transformers as hf
from PIL import Image as Pillow

from suffice.errors import ModelError, UsageError
from suffice.models.check import check_rows
from suffice.models.huggingface.runner import huggingface
from suffice.models.protocol import Column, Model

TOLERANCE = 1e-4


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], list[Any]]], Path]:
    written: dict[str, Path] = {}

    def get(parts: Callable[[], list[Any]]) -> Path:
        name = parts.__name__
        if name not in written:
            written[name] = tiny.write_checkpoint(parts, tmp_path_factory.mktemp("hf") / name)
        return written[name]

    return get


def pictures() -> list[np.ndarray[Any, Any]]:
    """Two sizes, interleaved, so that a batch holds groups."""
    random = np.random.default_rng(0)
    sizes = [(40, 60), (60, 40), (40, 60), (48, 48), (40, 60)]
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def ask(model: Model, *arguments: tuple[Any, ...]) -> list[Any]:
    answers = model.predict([model.prepare(*each) for each in arguments])
    return [check_rows(model.signature, each) for each in answers]


def assert_same_rows(got: list[Any], expected: list[Any]) -> None:
    assert len(got) == len(expected)
    for row, wanted in zip(got, expected, strict=True):
        assert row[:2] == wanted[:2]
        assert row[2:] == pytest.approx(wanted[2:], abs=TOLERANCE, rel=TOLERANCE)


def reference_detections(found: Any, names: Any) -> list[Any]:
    rows = [
        (names[label], score, *box)
        for label, score, box in zip(*(found[key].tolist() for key in ("labels", "scores", "boxes")), strict=True)
    ]
    return [(index, *row) for index, row in enumerate(sorted(rows, key=lambda row: -row[1]))]


DETECTORS = {
    tiny.detr: (hf.DetrForObjectDetection, hf.DetrImageProcessorPil),
    tiny.rt_detr: (hf.RTDetrForObjectDetection, hf.RTDetrImageProcessorPil),
    tiny.yolos: (hf.YolosForObjectDetection, hf.YolosImageProcessorPil),
}


@pytest.mark.parametrize("parts", DETECTORS, ids=lambda parts: parts.__name__)
def test_object_detection(checkpoint: Any, parts: Any) -> None:
    folder = checkpoint(parts)
    model = huggingface("find", str(folder), min_score=0.3)
    answers = ask(model, *((image,) for image in pictures()))
    network, processor = (kind.from_pretrained(folder) for kind in DETECTORS[parts])
    total = 0
    for image, answer in zip(pictures(), answers, strict=True):
        outputs = network.eval()(**processor(images=Pillow.fromarray(image), return_tensors="pt"))
        sizes = [image.shape[:2]]
        [found] = processor.post_process_object_detection(outputs, threshold=0.3, target_sizes=sizes)
        assert_same_rows(answer, reference_detections(found, tiny.NAMES))
        total += len(answer)
    assert total > len(answers)
    assert model.signature.options["task"] == "object-detection"


@pytest.mark.parametrize("parts", [tiny.vit, tiny.resnet_classifier], ids=lambda parts: parts.__name__)
def test_image_classification(checkpoint: Any, parts: Any) -> None:
    folder = checkpoint(parts)
    scalar = huggingface("kind", str(folder))
    assert (scalar.signature.outputs, scalar.signature.returns) == ((Column("label", "VARCHAR"),), "scalar")
    labels = ask(scalar, *((image,) for image in pictures()))
    ranked = ask(huggingface("kinds", str(folder), returns="rows", top_k=2), *((image,) for image in pictures()))
    network = hf.AutoModelForImageClassification.from_pretrained(folder).eval()
    processor = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    for image, label, rows in zip(pictures(), labels, ranked, strict=True):
        logits = network(**processor(images=Pillow.fromarray(image), return_tensors="pt")).logits[0]
        scores, indices = logits.softmax(-1).sort(descending=True)
        assert [name for name, _ in rows] == [tiny.NAMES[int(index)] for index in indices[:2]]
        assert [score for _, score in rows] == pytest.approx(scores[:2].tolist(), abs=TOLERANCE)
        assert label == [(rows[0][0],)]


@pytest.mark.parametrize("parts", [tiny.owlvit, tiny.owlv2, tiny.grounding_dino], ids=lambda parts: parts.__name__)
def test_zero_shot_object_detection(checkpoint: Any, parts: Any) -> None:
    folder = checkpoint(parts)
    model = huggingface("find", str(folder), min_score=0)
    assert [column.type for column in model.signature.inputs] == ["IMAGE", "VARCHAR"]
    texts = ["cat", "a dog. red bus", "cat", "a red dog", "bus. cat. dog"]
    answers = ask(model, *zip(pictures(), texts, strict=True))
    network = hf.AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    kind = {"owlvit": hf.OwlViTProcessor, "owlv2": hf.Owlv2Processor}.get(parts.__name__, hf.GroundingDinoProcessor)
    images = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    processor = kind(images, hf.AutoTokenizer.from_pretrained(folder))
    total = 0
    for image, text, answer in zip(pictures(), texts, answers, strict=True):
        names = [name.strip() for name in text.split(".")]
        inputs = processor(images=Pillow.fromarray(image), text=[names], return_tensors="pt")
        options = {"threshold": 0, "target_sizes": [image.shape[:2]], "text_labels": [names]}
        [found] = processor.post_process_grounded_object_detection(network(**inputs), **options)
        columns = zip(found["text_labels"], found["scores"].tolist(), found["boxes"].tolist(), strict=True)
        rows = sorted(((label, score, *box) for label, score, box in columns), key=lambda row: -row[1])
        assert_same_rows(answer, [(index, *row) for index, row in enumerate(rows)])
        total += len(answer)
    assert total > 0


def reference_towers(folder: Path, padding: Any) -> tuple[Any, Any]:
    network = hf.AutoModel.from_pretrained(folder).eval()
    images = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)

    def image_vector(image: Any) -> Any:
        return network.get_image_features(**images(Pillow.fromarray(image), return_tensors="pt")).pooler_output[0]

    def text_vector(text: str) -> Any:
        tokens = tokenizer(text, padding=padding, max_length=16, return_tensors="pt")
        wanted = {name: tokens[name] for name in ("input_ids", *([] if padding else ["attention_mask"]))}
        return network.get_text_features(**wanted).pooler_output[0]

    return image_vector, text_vector


@pytest.mark.parametrize(("parts", "padding"), [(tiny.clip, False), (tiny.siglip, "max_length")])
def test_similarity_and_its_two_towers(checkpoint: Any, parts: Any, padding: Any) -> None:
    folder = checkpoint(parts)
    image_vector, text_vector = reference_towers(folder, padding)
    texts = ["cat", "a dog", "cat", "red bus", "cat"]
    answers = ask(huggingface("like", str(folder)), *zip(pictures(), texts, strict=True))
    cosines = [
        torch.nn.functional.cosine_similarity(image_vector(image), text_vector(text), dim=0).item()
        for image, text in zip(pictures(), texts, strict=True)
    ]
    assert [row[0] for [row] in answers] == pytest.approx(cosines, abs=TOLERANCE)
    assert max(cosines) - min(cosines) > 0.01
    [[(picture,)]] = ask(huggingface("v", str(folder), task="image-feature-extraction"), (pictures()[0],))
    expected = torch.nn.functional.normalize(image_vector(pictures()[0]), dim=0)
    assert picture == pytest.approx(expected.tolist(), abs=TOLERANCE)
    [[(raw,)]] = ask(huggingface("t", str(folder), task="feature-extraction", normalize=False), ("a dog",))
    assert raw == pytest.approx(text_vector("a dog").tolist(), abs=TOLERANCE)


def test_text_classification(checkpoint: Any) -> None:
    folder = checkpoint(tiny.bert_classifier)
    texts = ["a good film", "bad", "a red bus. a cat. dogs. a dog. a red bus. a good film. bad. bad. bad", "good dog"]
    rows = ask(huggingface("mood", str(folder), returns="rows"), *((text,) for text in texts))
    network = hf.BertForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    for text, answer in zip(texts, rows, strict=True):
        scores = network(**tokenizer(text, return_tensors="pt")).logits[0].softmax(-1)
        expected = sorted(((tiny.NAMES[i], score) for i, score in enumerate(scores.tolist())), key=lambda row: -row[1])
        assert [name for name, _ in answer] == [name for name, _ in expected]
        assert [score for _, score in answer] == pytest.approx([score for _, score in expected], abs=TOLERANCE)
    scalar = ask(huggingface("mood", str(folder)), *((text,) for text in texts))
    assert scalar == [[(answer[0][0],)] for answer in rows]


def test_sentence_embeddings_pool_as_the_checkpoint_says(checkpoint: Any, tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tiny.bert, tmp_path / "bert")
    network, tokenizer = hf.BertModel.from_pretrained(folder).eval(), hf.AutoTokenizer.from_pretrained(folder)
    texts = ["a cat", "a red bus. a good dog"]
    hidden = [network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in texts]
    mean = ask(huggingface("e", str(folder)), *((text,) for text in texts))
    for [(vector,)], tokens in zip(mean, hidden, strict=True):
        assert vector == pytest.approx(torch.nn.functional.normalize(tokens.mean(0), dim=0).tolist(), abs=TOLERANCE)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    cls = ask(huggingface("e", str(folder), normalize=False), *((text,) for text in texts))
    for [(vector,)], tokens in zip(cls, hidden, strict=True):
        assert vector == pytest.approx(tokens[0].tolist(), abs=TOLERANCE)


def test_picture_embeddings(checkpoint: Any) -> None:
    [[(vector,)]] = ask(huggingface("e", str(checkpoint(tiny.vit)), task="image-feature-extraction"), (pictures()[0],))
    folder = checkpoint(tiny.vit)
    inputs = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")(pictures()[0], return_tensors="pt")
    hidden = hf.ViTModel.from_pretrained(folder).eval()(**inputs).last_hidden_state[0, 0]
    assert vector == pytest.approx(torch.nn.functional.normalize(hidden, dim=0).tolist(), abs=TOLERANCE)
    conv = huggingface("e", str(checkpoint(tiny.resnet_classifier)), task="image-feature-extraction")
    [[(pooled,)]] = ask(conv, (pictures()[0],))
    assert len(pooled) == 16
    assert np.linalg.norm(pooled) == pytest.approx(1)


def test_half_precision_runs_and_is_another_model(checkpoint: Any) -> None:
    folder = str(checkpoint(tiny.vit))
    full, half = huggingface("k", folder, returns="rows"), huggingface("k", folder, returns="rows", dtype="bfloat16")
    assert half.signature.options != full.signature.options
    [a], [b] = ask(full, (pictures()[0],)), ask(half, (pictures()[0],))
    assert dict(b) == pytest.approx(dict(a), abs=0.05)


def test_the_version_is_the_content(tmp_path: Path) -> None:
    def version(folder: Path) -> str:
        return huggingface("m", str(folder)).signature.version

    first = tiny.write_checkpoint(tiny.vit, tmp_path / "a")
    same = tiny.write_checkpoint(tiny.vit, tmp_path / "b")
    other = tiny.write_checkpoint(tiny.vit, tmp_path / "c", seed=1)
    assert version(first) == version(same) != version(other)
    before = version(first)
    (first / "README.md").write_text("words")
    assert version(first) == before
    config = json.loads((first / "preprocessor_config.json").read_text())
    (first / "preprocessor_config.json").write_text(json.dumps({**config, "image_mean": [0.1, 0.1, 0.1]}))
    assert version(first) != before


@pytest.mark.parametrize(
    ("parts", "options", "message"),
    [
        (tiny.detr, {"task": "image-classification"}, "its task is 'object-detection', not 'image-classification'"),
        (tiny.clip, {"task": "object-detection"}, "its task is 'similarity' or"),
        (tiny.vit, {"task": "clip"}, "its task is 'image-classification' or .*, not 'clip'"),
        (tiny.vit, {"task": "image-clasification"}, "did you mean 'image-classification'"),
        (tiny.vit, {"dtpye": "float16"}, "no option 'dtpye' .did you mean 'dtype'"),
        (tiny.vit, {"dtype": "float61"}, "did you mean 'float16'"),
        (tiny.detr, {"returns": "rows"}, "option returns is for classification"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(checkpoint: Any, parts: Any, options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        huggingface("m", str(checkpoint(parts)), **options)
    assert "\n" not in str(caught.value)


def test_folders_and_hub_names_that_are_not_there(checkpoint: Any, tmp_path: Path) -> None:
    folder = checkpoint(tiny.vit)
    with pytest.raises(UsageError, match=r"there is no folder .*did you mean .*vit"):
        huggingface("m", str(folder.parent / "vitt"))
    with pytest.raises(UsageError, match=r"has no config.json"):
        huggingface("m", str(tmp_path))
    with pytest.raises(ModelError, match="hf:nobody/nothing: it is not in the local cache and the hub") as caught:
        huggingface("m", "nobody/nothing")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="a hub model is written owner/name"):
        huggingface("m", "not a name")


HUB = """
import numpy as np
from suffice.models.huggingface.runner import huggingface

model = huggingface("kind", "owner/tiny@main")
print(model.signature.version, model.predict([model.prepare(np.zeros((40, 40, 3), np.uint8))]))
huggingface("kind", "nobody/nothing")
"""


def test_a_hub_out_of_reach(tmp_path: Path) -> None:
    """In a process of its own that does look for a hub, at a port of this machine where none listens."""
    repo, commit = tmp_path / "models--owner--tiny", "a" * 40
    tiny.write_checkpoint(tiny.vit, repo / "snapshots" / commit)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    hub = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", HUB], env=os.environ | hub, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == f"{commit}-1 [[('bus',)]]"
    last = done.stderr.splitlines()[-1]
    assert last.endswith("ModelError: hf:nobody/nothing: it is not in the local cache and the hub cannot be reached")


def test_prepare_in_many_threads(checkpoint: Any) -> None:
    """Decoding threads share one tokenizer and one image processor."""
    texts = ["cat", "a dog. red bus", "a red dog", "bus. cat. dog"] * 10
    inputs = list(zip(pictures() * 8, texts, strict=True))
    for parts in (tiny.owlv2, tiny.clip):
        model = huggingface("m", str(checkpoint(parts)), **({"min_score": 0} if parts is tiny.owlv2 else {}))
        with ThreadPoolExecutor(4) as threads:
            together = model.predict(list(threads.map(lambda each, model=model: model.prepare(*each), inputs)))
        alone = [model.predict([model.prepare(*each)])[0] for each in inputs[:8]]
        for one, other in zip(together[:8], alone, strict=True):
            assert np.allclose([row[-1] for row in one], [row[-1] for row in other], atol=TOLERANCE)


def test_missing_weights_are_never_drawn_at_random(tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tiny.bert, tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["BertForSequenceClassification"]}))
    model = huggingface("m", str(folder))
    with pytest.raises(ModelError, match=r"has no weights for classifier\.\w+ and 1 more"):
        ask(model, ("a cat",))


def test_pickled_weights_load_as_tensors_only(tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tiny.vit, tmp_path / "vit")
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    expected = ask(huggingface("m", str(folder), returns="rows"), (pictures()[0],))
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert ask(huggingface("m", str(folder), returns="rows"), (pictures()[0],)) == expected
    torch.save({**weights, "evil": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        ask(huggingface("m", str(folder)), (pictures()[0],))
    assert "\n" not in str(caught.value)
    assert not Evil.ran


class Evil:
    ran = False

    def __reduce__(self) -> Any:
        return (_run_evil, ())


def _run_evil() -> None:
    Evil.ran = True


def test_a_checkpoint_that_lacks_a_part_names_it(tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tiny.vit, tmp_path / "vit")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        huggingface("m", str(folder)).prepare(pictures()[0])
    assert "\n" not in str(caught.value)


def write_processor(folder: Path, kind: str, **config: Any) -> Path:
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": kind, **config}))
    return folder


def by_hand(image: Any, size: int, antialias: bool) -> torch.Tensor:
    """To 0..1, resize, normalise: the steps of transformers' torchvision processors for RF-DETR and DINOv3."""
    planes = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    resized = torch.nn.functional.interpolate(planes, (size, size), mode="bilinear", antialias=antialias)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (resized - mean[:, None, None]) / std[:, None, None]


def test_rf_detr_without_torchvision(tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tiny.rf_detr, tmp_path / "rf")
    write_processor(folder, "RfDetrImageProcessorFast", size={"height": 32, "width": 32})
    answers = ask(huggingface("find", str(folder), min_score=0.3), *((image,) for image in pictures()))
    network, total = hf.RfDetrForObjectDetection.from_pretrained(folder).eval(), 0
    for image, answer in zip(pictures(), answers, strict=True):
        outputs = network(by_hand(image, 32, antialias=False), pixel_mask=torch.ones(1, 32, 32, dtype=torch.long))
        best = outputs.logits[0].sigmoid().flatten().topk(6)
        centre, size = outputs.pred_boxes[0][best.indices // outputs.logits.shape[2]].split(2, dim=-1)
        boxes = torch.cat([centre - size / 2, centre + size / 2], -1) * torch.tensor([*image.shape[1::-1]] * 2)
        found = {"labels": best.indices % outputs.logits.shape[2], "scores": best.values, "boxes": boxes}
        keep = best.values > 0.3
        expected = reference_detections({key: value[keep] for key, value in found.items()}, tiny.NAMES)
        assert_same_rows(answer, expected)
        total += len(answer)
    assert total > 0


def test_dinov3_without_torchvision(tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tiny.dinov3, tmp_path / "dino")
    write_processor(folder, "DINOv3ViTImageProcessorFast", size={"height": 32, "width": 32})
    [[(vector,)]] = ask(huggingface("e", str(folder), normalize=False), (pictures()[0],))
    hidden = hf.DINOv3ViTModel.from_pretrained(folder).eval()(by_hand(pictures()[0], 32, antialias=True))
    assert vector == pytest.approx(hidden.last_hidden_state[0, 0].tolist(), abs=TOLERANCE)


def test_a_processor_that_only_torchvision_has_says_so(checkpoint: Any, tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tiny.vit, tmp_path / "vit")
    write_processor(folder, "PPDocLayoutV3ImageProcessor", size={"height": 32, "width": 32})
    with pytest.raises(ModelError, match=r"cannot be loaded: .*torchvision") as caught:
        huggingface("k", str(folder)).prepare(pictures()[0])
    assert "\n" not in str(caught.value)
