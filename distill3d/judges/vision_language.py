"""A real vision-language model with two encoders, such as CLIP or SigLIP, from a local folder.

The reward is the model's own scaled similarity of picture and words. Source: Radford et al. 2021, CLIP (arXiv
2103.00020).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from distill3d.errors import UserError
from distill3d.judge import Judge


@dataclass
class VisionLanguage(Judge):
    """A vision-language model such as CLIP, read from a local folder through transformers."""

    def __post_init__(self) -> None:
        self._parts: tuple[Any, Any, Any] | None = None

    def check(self) -> None:
        if not self.model or not (Path(self.model) / "config.json").is_file():
            raise UserError(
                f'--method.model is "{self.model}", which has no config.json; expected a local copy '
                "of a model with two encoders, such as that of: hf download openai/clip-vit-base-patch32 "
                "--local-dir FOLDER"
            )

    def reward(self, pictures: Float[Tensor, "B H W 3"], prompt: str) -> Float[Tensor, "B"]:
        model, tokenizer, processor = self._loaded()
        side = model.config.vision_config.image_size
        small = interpolate(pictures.permute(0, 3, 1, 2), (side, side), mode="bilinear", antialias=True)
        mean, deviation = (
            torch.tensor(v)[:, None, None] for v in (processor.image_mean, processor.image_std)
        )
        words = tokenizer([prompt], padding="max_length", truncation=True, return_tensors="pt")
        seen = model(pixel_values=(small - mean) / deviation, **words)
        return seen.logits_per_image[:, 0]

    def _loaded(self) -> tuple[Any, Any, Any]:
        """The model, its tokenizer and its image processor, without the network."""
        if self._parts is None:
            from transformers import (  # pyright: ignore[reportMissingImports]
                AutoImageProcessor,
                AutoModel,
                AutoTokenizer,
            )

            kinds = (AutoModel, AutoTokenizer, AutoImageProcessor)
            try:
                model, *rest = (kind.from_pretrained(self.model, local_files_only=True) for kind in kinds)
            except (OSError, ValueError) as error:
                raise UserError(
                    f"--method.model {self.model} cannot be read: {str(error).splitlines()[0]}; expected a "
                    "model, a tokenizer and an image processor in transformers' layout"
                ) from error
            self._parts = (model.eval().requires_grad_(False), *rest)
        return self._parts
