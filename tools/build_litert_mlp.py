"""Build the training program for LiteRT: a two-layer network, its loss and its gradients, in builtin operations only.

    pip install tensorflow-cpu==2.21.0      # in an environment of its own; nothing that ships needs it
    python tools/build_litert_mlp.py src/suffice/assets/mlp_64_64_10.tflite

Gradients are written out by hand: what TensorFlow's own tape makes needs Flex operations, which LiteRT does not ship.
Weights go in and come out with every call, in PyTorch's shapes, so the program itself holds none.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf

INPUTS, HIDDEN, CLASSES = 64, 64, 10
WEIGHTS = (
    tf.TensorSpec([HIDDEN, INPUTS], tf.float32, "w1"),
    tf.TensorSpec([HIDDEN], tf.float32, "b1"),
    tf.TensorSpec([CLASSES, HIDDEN], tf.float32, "w2"),
    tf.TensorSpec([CLASSES], tf.float32, "b2"),
)
BATCH = (tf.TensorSpec([None, INPUTS], tf.float32, "x"), tf.TensorSpec([None, CLASSES], tf.float32, "y"))


class Mlp(tf.Module):
    @tf.function(input_signature=[*WEIGHTS, *BATCH, tf.TensorSpec([], tf.float32, "rate")])
    def train(self, w1, b1, w2, b2, x, y, rate):
        hidden = tf.nn.relu(tf.matmul(x, w1, transpose_b=True) + b1)
        share = tf.nn.softmax(tf.matmul(hidden, w2, transpose_b=True) + b2)
        at_logits = (share - y) / tf.cast(tf.shape(x)[0], tf.float32)
        at_hidden = tf.matmul(at_logits, w2) * tf.cast(hidden > 0.0, tf.float32)
        return {
            "w1": w1 - rate * tf.matmul(at_hidden, x, transpose_a=True),
            "b1": b1 - rate * tf.reduce_sum(at_hidden, 0),
            "w2": w2 - rate * tf.matmul(at_logits, hidden, transpose_a=True),
            "b2": b2 - rate * tf.reduce_sum(at_logits, 0),
        }

    @tf.function(input_signature=[*WEIGHTS, *BATCH])
    def loss(self, w1, b1, w2, b2, x, y):
        hidden = tf.nn.relu(tf.matmul(x, w1, transpose_b=True) + b1)
        share = tf.nn.log_softmax(tf.matmul(hidden, w2, transpose_b=True) + b2)
        return {"loss": -tf.reduce_mean(tf.reduce_sum(y * share, 1))}


def main(path: str) -> None:
    mlp = Mlp()
    functions = [mlp.train.get_concrete_function(), mlp.loss.get_concrete_function()]
    folder = Path(path).with_suffix(".saved")
    tf.saved_model.save(mlp, str(folder), signatures=dict(zip(("train", "loss"), functions, strict=True)))
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    Path(path).write_bytes(converter.convert())


if __name__ == "__main__":
    main(sys.argv[1])
