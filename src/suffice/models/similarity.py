"""``similarity(image, text)``: how well words describe a picture, through the names of what it shows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.assets import asset_path
from suffice.errors import UsageError
from suffice.media.reference import is_reference
from suffice.models import mobilenet
from suffice.models.batch_model import BatchModel
from suffice.models.lru import Lru
from suffice.models.minilm import embed_phrase, minilm_path
from suffice.models.onnx_session import concurrency
from suffice.models.options import read_options
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature
from suffice.models.weights import weights_version

CODE_REVISION = 1
CLASSES_USED = 10
ARTICLES = ("a ", "an ", "the ", "some ", "two ", "many ")


class Pair(NamedTuple):
    """A question: pixels for MobileNetV2, their digest, and words."""

    planes: npt.NDArray[np.uint8]
    digest: bytes
    text: str


def similarity(**options: Any) -> Model:
    """The cosine, -1 to 1, between a picture and a text; higher is nearer, and only the order means something.

    This is ConSE (Norouzi et al. 2014, arXiv:1312.5650), not CLIP: MobileNetV2 names the picture with its ten
    likeliest ImageNet classes, MiniLM places those names, weighted, and the text among sentences, and the angle
    between both is the answer. It knows what kind of thing is there; it is blind to colour, number, place and
    whatever has no name among the 1000 classes (people first of all). In SQL each picture is looked at once and its
    vector kept: another text asks nothing of it again, and ``PROXY nearest(similarity(image))`` goes by the same
    vectors. In Python that holds for the 16384 pictures seen last.

    No options. Raises :class:`~suffice.errors.ModelError` without the extra ``text``.
    """
    read_options("similarity", {}, options)
    files = (minilm_path("similarity"), asset_path("bert_uncased_vocab.txt"))
    version = weights_version(
        CODE_REVISION, asset_path("mobilenet_v2_224.onnx"), asset_path("imagenet_labels.txt"), *files
    )
    signature = Signature(
        name="similarity",
        version=version,
        inputs=(Column("image", IMAGE), Column("text", "VARCHAR")),
        outputs=(Column("similarity", "DOUBLE"),),
        returns="scalar",
        options={},
        concurrency=concurrency(),
        cost_s=0.02,
        ranges={"similarity": (-1.0001, 1.0001)},
    )
    halves = (
        _half("picture", version, Column("image", IMAGE), 0.02, mobilenet.prepare, _pictures),
        _half("words", weights_version(CODE_REVISION, *files), Column("text", "VARCHAR"), 0.005, words, _words),
    )
    return Similarity(signature, prepare, _predict, halves)


@dataclass(frozen=True)
class Similarity(BatchModel):
    """The model of pairs, and the models of either side that it is the cosine of."""

    halves: tuple[Model, Model]


def _half(
    side: str, version: str, given: Column, cost_s: float, prepare: Callable[..., Any], predict: Callable[..., Any]
) -> Model:
    signature = Signature(
        name=f"similarity_{side}",
        version=version,
        inputs=(given,),
        outputs=(Column("vector", "FLOAT[384]"),),
        returns="scalar",
        options={},
        concurrency=concurrency(),
        cost_s=cost_s,
    )
    return BatchModel(signature, prepare, predict)


def _pictures(batch: Sequence[npt.NDArray[np.uint8]]) -> list[list[Row]]:
    return [[(concept(planes).tolist(),)] for planes in batch]


def _words(batch: Sequence[str]) -> list[list[Row]]:
    return [[(embed_phrase(prompt(text)).tolist(),)] for text in batch]


def prepare(image: Image, text: str) -> Pair:
    """Shrinks the picture and takes its digest, by which :func:`concept` remembers it."""
    planes = mobilenet.prepare(image)
    return Pair(planes, hashlib.blake2b(planes.data, digest_size=16).digest(), words(text))


def words(text: str) -> str:
    """`text`; raises :class:`UsageError` for what stands for a picture in SQL, which is text as well."""
    if is_reference(text):
        raise UsageError(
            "similarity(image, text) compares a picture with words; two pictures are compared by"
            " array_cosine_similarity(embed(a.image), embed(b.image))"
        )
    return text


def _predict(batch: Sequence[Pair]) -> list[list[Row]]:
    return [[(_cosine(pair),)] for pair in batch]


def _cosine(pair: Pair) -> float:
    picture = _concepts.get(pair.digest, lambda: concept(pair.planes))
    return float(picture @ embed_phrase(prompt(pair.text)))


_concepts: Lru[npt.NDArray[np.float32]] = Lru(16384)


def concept(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """A picture among sentences, ``[384]``: its ten likeliest labels' embeddings, each times its probability."""
    [(probabilities, _)] = mobilenet.infer([planes])
    named = mobilenet.ranked(probabilities, CLASSES_USED)
    mixed = sum(score * embed_phrase(prompt(label)) for label, score in named)
    return np.asarray(mixed / np.linalg.norm(mixed), dtype=np.float32)


def prompt(text: str) -> str:
    """`text` as the caption it would be: ``bus`` is ``a photo of a bus``."""
    article = "" if text.lower().startswith(ARTICLES) else "a "
    return f"a photo of {article}{text}"
