"""Promptable checkpoints of a few random layers in transformers' layout, one writer an architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

DECODER: dict[str, Any] = {
    "hidden_size": 32,
    "mlp_dim": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "iou_head_hidden_dim": 16,
    "iou_head_depth": 2,
}


def _prompt(side: int, patch: int) -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "image_size": side,
        "patch_size": patch,
        "image_embedding_size": side // patch,
        "mask_input_channels": 4,
    }


def _sam_vision() -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "output_channels": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 16,
        "window_size": 2,
        "global_attn_indexes": [0, 1],
        "num_pos_feats": 16,
        "mlp_dim": 32,
    }


def sam() -> Any:
    return hf.SamModel(
        hf.SamConfig(vision_config=_sam_vision(), prompt_encoder_config=_prompt(64, 16), mask_decoder_config=DECODER)
    )


def sam_hq() -> Any:
    config = hf.SamHQConfig(
        vision_config=_sam_vision(),
        prompt_encoder_config=_prompt(64, 16),
        mask_decoder_config={**DECODER, "vit_dim": 32},
    )
    return hf.SamHQModel(config)


def _hiera() -> Any:
    return hf.Sam2HieraDetConfig(
        hidden_size=8,
        num_attention_heads=1,
        image_size=[64, 64],
        patch_kernel_size=[7, 7],
        patch_stride=[4, 4],
        patch_padding=[3, 3],
        blocks_per_stage=[1, 2, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[8, 4, 4, 4],
        window_positional_embedding_background_size=[2, 2],
        global_attention_blocks=[4],
    )


def _sam2_vision(hidden: int) -> Any:
    return hf.Sam2VisionConfig(
        backbone_config=_hiera(),
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=hidden,
    )


def sam2() -> Any:
    config = hf.Sam2Config(
        vision_config=_sam2_vision(32),
        prompt_encoder_config=_prompt(64, 16),
        mask_decoder_config=DECODER,
    )
    return hf.Sam2Model(config)


def sam2_video() -> Any:
    """Its memory attention reads keys of 64 channels, so its own width must be more."""
    hidden = 128
    config = hf.Sam2VideoConfig(
        vision_config=_sam2_vision(hidden),
        prompt_encoder_config={**_prompt(64, 16), "hidden_size": hidden},
        mask_decoder_config={**DECODER, "hidden_size": hidden},
        image_size=64,
        memory_attention_hidden_size=hidden,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=hidden,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=hidden,
        memory_fuser_embed_dim=hidden,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
        num_maskmem=3,
    )
    return hf.Sam2VideoModel(config)


WRITERS = {"sam": sam, "sam_hq": sam_hq, "sam2": sam2, "sam2_video": sam2_video}


def write(kind: str, folder: Path) -> Path:
    """The tiny checkpoint `kind`, the same random weights every time, in a folder of its name."""
    torch.manual_seed(7)
    torch.set_num_threads(1)
    target = folder / kind
    if not target.is_dir():
        WRITERS[kind]().eval().save_pretrained(target)
    return target


NAMES = {0: "sky", 1: "grass", 2: "cat"}


def segformer() -> list[Any]:
    config = hf.SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
        id2label=NAMES,
        label2id={name: number for number, name in NAMES.items()},
    )
    return [
        hf.SegformerForSemanticSegmentation(config),
        hf.SegformerImageProcessorPil(size={"height": 64, "width": 64}),
    ]


def mask2former() -> list[Any]:
    backbone = hf.SwinConfig(
        image_size=32, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 2], window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = hf.Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=32,
        dim_feedforward=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        num_queries=5,
        id2label=NAMES,
        label2id={name: number for number, name in NAMES.items()},
    )
    return [
        hf.Mask2FormerForUniversalSegmentation(config),
        hf.Mask2FormerImageProcessorPil(size={"height": 64, "width": 64}),
    ]


def eomt() -> list[Any]:
    config = hf.EomtConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=64,
        patch_size=16,
        num_blocks=1,
        num_upscale_blocks=1,
        num_queries=5,
        num_register_tokens=1,
        intermediate_size=32,
        id2label=NAMES,
        label2id={name: number for number, name in NAMES.items()},
    )
    return [
        hf.EomtForUniversalSegmentation(config),
        hf.EomtImageProcessorPil(size={"shortest_edge": 64, "longest_edge": None}, do_split_image=True),
    ]


MAPS = {"segformer": segformer, "mask2former": mask2former, "eomt": eomt}


def write_map(kind: str, folder: Path) -> Path:
    """The tiny map-making checkpoint `kind` with its processor."""
    torch.manual_seed(7)
    torch.set_num_threads(1)
    target = folder / kind
    if not target.is_dir():
        for part in MAPS[kind]():
            part.save_pretrained(target)
    return target


def vitmatte() -> list[Any]:
    backbone = hf.VitDetConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=64, patch_size=16, num_channels=4,
        pretrain_image_size=64, residual_block_indices=[], window_block_indices=[], out_features=["stage1"],
    )  # fmt: skip
    config = hf.VitMatteConfig(
        backbone_config=backbone, hidden_size=16, convstream_hidden_sizes=[8, 8, 8], fusion_hidden_sizes=[16, 8, 8, 8]
    )
    return [hf.VitMatteForImageMatting(config), hf.VitMatteImageProcessorPil(size_divisor=32)]


MAPS["vitmatte"] = vitmatte
