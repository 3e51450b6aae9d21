from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_graphs import channel_means, constant_for_each, write_graph

from suffice.errors import ModelError, UsageError
from suffice.models.check import check_rows
from suffice.models.onnx import onnx
from suffice.models.protocol import Column, Model

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def picture(*rgb: int, height: int = 10, width: int = 20) -> np.ndarray[Any, Any]:
    return np.full((height, width, 3), rgb, np.uint8)


def ask(model: Model, *arguments: tuple[Any, ...]) -> list[Any]:
    """The rows for each input, all of them in one batch, checked as the engine checks them."""
    answers = model.predict([model.prepare(*each) for each in arguments])
    return [each if isinstance(each, Exception) else check_rows(model.signature, each) for each in answers]


@pytest.mark.parametrize(
    ("dims", "kind", "expected"),
    [
        (["n", 3, 8, 8], FLOAT, [1.0, 0.2, 0.0]),
        (["n", 8, 8, 3], FLOAT, [1.0, 0.2, 0.0]),
        ([1, 3, 8, 8], FLOAT, [1.0, 0.2, 0.0]),
        ([4, 3, 8, 8], FLOAT, [1.0, 0.2, 0.0]),
        (["n", 3, "h", "w"], FLOAT, [1.0, 0.2, 0.0]),
        (["n", 3, 8, 8], TensorProto.FLOAT16, [1.0, 0.2, 0.0]),
        (["n", 3, 8, 8], TensorProto.UINT8, [255.0, 51.0, 0.0]),
        (["n", 8, 8, 3], TensorProto.UINT8, [255.0, 51.0, 0.0]),
        (["n", 1, 8, 8], FLOAT, [0.299 + 0.587 * 0.2]),
    ],
)
def test_a_picture_reaches_the_graph(tmp_path: Path, dims: Any, kind: int, expected: list[float]) -> None:
    model = onnx("means", str(channel_means(tmp_path / "a.onnx", dims, kind)), task="embed")
    assert model.signature.inputs == (Column("image", "IMAGE"),)
    assert model.signature.outputs == (Column("embedding", "FLOAT[]"),)
    assert model.signature.batch_size == (dims[0] if isinstance(dims[0], int) else 8)
    black, colour = picture(0, 0, 0), picture(255, 51, 0)
    answers = ask(model, (colour,), (black,), (colour,))
    for answer, factor in zip(answers, (1, 0, 1), strict=True):
        assert answer[0][0] == pytest.approx(np.array(expected) * factor, abs=2e-3)


def test_mean_std_scale_and_channels(tmp_path: Path) -> None:
    path = str(channel_means(tmp_path / "a.onnx", ["n", 3, 8, 8]))
    colour = (picture(200, 100, 50),)
    [[(bgr,)]] = ask(onnx("m", path, channels="BGR", mean=[50, 100, 100], std=2), colour)
    assert bgr == pytest.approx([0, 0, 50])
    [[(unit,)]] = ask(onnx("m", path, mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.25]), colour)
    assert unit == pytest.approx([200 / 127.5 - 1, 100 / 127.5 - 1, (50 / 255 - 0.5) / 0.25], abs=1e-5)
    [[(raw,)]] = ask(onnx("m", path, scale=1), colour)
    assert raw == pytest.approx([200, 100, 50])


def test_fit_crops_letterboxes_or_stretches(tmp_path: Path) -> None:
    path = str(channel_means(tmp_path / "a.onnx", ["n", 3, 16, 16]))
    image = picture(0, 0, 0, height=16, width=32)
    image[:, 8:24] = 255
    means = {fit: ask(onnx("m", path, fit=fit), (image,))[0][0][0][0] for fit in ("stretch", "crop", "letterbox")}
    assert means["stretch"] == pytest.approx(0.5, abs=0.02)
    assert means["crop"] == pytest.approx(1.0, abs=0.02)
    assert means["letterbox"] == pytest.approx((0.5 + 114 / 255) / 2, abs=0.02)


def test_a_batch_answers_what_each_alone_answers(tmp_path: Path) -> None:
    pictures = [np.random.default_rng(seed).integers(0, 255, (9 + seed, 12, 3), dtype=np.uint8) for seed in range(5)]
    for batch in ("n", 1, 2, 4):
        model = onnx("m", str(channel_means(tmp_path / f"{batch}.onnx", [batch, 3, 8, 8])))
        together = ask(model, *((each,) for each in pictures))
        assert together == [ask(model, (each,))[0] for each in pictures]


def linear(path: Path, weights: np.ndarray[Any, Any]) -> Path:
    nodes = [helper.make_node("MatMul", ["features", "w"], ["scores"])]
    rows, columns = weights.shape
    inputs = {"features": (FLOAT, ["n", rows])}
    return write_graph(path, nodes, inputs, {"scores": (FLOAT, ["n", columns])}, {"w": weights.astype(np.float32)})


