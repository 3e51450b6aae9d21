"""Tiny random UNets of the families that regional runs."""

from __future__ import annotations

from typing import Any

import torch


def tiny_unet(seed: int = 0, *, linear: bool = False, size: int = 16, blocks: int = 3) -> Any:
    """A UNet with self- and cross-attention and `blocks` resolutions over latents 4×`size`×`size`."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(seed)
    widths = (16, 24, 32)[:blocks]
    unet = UNet2DConditionModel(
        sample_size=size,
        block_out_channels=widths,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * (blocks - 1) + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (blocks - 1),
        cross_attention_dim=12,
        attention_head_dim=4,
        norm_num_groups=4,
        use_linear_projection=linear,
    )
    return unet.eval()


def sdxl_unet(seed: int = 0) -> Any:
    """The SDXL variant: added text and size embeddings, deeper transformers."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 24),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        norm_num_groups=4,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 8,
    )
    return unet.eval()
