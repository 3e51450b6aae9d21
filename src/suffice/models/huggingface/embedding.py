"""Tasks ``similarity``, ``image-feature-extraction`` and ``feature-extraction``: vectors of pictures and texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from suffice.models.huggingface.checkpoint import Checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.items import Item, run_in_groups
from suffice.models.huggingface.part import IMAGE_INPUT, TEXT_INPUT, Part
from suffice.models.huggingface.pictures import picture_item
from suffice.models.huggingface.pretrained import Pretrained, load_image_processor, load_network, load_tokenizer
from suffice.models.huggingface.task import DUAL_ENCODERS
from suffice.models.huggingface.texts import TOKENIZING, text_item, token_limit
from suffice.models.lazy import Lazy
from suffice.models.protocol import Column, Image, Row

EMBEDDING = (Column("embedding", "FLOAT[]"),)
CLS_FIRST = ("vit", "deit", "beit", "dinov2", "dinov2_with_registers", "dinov3_vit", "data2vec-vision", "vit_msn")
Encode = Callable[[Pretrained, dict[str, Any]], Any]


class Pair(NamedTuple):
    """A prepared picture and a text to compare it with."""

    picture: Item
    text: str


def similarity(checkpoint: Checkpoint, settings: HuggingFaceSettings) -> Part:
    """The cosine of the angle between a picture's and a text's vector, by CLIP and its kin (Radford et al. 2021)."""
    processor = Lazy(lambda: load_image_processor(checkpoint))
    tokens = _text_preparer(checkpoint)
    network = Lazy(lambda: load_network(checkpoint, settings, "AutoModel"))

    def predict(batch: Sequence[Pair]) -> list[list[Row]]:
        loaded = network()
        texts = list(dict.fromkeys(pair.text for pair in batch))
        text_vectors = _encode([tokens(text) for text in texts], loaded, _text_tower, normalize=True)
        of_text = dict(zip(texts, text_vectors, strict=True))
        pictures = _encode([pair.picture for pair in batch], loaded, _image_tower, normalize=True)
        return [[(float(vector @ of_text[pair.text]),)] for vector, pair in zip(pictures, batch, strict=True)]

    def prepare(image: Image, text: str) -> Any:
        return Pair(picture_item(processor(), image), text)

    return Part((IMAGE_INPUT, TEXT_INPUT), (Column("similarity", "DOUBLE"),), "scalar", prepare, predict)


def image_embedding(checkpoint: Checkpoint, settings: HuggingFaceSettings) -> Part:
    """A vector of a picture: the projected one of CLIP and its kin, else the class token or the mean of all."""
    processor = Lazy(lambda: load_image_processor(checkpoint))
    default = "cls" if checkpoint.config.get("model_type") in CLS_FIRST else "mean"
    tower = _image_tower if _is_dual(checkpoint) else _pooled(settings.pooling or default)
    predict = _vectors(checkpoint, settings, tower)
    return Part((IMAGE_INPUT,), EMBEDDING, "scalar", lambda image: picture_item(processor(), image), predict)


def text_embedding(checkpoint: Checkpoint, settings: HuggingFaceSettings) -> Part:
    """A vector of a text: the projected one of CLIP and its kin, else pooled as the checkpoint says (or the mean)."""
    cls_pooling = checkpoint.read_json("1_Pooling/config.json").get("pooling_mode_cls_token")
    tower = _text_tower if _is_dual(checkpoint) else _pooled(settings.pooling or ("cls" if cls_pooling else "mean"))
    predict = _vectors(checkpoint, settings, tower)
    return Part((TEXT_INPUT,), EMBEDDING, "scalar", _text_preparer(checkpoint), predict)


def _is_dual(checkpoint: Checkpoint) -> bool:
    return (checkpoint.config.get("architectures") or [""])[0] in DUAL_ENCODERS


def _text_preparer(checkpoint: Checkpoint) -> Callable[[str], Item]:
    tokenizer = Lazy(lambda: load_tokenizer(checkpoint))
    config = {**checkpoint.config, **checkpoint.config.get("text_config", {})}
    longest = checkpoint.read_json("sentence_bert_config.json").get("max_seq_length")

    def prepare(text: str) -> Item:
        limit = min(token_limit(tokenizer(), config), longest or 1 << 30)
        if str(config.get("model_type")).startswith("siglip"):
            # SigLIP was trained on texts filled up to the full length, without a mask.
            with TOKENIZING:
                full = tokenizer()(text, truncation=True, padding="max_length", max_length=limit, return_tensors="np")
            return Item({"input_ids": full["input_ids"]})
        return text_item(tokenizer(), text, limit)

    return prepare


def _vectors(
    checkpoint: Checkpoint, settings: HuggingFaceSettings, tower: Encode
) -> Callable[[Sequence[Item]], list[list[Row]]]:
    network = Lazy(lambda: load_network(checkpoint, settings, "AutoModel"))

    def predict(batch: Sequence[Item]) -> list[list[Row]]:
        return [[(vector.tolist(),)] for vector in _encode(batch, network(), tower, settings.normalize)]

    return predict


def _encode(items: Sequence[Item], loaded: Pretrained, tower: Encode, normalize: bool) -> list[Any]:
    """A float32 numpy vector for each item."""
    import torch

    def run(arrays: dict[str, Any], _items: list[Item]) -> list[Any]:
        vectors = tower(loaded, loaded.tensors(arrays)).float()
        return list((torch.nn.functional.normalize(vectors, dim=-1) if normalize else vectors).cpu().numpy())

    return run_in_groups(items, run)


def _image_tower(loaded: Pretrained, tensors: dict[str, Any]) -> Any:
    return loaded.network.get_image_features(**tensors).pooler_output


def _text_tower(loaded: Pretrained, tensors: dict[str, Any]) -> Any:
    return loaded.network.get_text_features(**tensors).pooler_output


def _pooled(pooling: str) -> Encode:
    def tower(loaded: Pretrained, tensors: dict[str, Any]) -> Any:
        hidden = loaded.network(**tensors).last_hidden_state
        if hidden.ndim == 4:  # a convolutional net: [batch, channel, height, width]
            return hidden.mean((2, 3))
        if pooling == "cls":
            return hidden[:, 0]
        mask = tensors.get("attention_mask")
        weights = mask[..., None].to(hidden.dtype) if mask is not None else hidden.new_ones(hidden.shape[:2])[..., None]
        return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)

    return tower
