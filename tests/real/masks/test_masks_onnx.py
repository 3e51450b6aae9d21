"""Promptable ONNX graphs, built here so small that numpy says what they must answer."""

from __future__ import annotations

import numpy as np
import pytest

from suffice.errors import ModelError, UsageError
from suffice.masks.ask import ask
from suffice.masks.embeddings import Embeddings
from suffice.masks.names import segmenter_named
from suffice.masks.prompt import Point, Prompt, ThingPrompt
from suffice.masks.promptable.canvas import IMAGENET_MEAN, IMAGENET_STD, canvas_of, draw, restored

onnx = pytest.importorskip("onnx")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT


def value(name, shape):
    return helper.make_tensor_value_info(name, FLOAT, shape)


def save(path, nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def encoder(path, output="image_embeddings"):
    """Means of 16 x 16 pixels."""
    pool = helper.make_node("AveragePool", ["image"], [output], kernel_shape=[16, 16], strides=[16, 16])
    return save(path, [pool], [value("image", [1, 3, 64, 64])], [value(output, [1, 3, 4, 4])])


def decoder(path, embedding="image_embeddings", with_size=True):
    """The means four times as large, times the sum of the labels, plus the previous mask."""
    constant = helper.make_tensor("scales", FLOAT, [4], [1, 1, 4, 4])
    nodes = [
        helper.make_node("Resize", [embedding, "", "scales"], ["large"], mode="nearest"),
        helper.make_node("ReduceSum", ["point_labels"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["large", "sum"], ["times"]),
        helper.make_node("Add", ["times", "mask_input"], ["low_res_masks"]),
        helper.make_node("ReduceMean", ["low_res_masks"], ["iou_predictions"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceSum", ["point_coords"], ["clicked"], keepdims=0),
        helper.make_node("Identity", ["has_mask_input"], ["has"]),
    ]
    inputs = [
        value(embedding, [1, 3, 4, 4]),
        value("point_coords", [1, "n", 2]),
        value("point_labels", [1, "n"]),
        value("mask_input", [1, 1, 16, 16]),
        value("has_mask_input", [1]),
        *([value("orig_im_size", [2])] if with_size else []),
    ]
    outputs = [
        value("low_res_masks", [1, 3, 16, 16]),
        value("iou_predictions", [1, 3]),
        value("clicked", []),
        value("has", [1]),
    ]
    return save(path, nodes, inputs, outputs, [constant])


def expected(image, labels, fit):
    canvas = canvas_of(*image.shape[:2], 64, fit)
    means = draw(image, canvas, IMAGENET_MEAN, IMAGENET_STD).reshape(3, 4, 16, 4, 16).mean(axis=(2, 4))
    low = (means.repeat(4, axis=1).repeat(4, axis=2) * sum(labels)).astype(np.float32)
    return restored(low, canvas) > 0, low.mean(axis=(1, 2))


@pytest.mark.parametrize("with_size", [True, False])
def test_masks_are_what_the_graphs_say(with_size, tmp_path, noise):
    graphs = f"{encoder(tmp_path / 'e.onnx')},{decoder(tmp_path / 'd.onnx', with_size=with_size)}"
    segmenter = segmenter_named(f"onnx:{graphs}")
    things = {
        (1, 0, -1): ThingPrompt(points=(Point(3, 4), Point(9, 9, False))),
        (2, 3): ThingPrompt(box_xyxy=(5, 5, 40, 30)),
        (1, 2, 3): ThingPrompt(points=(Point(8, 8),), box_xyxy=(5, 5, 40, 30)),
    }
    found = segmenter.segment(segmenter.encode(noise), list(things.values()))
    for labels, candidates in zip(things, found, strict=True):
        masks, scores = expected(noise, labels, "pad" if with_size else "stretch")
        assert [each.score for each in candidates] == pytest.approx(scores, abs=1e-4)
        differing = [np.mean(each.mask != mask) for each, mask in zip(candidates, masks, strict=True)]
        assert max(differing) < 0.002


def test_encoder_outputs_of_other_names_go_in_by_order_and_are_kept(tmp_path, noise):
    graphs = f"{encoder(tmp_path / 'e.onnx', 'feats')},{decoder(tmp_path / 'd.onnx', 'embedding')}"
    segmenter = segmenter_named(f"onnx:{graphs}")
    embeddings = Embeddings(tmp_path / "kept")
    prompt = Prompt(things=(ThingPrompt(points=(Point(3, 4),)),))
    (first,) = ask(noise, prompt, segmenter, embeddings=embeddings)
    again = Embeddings(tmp_path / "kept")
    (second,) = ask(noise, prompt, segmenter, embeddings=again)
    assert (embeddings.encoded_count, again.encoded_count) == (1, 0)
    assert np.array_equal(first.mask, second.mask)


def test_files_that_are_none(tmp_path, noise):
    (tmp_path / "d.onnx").write_bytes(b"not a graph")
    with pytest.raises(UsageError, match="no file"):
        segmenter_named(f"onnx:{tmp_path / 'x.onnx'},{tmp_path / 'd.onnx'}")
    segmenter = segmenter_named(f"onnx:{encoder(tmp_path / 'e.onnx')},{tmp_path / 'd.onnx'}")
    with pytest.raises(ModelError, match=r"d\.onnx"):
        ask(noise, Prompt(things=(ThingPrompt(points=(Point(3, 4),)),)), segmenter)
