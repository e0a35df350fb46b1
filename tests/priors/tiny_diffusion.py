"""A Stable Diffusion of random weights in diffusers' layout on disk, asked in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path

import torch

PIXELS = 16
PIXELS_PER_LATENT = 2
WIDTH = 32  # of the text encoder


def write(folder: Path, *, prediction_type: str = "epsilon", seed: int = 0) -> Path:
    """Every part of a pipeline; the same seed gives the same weights whatever the prediction type."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=PIXELS // PIXELS_PER_LATENT,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=WIDTH,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=4,
        scaling_factor=0.5,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=_VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=32,
            bos_token_id=_VOCABULARY - 2,
            eos_token_id=_VOCABULARY - 1,
            pad_token_id=_VOCABULARY - 1,
        )
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        num_train_timesteps=1000,
        clip_sample=False,
        steps_offset=1,
        prediction_type=prediction_type,
    )
    parts = {"unet": unet, "vae": vae, "text_encoder": text_encoder, "scheduler": scheduler}
    for name, part in {**parts, "tokenizer": _tokenizer(folder)}.items():
        part.save_pretrained(folder / name)
    return folder


_LETTERS = [chr(code) for code in range(33, 127)]
_VOCABULARY = 2 * len(_LETTERS) + 2


def _tokenizer(folder: Path):
    """CLIP's tokenizer that knows letters alone, each on its own."""
    from transformers import CLIPTokenizer

    words = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS), "<|startoftext|>", "<|endoftext|>"]
    folder = folder / "tokenizer"
    folder.mkdir(parents=True)
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: i for i, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=32)


def write_ip_adapter(folder: Path, unet, *, by_patch: bool = False) -> Path:
    """An IP-Adapter of random weights for a U-Net: a file and CLIP's picture encoder beside it."""
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(1)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        projection_dim=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=8,
        patch_size=4,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")
    tensors = _projection_by_patch() if by_patch else _projection()
    for i, name in enumerate(name for name in unet.attn_processors if "attn2" in name):
        attention = unet.get_submodule(name.removesuffix(".processor"))
        for matrix in ("to_k", "to_v"):
            like = getattr(attention, matrix).weight
            tensors[f"ip_adapter.{2 * i + 1}.{matrix}_ip.weight"] = torch.randn(like.shape)
    save_file(tensors, str(folder / "ip-adapter.safetensors"))
    return folder


def _projection() -> dict[str, torch.Tensor]:
    """From CLIP's vector to four words."""
    return {
        "image_proj.proj.weight": torch.randn(4 * WIDTH, 12),
        "image_proj.proj.bias": torch.randn(4 * WIDTH),
        "image_proj.norm.weight": torch.ones(WIDTH),
        "image_proj.norm.bias": torch.zeros(WIDTH),
    }


def _projection_by_patch() -> dict[str, torch.Tensor]:
    """From CLIP's vectors of patches to as many words."""
    return {
        "image_proj.proj.0.weight": torch.randn(16, 16),
        "image_proj.proj.0.bias": torch.randn(16),
        "image_proj.proj.2.weight": torch.randn(WIDTH, 16),
        "image_proj.proj.2.bias": torch.randn(WIDTH),
        "image_proj.proj.3.weight": torch.ones(WIDTH),
        "image_proj.proj.3.bias": torch.zeros(WIDTH),
    }