def test_classify_scalar_and_rows(tmp_path: Path) -> None:
    path = str(linear(tmp_path / "a.onnx", np.eye(3)))
    (tmp_path / "names.txt").write_text("cat\ndog\nowl\n")
    scalar = onnx("kind", path, labels="names.txt")
    assert (scalar.signature.returns, scalar.signature.inputs) == ("scalar", (Column("features", "FLOAT[]"),))
    assert ask(scalar, ([0.0, 5.0, 1.0],), ([9, 0, 0],)) == [[("dog",)], [("cat",)]]
    rows = onnx("kind", path, labels=["cat", "dog", "owl"], returns="rows", top_k=2)
    [[first, second]] = ask(rows, ([0.0, 5.0, 1.0],))
    shares = np.exp([5.0, 1.0, 0.0]) / np.exp([5.0, 1.0, 0.0]).sum()
    assert first == ("dog", pytest.approx(shares[0]))
    assert second == ("owl", pytest.approx(shares[1]))
    [[(_, certain), _]] = ask(rows, ([0.25, 0.75, 0.0],))
    assert certain == pytest.approx(0.75)  # what sums to one is taken as probabilities


def test_regress_raw_and_several_inputs(tmp_path: Path) -> None:
    price = onnx("price", str(linear(tmp_path / "a.onnx", np.array([[2.0], [3.0]]))))
    assert (price.signature.outputs, price.signature.returns) == ((Column("value", "DOUBLE"),), "scalar")
    assert ask(price, ([1.0, 1.0],)) == [[(5.0,)]]
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Mul", ["a", "b"], ["product"])]
    specs = {"a": (INT64, ["n"]), "b": (INT64, ["n"])}
    outputs = {"sum": (INT64, ["n"]), "product": (INT64, ["n"])}
    both = onnx("both", str(write_graph(tmp_path / "b.onnx", nodes, specs, outputs)))
    assert both.signature.inputs == (Column("a", "BIGINT"), Column("b", "BIGINT"))
    assert both.signature.outputs == (Column("sum", "BIGINT"), Column("product", "BIGINT"))
    assert ask(both, (2, 3), (4, 5)) == [[(5, 6)], [(9, 20)]]
    one = onnx("one", str(tmp_path / "b.onnx"), output="product")
    assert ask(one, (2, 3)) == [[(6,)]]


V8 = np.array([[32.0, 33, 16], [32, 33, 16], [16, 16, 8], [32, 32, 8], [0.9, 0.8, 0.1], [0.05, 0.1, 0.7]])
V8_PADDED = np.pad(V8, ((0, 0), (0, 5)))
V5 = np.array([[32, 32, 16, 32, 0.9, 1.0, 0.05], [33, 33, 16, 32, 0.8, 1.0, 0.1], [16, 16, 8, 8, 0.7, 0.1, 1.0]])
V5_PADDED = np.pad(V5, ((0, 6), (0, 0)))
V10 = np.array([[24, 16, 40, 48, 0.9, 0], [12, 12, 20, 20, 0.7, 1]])
V10_PADDED = np.pad(V10, ((0, 8), (0, 0)))


@pytest.mark.parametrize("output", [V8_PADDED, V5_PADDED, V10_PADDED], ids=["v8", "v5", "v10"])
def test_yolo_families(tmp_path: Path, output: np.ndarray[Any, Any]) -> None:
    path = str(constant_for_each(tmp_path / "a.onnx", output))
    model = onnx("find", path, task="detect_yolo", labels=["person", "bus"])
    # 128 by 64 pixels come to 64 by 32 with bars of 16 above and below.
    [first, second] = ask(model, (picture(0, 0, 0, height=64, width=128),), (picture(0, 0, 0, height=64, width=64),))
    assert [row[:2] for row in first] == [(0, "person"), (1, "bus")]
    assert [row[2] for row in first] == pytest.approx([0.9, 0.7])
    assert first[0][3:] == pytest.approx([48, 0, 80, 64])
    assert first[1][3:] == pytest.approx([24, 0, 40, 8])
    assert second[0][3:] == pytest.approx([24, 16, 40, 48])


def test_the_exporters_notes_say_yolo_and_names(tmp_path: Path) -> None:
    notes = {"task": "detect", "names": "{0: 'person', 1: 'bus'}"}
    model = onnx("find", str(constant_for_each(tmp_path / "a.onnx", V8_PADDED, notes)))
    assert [row[1] for row in ask(model, (picture(0, 0, 0),))[0]] == ["person", "bus"]


