"""Checkpoints of a few random layers in the layout of the hub, one writer an architecture."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf

NAMES = {0: "cat", 1: "dog", 2: "bus"}
LABELS = {"id2label": NAMES, "label2id": {name: index for index, name in NAMES.items()}}
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
DETR: dict[str, Any] = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "num_queries": 6,
}
SQUARE = {"height": 32, "width": 32}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "a", "cat", "dog", "red", "bus", "good", "bad", "##s"]


def word_tokenizer() -> Any:
    tokenizer = hf.BertTokenizer(vocab={word: index for index, word in enumerate(WORDS)})
    tokenizer.model_max_length = 64
    return tokenizer


def letter_tokenizer() -> Any:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    # OWL-ViT takes a text that starts with token 0 for padding, and the highest token for the end.
    pieces = ["!", *letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = hf.CLIPTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[])
    tokenizer.model_max_length = 16
    return tokenizer


def resnet() -> Any:
    return hf.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", out_features=["stage2"]
    )


def detr() -> list[Any]:
    config = hf.DetrConfig(use_timm_backbone=False, backbone_config=resnet(), **DETR, **LABELS)
    return [hf.DetrForObjectDetection(config), hf.DetrImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64})]


def rt_detr() -> list[Any]:
    backbone = hf.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = hf.RTDetrConfig(
        backbone_config=backbone,
        encoder_in_channels=[8, 16, 16],
        encoder_hidden_dim=16,
        encoder_ffn_dim=24,
        num_queries=6,
        decoder_in_channels=[16, 16, 16],
        decoder_layers=1,
        decoder_attention_heads=2,
        encoder_attention_heads=2,
        decoder_ffn_dim=24,
        d_model=16,
        **LABELS,
    )
    return [hf.RTDetrForObjectDetection(config), hf.RTDetrImageProcessorPil(size={"height": 64, "width": 64})]


def yolos() -> list[Any]:
    config = hf.YolosConfig(image_size=[32, 64], patch_size=16, num_detection_tokens=6, **SMALL, **LABELS)
    return [
        hf.YolosForObjectDetection(config),
        hf.YolosImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64}),
    ]


def vit() -> list[Any]:
    config = hf.ViTConfig(image_size=32, patch_size=16, **SMALL, **LABELS)
    return [hf.ViTForImageClassification(config), hf.ViTImageProcessorPil(size=SQUARE)]


def resnet_classifier() -> list[Any]:
    config = hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", **LABELS)
    return [hf.ResNetForImageClassification(config), hf.ConvNextImageProcessorPil(size={"shortest_edge": 32})]


def rf_detr() -> list[Any]:
    """Without its image processor, which cannot be made where torchvision is missing."""
    from transformers.models.rf_detr.configuration_rf_detr import RfDetrDinov2Config

    backbone = RfDetrDinov2Config(image_size=32, patch_size=8, num_windows=2, out_indices=[1, 2], **SMALL)
    config = hf.RfDetrConfig(
        backbone_config=backbone,
        d_model=32,
        decoder_layers=1,
        decoder_ffn_dim=24,
        decoder_self_attention_heads=2,
        decoder_cross_attention_heads=2,
        decoder_n_points=1,
        num_queries=6,
        group_detr=1,
        **LABELS,
    )
    return [hf.RfDetrForObjectDetection(config)]


def dinov3() -> list[Any]:
    """Without its image processor, as :func:`rf_detr`."""
    return [hf.DINOv3ViTModel(hf.DINOv3ViTConfig(image_size=32, patch_size=16, **SMALL))]


def owlv2() -> list[Any]:
    vision = {"image_size": 32, "patch_size": 16, **SMALL}
    text = {"vocab_size": 55, "max_position_embeddings": 16, **SMALL}
    config = hf.Owlv2Config(text_config=text, vision_config=vision, projection_dim=16)
    return [hf.Owlv2ForObjectDetection(config), hf.Owlv2ImageProcessorPil(size=SQUARE), letter_tokenizer()]


def owlvit() -> list[Any]:
    vision = {"image_size": 32, "patch_size": 16, **SMALL}
    text = {"vocab_size": 55, "max_position_embeddings": 16, **SMALL}
    config = hf.OwlViTConfig(text_config=text, vision_config=vision, projection_dim=16)
    return [hf.OwlViTForObjectDetection(config), hf.OwlViTImageProcessorPil(size=SQUARE), letter_tokenizer()]


def grounding_dino() -> list[Any]:
    backbone = hf.SwinConfig(
        image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4,
        out_features=["stage1", "stage2"],
    )  # fmt: skip
    text = hf.BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **SMALL)
    config = hf.GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        num_feature_levels=2,
        max_text_len=32,
        **{**DETR, "d_model": 32, "decoder_layers": 2},
    )
    processor = hf.GroundingDinoImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64})
    return [hf.GroundingDinoForObjectDetection(config), processor, word_tokenizer()]


def clip() -> list[Any]:
    vision = {"image_size": 32, "patch_size": 16, **SMALL}
    text = {"vocab_size": 55, "max_position_embeddings": 16, "eos_token_id": 54, "bos_token_id": 53, **SMALL}
    config = hf.CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)
    processor = hf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=SQUARE)
    return [hf.CLIPModel(config), processor, letter_tokenizer()]


def siglip() -> list[Any]:
    vision = {"image_size": 32, "patch_size": 16, **SMALL}
    text = {"vocab_size": len(WORDS), "max_position_embeddings": 16, "projection_size": 16, **SMALL}
    config = hf.SiglipConfig(text_config=text, vision_config=vision)
    tokenizer = word_tokenizer()
    tokenizer.model_max_length = 16
    return [hf.SiglipModel(config), hf.SiglipImageProcessorPil(size=SQUARE), tokenizer]


def bert_classifier() -> list[Any]:
    config = hf.BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **SMALL, **LABELS)
    return [hf.BertForSequenceClassification(config), word_tokenizer()]


def bert() -> list[Any]:
    return [hf.BertModel(hf.BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **SMALL)), word_tokenizer()]


def write_checkpoint(parts: Callable[[], list[Any]], folder: Path, seed: int = 0) -> Path:
    """Save what `parts` makes. Weights are drawn wider than training starts from, so that answers differ."""
    torch.manual_seed(seed)
    network, *others = parts()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
        # Statistics of batch normalisation as training would have left them.
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.1)
    for part in itertools.chain([network], others):
        part.save_pretrained(folder)
    return folder
