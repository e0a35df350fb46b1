"""Stable Diffusion 1 and 2 as priors: latents of an autoencoder, words of CLIP, noise of a U-Net.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models" (arXiv 2112.10752). The
view words are DreamFusion's (arXiv 2209.14988), section 3.2.

The models were trained on T steps; t in [0, 1] is step t (T - 1), between whole steps too: α is interpolated
and the U-Net's embedding of the step is continuous. What it says is converted to the noise here:

    ε = α v + σ x_t  from v = α ε - σ x        ε = (x_t - α x) / σ  from x
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from distill3d.camera import Cameras, azimuth_elevation
from distill3d.errors import UserError
from distill3d.prior import Condition, Prior, Question, noise_from_clean, per_picture
from distill3d.priors import _latent_diffusion
from distill3d.priors._latent_diffusion import LatentDiffusion
from distill3d.visual_prompt import VisualPrompt
from distill3d.world.views import VIEWS, view_word

ENCODED_AT_ONCE = 8  # pictures


@dataclass
class StableDiffusion(Prior):
    """Stable Diffusion 1 or 2 through diffusers: from the hub, a folder, or a single file."""

    model: Annotated[str, "hub id, folder in diffusers' layout, or .safetensors file"] = (
        "stable-diffusion-v1-5/stable-diffusion-v1-5"
    )
    layout: Annotated[
        str | None, "for a single file: hub id or folder with the tokenizer of a like model"
    ] = None
    ip_adapter: Annotated[
        str | None, "file or folder of an IP-Adapter, through which the model is shown pictures"
    ] = None
    view_prompts: Annotated[bool, "whether the prompt gets a view word from the camera"] = True
    negative_prompt: Annotated[str | None, "words for bad pictures, for methods that use them"] = (
        "ugly, blurry, low quality, oversaturated"
    )
    pixels: Annotated[
        int | None, "side that pictures are scaled to before they are encoded; by default the model's own"
    ] = None
    device: Annotated[
        Literal["auto", "cpu", "cuda"], "where the model is; auto is the GPU if there is one"
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "float16", "bfloat16"], "of the U-Net; auto is float16 on the GPU"
    ] = "auto"

    guidance_scale = 7.5

    def __post_init__(self) -> None:
        if self.device == "auto":
            self.device = "cuda" if torch.cuda.is_available() else "cpu"
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("prior.device is cuda and torch sees no CUDA device; expected cpu")
        if self.precision == "auto":
            self.precision = "float16" if self.device == "cuda" else "float32"
        self._embedded: dict[str, Tensor] = {}

    @cached_property
    def models(self) -> LatentDiffusion:
        """The networks, loaded when they are first needed."""
        found = _latent_diffusion.load(
            self.model,
            self.layout,
            self.ip_adapter,
            precision=getattr(torch, self.precision),
            device=torch.device(self.device),
        )
        pixels = found.pixels if self.pixels is None else self.pixels
        unit = found.pixels_per_latent
        if pixels < 1 or pixels % unit:
            raise UserError(
                f"prior.pixels is {pixels}; expected a multiple of {unit}, the pixels of one latent"
            )
        return found

    def condition(self, prompt: str, cameras: Cameras, background: Float[Tensor, "B 3"]) -> Condition:
        """The model is loaded here, and a prompt that is too long for it is refused."""
        condition = Condition(prompt, cameras, background)
        for text in set(self._texts(condition, len(cameras))):
            self._embedding(text)
        return condition

    def check_visual(self, visual: VisualPrompt) -> None:
        """A model sees pictures through an adapter alone."""
        if self.models.ip_adapter is None:
            raise UserError(
                f'"{self.model}" is shown pictures through an IP-Adapter and has none; get one by `hf '
                "download h94/IP-Adapter` and give its file as --prior.ip-adapter"
            )

    def encode(self, rgb: Float[Tensor, "B H W 3"]) -> Float[Tensor, "B h w C"]:
        """Latents, the mean of what the autoencoder says; gradients go back through it to the pictures."""
        vae: Any = self.models.vae
        pixels = self.pixels or self.models.pixels
        pictures = (rgb * 2 - 1).movedim(-1, 1).to(self.device)
        if pictures.shape[-2:] != (pixels, pixels):
            pictures = interpolate(pictures, (pixels, pixels), mode="bilinear", antialias=True)
        means = [vae.encode(some).latent_dist.mode() for some in pictures.split(ENCODED_AT_ONCE)]
        latents = (torch.cat(means) - _shift(vae.config)) * vae.config.scaling_factor
        return latents.movedim(1, -1).to(rgb)

    def decode(self, latents: Float[Tensor, "B h w C"]) -> Float[Tensor, "B H W 3"]:
        """Pictures in [0, 1] of latents; the way back of `encode`, up to what the autoencoder forgets."""
        vae: Any = self.models.vae
        z = latents.movedim(-1, 1).to(self.device) / vae.config.scaling_factor + _shift(vae.config)
        pictures = torch.cat([vae.decode(some).sample for some in z.split(ENCODED_AT_ONCE)])
        return ((pictures.movedim(1, -1) + 1) / 2).clamp(0, 1).to(latents)

    def noise(
        self, noisy: Float[Tensor, "B h w C"], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B h w C"]:
        """One call of the U-Net."""
        return self.answers([Question(noisy, t, condition)])[0]

    def answers(self, questions: Sequence[Question]) -> list[Tensor]:
        """One call of the U-Net for all of them."""
        noisy = torch.cat([q.noisy for q in questions])
        t = torch.cat([q.t for q in questions])
        texts = [text for q in questions for text in self._texts(q.condition, len(q.noisy))]
        shown = [q.condition.visual for q in questions for _ in q.noisy]
        said = self._ask(self.models.unet, noisy, t, texts, shown)
        return list(said.split([len(q.noisy) for q in questions]))

    def adapter(self, rank: int) -> nn.Module:
        """The U-Net with low-rank changes of `rank` and an embedding of the camera; both begin at nothing."""
        from distill3d.priors._camera_lora import CameraLoRA

        return CameraLoRA(self.models.unet, rank, self._ask_plainly)

    def alpha_sigma(self, t: Float[Tensor, "B"]) -> tuple[Float[Tensor, "B"], Float[Tensor, "B"]]:
        """α and σ of the step t (T - 1), α interpolated between whole steps."""
        alphas = self.models.alphas.to(t.device)
        place = t.double().clamp(0, 1) * (len(alphas) - 1)
        below = place.floor().clamp_max(len(alphas) - 2).long()
        alpha = torch.lerp(alphas[below], alphas[below + 1], place - below)
        return alpha.to(t), (1 - alpha**2).sqrt().to(t)

    def _ask_plainly(
        self, unet: nn.Module, noisy: Tensor, t: Tensor, condition: Condition, **told: Tensor
    ) -> Tensor:
        """As `_ask`, with the prompt as it is: a network that is told the camera needs no view word."""
        count = len(noisy)
        return self._ask(unet, noisy, t, [condition.prompt or ""] * count, [condition.visual] * count, **told)

    def _ask(
        self,
        unet: nn.Module,
        noisy: Float[Tensor, "B h w C"],
        t: Tensor,
        texts: Sequence[str],
        shown: Sequence[VisualPrompt | None],
        **told: Tensor,
    ) -> Float[Tensor, "B h w C"]:
        """ε from what a U-Net of this model's kind says; everything comes and goes as `noisy` does."""
        steps = t * (len(self.models.alphas) - 1)
        words = torch.stack([self._embedding(text) for text in texts])
        dtype: Any = words.dtype
        said = unet(
            noisy.movedim(-1, 1).to(self.device, dtype),
            steps.to(self.device),
            encoder_hidden_states=words,
            **self._embedded_pictures(shown),
            **told,
        )
        said = said.sample.movedim(1, -1).to(noisy)
        alpha, sigma = self.alpha_sigma(t)
        if self.models.parametrisation == "v_prediction":
            return per_picture(alpha, noisy) * said + per_picture(sigma, noisy) * noisy
        if self.models.parametrisation == "sample":
            return noise_from_clean(said, noisy, alpha, sigma)
        return said

    def _embedded_pictures(self, shown: Sequence[VisualPrompt | None]) -> dict[str, Any]:
        """What a U-Net with an adapter is told about each picture beside words; nothing, without one."""
        for visual in {*shown} - {None}:
            self.check_visual(visual)  # pyright: ignore[reportArgumentType]
        adapter = self.models.ip_adapter
        if adapter is None:
            return {}
        embeddings = torch.stack([adapter.embedding(visual) for visual in shown])
        return {"added_cond_kwargs": {"image_embeds": [embeddings[:, None]]}}

    def _texts(self, condition: Condition, count: int) -> list[str]:
        """What the model is told about each picture."""
        prompt = condition.prompt
        if prompt is None or condition.cameras is None or not self.view_prompts:
            return [prompt or ""] * count
        words = view_word(*azimuth_elevation(condition.cameras)).tolist()
        return [f"{prompt}, {VIEWS[word]} view" for word in words]

    @torch.no_grad()
    def _embedding(self, text: str) -> Float[Tensor, "L D"]:
        """The words as the U-Net attends to them; each text is encoded once."""
        if text not in self._embedded:
            tokenizer = self.models.tokenizer
            tokens = tokenizer(text, padding="max_length", return_tensors="pt").input_ids
            most = tokenizer.model_max_length
            if tokens.shape[1] > most:
                raise UserError(
                    f'the prompt "{text[:60]}…" has {tokens.shape[1]} tokens and the model reads {most}; '
                    "shorten it"
                )
            self._embedded[text] = self.models.text_encoder(tokens.to(self.device))[0][0]
        return self._embedded[text]


def _shift(config: Any) -> float:
    return getattr(config, "shift_factor", None) or 0.0
