"""Promptable checkpoints of a few random layers in transformers' layout, one writer an architecture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import transformers as hf
from tiny_checkpoints import letter_tokenizer

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


def sam_with_its_own_decoder() -> Any:
    """Prompts and masks at the size of every published SAM, behind a tiny encoder of pictures: for timing."""
    vision = {**_sam_vision(), "image_size": 1024, "output_channels": 256, "num_pos_feats": 128}
    return hf.SamModel(hf.SamConfig(vision_config=vision))


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
        **_memory(hidden),
    )
    return hf.Sam2VideoModel(config)


def _sam3_vision(hidden: int = 32) -> dict[str, Any]:
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
        "window_size": 2,
        "global_attn_indexes": [1],
        "pretrain_image_size": 28,
    }
    return {
        "model_type": "sam3_vision_model",
        "backbone_config": backbone,
        "fpn_hidden_size": hidden,
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    }


def sam3_tracker() -> Any:
    config = hf.Sam3TrackerConfig(
        vision_config=_sam3_vision(), prompt_encoder_config=_prompt(56, 14), mask_decoder_config=DECODER
    )
    return hf.Sam3TrackerModel(config)


def _sam3_config() -> Any:
    part = {"hidden_size": 32, "num_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "dropout": 0.0}
    text = {
        "model_type": "clip_text_model",
        "vocab_size": 55,
        "hidden_size": 32,
        "intermediate_size": 32,
        "projection_dim": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 32,
        "bos_token_id": 53,
        "eos_token_id": 54,
    }
    return hf.Sam3Config(
        vision_config=_sam3_vision(),
        text_config=text,
        geometry_encoder_config={**part, "roi_size": 3},
        detr_encoder_config=part,
        detr_decoder_config={**part, "num_queries": 6},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )


def sam3() -> Any:
    return hf.Sam3Model(_sam3_config())


def _sam3_tracker_config() -> Any:
    """Its memory has keys of 64 channels, so its own width must be more."""
    hidden = 128
    return hf.Sam3TrackerVideoConfig(
        vision_config=_sam3_vision(hidden),
        prompt_encoder_config={**_prompt(56, 14), "hidden_size": hidden},
        mask_decoder_config={**DECODER, "hidden_size": hidden},
        image_size=56,
        **_memory(hidden),
    )


def sam3_video() -> Any:
    """As SAM 3's weights are published: the detector and the tracker in one, which share the encoder of pictures."""
    tracker = _sam3_tracker_config()
    detector = _sam3_config()
    detector.vision_config = tracker.vision_config
    for part in ("geometry_encoder", "detr_encoder", "detr_decoder", "mask_decoder"):
        getattr(detector, f"{part}_config").hidden_size = 128
    network = hf.Sam3VideoModel(hf.Sam3VideoConfig(detector_config=detector, tracker_config=tracker))
    torch.nn.init.constant_(network.tracker_model.mask_decoder.pred_obj_score_head.proj_out.bias, 3.0)  # things stay
    return network


class Pyramid(torch.nn.Module):
    """In place of EdgeTAM's backbone, which needs timm and so torchvision: four maps, each half the one before."""

    def __init__(self, _config: Any = None) -> None:
        super().__init__()
        widths = (3, 8, 16, 32, 64)
        self.stages = torch.nn.ModuleList(
            torch.nn.Conv2d(a, b, 3, stride=4 if a == 3 else 2, padding=1) for a, b in pairwise(widths)
        )

    def forward(self, pixels: Any, **_: Any) -> Any:
        maps = []
        for stage in self.stages:
            pixels = stage(pixels).tanh()
            maps.append(pixels)
        return SimpleNamespace(last_hidden_state=maps, hidden_states=None)


@contextmanager
def pyramids() -> Iterator[None]:
    """EdgeTAM is made and loaded with :class:`Pyramid` as its backbone."""
    from transformers.models.edgetam import modeling_edgetam

    before = modeling_edgetam.AutoModel

    def made(config: Any) -> Any:
        return before.from_config(config) if "edgetam" in config.model_type else Pyramid(config)

    modeling_edgetam.AutoModel = SimpleNamespace(from_config=made)
    try:
        yield
    finally:
        modeling_edgetam.AutoModel = before


def _edgetam_vision(hidden: int) -> dict[str, Any]:
    return {
        "model_type": "edgetam_vision_model",
        "backbone_config": {"model_type": "resnet"},
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": hidden,
    }


def edgetam() -> Any:
    config = hf.EdgeTamConfig(
        vision_config=_edgetam_vision(32), prompt_encoder_config=_prompt(64, 16), mask_decoder_config=DECODER
    )
    return hf.EdgeTamModel(config)


def _memory(hidden: int) -> dict[str, Any]:
    return {
        "memory_attention_hidden_size": hidden,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 32,
        "memory_attention_rope_feat_sizes": [4, 4],
        "memory_encoder_hidden_size": hidden,
        "memory_encoder_output_channels": 64,
        "mask_downsampler_embed_dim": hidden,
        "memory_fuser_embed_dim": hidden,
        "memory_fuser_intermediate_dim": 32,
        "memory_fuser_num_layers": 1,
        "num_maskmem": 3,
    }


WRITERS = {
    "sam": sam,
    "sam_with_its_own_decoder": sam_with_its_own_decoder,
    "sam_hq": sam_hq,
    "sam2": sam2,
    "sam2_video": sam2_video,
    "sam3": sam3,
    "sam3_tracker": sam3_tracker,
    "sam3_video": sam3_video,
    "edgetam": edgetam,
}


def _save_as_published(network: Any, target: Path) -> None:
    """transformers 5.23 writes the prefix of the tracker's weights twice; the published file has it once."""
    from safetensors.torch import save_file

    network.config.save_pretrained(target)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    save_file(weights, target / "model.safetensors", {"format": "pt"})


def write(kind: str, folder: Path) -> Path:
    """The tiny checkpoint `kind`, the same random weights every time, in a folder of its name."""
    torch.manual_seed(7)
    torch.set_num_threads(1)
    target = folder / kind
    if not target.is_dir():
        with pyramids():
            network = WRITERS[kind]().eval()
        if kind == "sam3_video":
            _save_as_published(network, target)
        else:
            network.save_pretrained(target)
        if kind in ("sam3", "sam3_video"):
            letter_tokenizer().save_pretrained(target)
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


def oneformer() -> list[Any]:
    backbone = {
        "model_type": "swin", "image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 1, 1, 1],
        "num_heads": [1, 2, 2, 2], "window_size": 4, "out_features": ["stage1", "stage2", "stage3", "stage4"],
    }  # fmt: skip
    config = hf.OneFormerConfig(
        backbone_config=backbone,
        num_queries=5,
        text_encoder_width=16,
        text_encoder_num_layers=1,
        text_encoder_vocab_size=300,
        text_encoder_n_ctx=2,
        task_seq_len=20,
        conv_dim=32,
        mask_dim=32,
        hidden_dim=32,
        encoder_feedforward_dim=32,
        dim_feedforward=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        id2label=NAMES,
        label2id={name: number for number, name in NAMES.items()},
    )
    processor = hf.OneFormerImageProcessorPil(size={"height": 64, "width": 64}, num_text=3, class_info_file=None)
    return [hf.OneFormerForUniversalSegmentation(config), processor, letter_tokenizer()]


MAPS = {"segformer": segformer, "mask2former": mask2former, "eomt": eomt, "oneformer": oneformer}


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
