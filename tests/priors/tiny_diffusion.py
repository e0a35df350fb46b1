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