def test_the_version_is_the_content(tmp_path: Path) -> None:
    def version(name: str, weights: np.ndarray[Any, Any]) -> str:
        return onnx("m", str(linear(tmp_path / name, weights))).signature.version

    assert version("a.onnx", np.eye(2)) == version("b.onnx", np.eye(2))
    assert version("a.onnx", np.eye(2)) != version("a.onnx", 2 * np.eye(2))


def test_a_replaced_file_is_a_new_model(tmp_path: Path) -> None:
    path = str(linear(tmp_path / "a.onnx", np.eye(2)))
    assert ask(onnx("m", path), ([1.0, 0.0],)) == [[([1.0, 0.0],)]]
    linear(tmp_path / "a.onnx", 2 * np.eye(2))
    assert ask(onnx("m", path), ([1.0, 0.0],)) == [[([2.0, 0.0],)]]


def test_weights_outside_the_file_are_part_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    outside = {"save_as_external_data": True, "location": "far.bin", "size_threshold": 60}
    channel_means(path, ["n", 3, 8, 8], **outside)
    before = onnx("m", str(path))
    assert ask(before, (picture(255, 0, 0),))[0][0][0] == pytest.approx([1, 0, 0])
    data = bytearray((tmp_path / "far.bin").read_bytes())
    one = data.index(np.float32(1).tobytes())
    data[one : one + 4] = np.float32(7).tobytes()
    (tmp_path / "far.bin").write_bytes(data)
    after = onnx("m", str(path))
    assert after.signature.version != before.signature.version
    assert ask(after, (picture(255, 0, 0),))[0][0][0] == pytest.approx([7, 0, 0])


def test_options_that_matter_are_in_the_signature(tmp_path: Path) -> None:
    path = str(channel_means(tmp_path / "a.onnx", ["n", 3, 8, 8]))
    plain, small = onnx("m", path).signature, onnx("m", path, batch=2).signature
    assert plain.options == small.options
    assert small.batch_size == 2
    assert onnx("m", path, channels="BGR").signature.options != plain.options
    first, second = (onnx("m", path, labels=["a", "b", last]).signature.options["labels"] for last in "cd")
    assert first.startswith("a, b, c (3, ")
    assert first != second


def tokens(path: Path) -> Path:
    nodes = [helper.make_node("Add", ["input_ids", "attention_mask"], ["out"])]
    specs = {"input_ids": (INT64, ["n", "t"]), "attention_mask": (INT64, ["n", "t"])}
    return write_graph(path, nodes, specs, {"out": (INT64, ["n", "t"])})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"siez": 3}, r"has no option 'siez' \(did you mean 'size'"),
        ({"size": 9}, r"fixed at \[8, 8\].*asks \[9, 9\]"),
        ({"task": "clasify"}, "did you mean 'classify'"),
        ({"task": "regress"}, "needs one number"),
        ({"task": "detect_yolo"}, "needs an output of 3 axes"),
        ({"output": "outt"}, "has no output 'outt'.*did you mean 'out'"),
        ({"labels": ["a", "b"]}, "2 labels for the 3 classes"),
        ({"labels": "nowhere.txt"}, "no labels file 'nowhere.txt'"),
        ({"mean": [1, 2]}, "one a channel"),
        ({"input": ["IMAGE", "BIGINT"]}, "takes 1 input .pixels.*names 2"),
        ({"returns": "rows"}, "option returns is for task 'classify'"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(tmp_path: Path, options: Any, message: str) -> None:
    path = str(channel_means(tmp_path / "a.onnx", ["n", 3, 8, 8]))
    with pytest.raises((UsageError, ModelError), match=message) as caught:
        model = onnx("m", path, **options)
        for answer in ask(model, (picture(0, 0, 0),)):
            raise answer
    assert "\n" not in str(caught.value)


def test_a_text_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a.onnx takes 2 inputs \(input_ids int64\[n, t\], .*use 'hf:FOLDER'"):
        onnx("m", str(tokens(tmp_path / "a.onnx")))


def test_no_file_and_no_graph(tmp_path: Path) -> None:
    linear(tmp_path / "model.onnx", np.eye(2))
    with pytest.raises(UsageError, match=r"no ONNX file.*did you mean .*model.onnx"):
        onnx("m", str(tmp_path / "modle.onnx"))
    (tmp_path / "broken.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match=r"cannot load .*broken.onnx") as caught:
        onnx("m", str(tmp_path / "broken.onnx"))
    assert "\n" not in str(caught.value)


def test_a_wrong_argument_is_named(tmp_path: Path) -> None:
    model = onnx("m", str(linear(tmp_path / "a.onnx", np.eye(2))))
    with pytest.raises(ModelError, match=r"'features': expected shape \[2\], got \[3\]"):
        model.prepare([1, 2, 3])
    with pytest.raises(ModelError, match=r"'features'.* is no FLOAT"):
        model.prepare(["a", "b"])
