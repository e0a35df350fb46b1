"""Pictures beside words for Stable Diffusion. Ye et al. 2023, "IP-Adapter" (arXiv 2308.06721), equation 5.

    Z = attention(Q, K, V) + attention(Q, K', V')

K and V are of the words, K' and V' of a picture as CLIP sees it. Several pictures of one object are embedded
each, and the mean is what the network is told. It has been trained with no picture as zeros in the place of
an embedding, and is told that where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d.errors import UserError
from distill3d.visual_prompt import VisualPrompt

ENCODER = "image_encoder"
EXPECTED = (
    f"expected a .safetensors file of an IP-Adapter beside its folder {ENCODER}, or the folder of both, as "
    "in models/ of: hf download h94/IP-Adapter"
)


@dataclass
class IPAdapter:
    """The embedder of pictures whose embeddings an adapted U-Net attends to."""

    pipeline: Any
    """diffusers' pipeline of the U-Net and CLIP's picture encoder."""
    _known: dict[VisualPrompt | None, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def embedding(self, visual: VisualPrompt | None) -> Float[Tensor, "..."]:
        """A vector, or one for each patch, of pictures or of none; each is embedded once."""
        if visual not in self._known:
            pictures = torch.ones(1, 1, 1, 3) if visual is None else visual.rgb
            arrays = list((pictures * 255).round().to(torch.uint8).numpy())
            device = self.pipeline.unet.device
            told, nothing = self.pipeline.encode_image(arrays, device, 1, output_hidden_states=self._by_patch)
            self._known[visual] = (nothing if visual is None else told).mean(0)
        return self._known[visual]

    @property
    def _by_patch(self) -> bool:
        """Whether the adapter reads CLIP's vectors of patches, as "plus" kinds do, and not the one of all."""
        from diffusers.models.embeddings import ImageProjection

        projection = self.pipeline.unet.encoder_hid_proj.image_projection_layers[0]
        return not isinstance(projection, ImageProjection)


def put_on(unet: nn.Module, path: str) -> IPAdapter:
    """Give `unet`, in place, the adapter at `path`: a file, or a folder with one. Raises UserError."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    file = _file(Path(path).expanduser())
    rest = ("vae", "text_encoder", "tokenizer", "scheduler", "safety_checker", "feature_extractor")
    pipeline: Any = StableDiffusionPipeline(
        unet=unet,  # pyright: ignore[reportArgumentType]
        **dict.fromkeys(rest),  # pyright: ignore[reportArgumentType]
        requires_safety_checker=False,
    )
    try:
        pipeline.load_ip_adapter(
            str(file.parent), "", file.name, image_encoder_folder=ENCODER, local_files_only=True
        )
    except Exception as error:  # whatever a file that is not what it seems makes diffusers stumble over
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(
            f"the IP-Adapter {file} cannot be put on this model ({said}); {EXPECTED}, made for a model of "
            "the same kind"
        ) from error
    unet.eval().requires_grad_(False)
    pipeline.image_encoder.eval().requires_grad_(False)
    return IPAdapter(pipeline)


def _file(path: Path) -> Path:
    """The adapter's file."""
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise UserError(f"{path} holds several IP-Adapters ({names}); give one of the files")
    if not files or not files[0].is_file() or files[0].suffix != ".safetensors":
        raise UserError(f"no IP-Adapter in {path}; {EXPECTED}")
    if not (files[0].parent / ENCODER).is_dir():
        raise UserError(f"{files[0]} has no folder {ENCODER} beside it; {EXPECTED}")
    return files[0]
