"""A vision transformer, such as DINOv2, looks at pictures of the scene: a vector for each of its patches.

The scene is rendered in front of white at the size that the network reads. What the tokens of patches say at
its end, or after one of its layers, is a map; those of the class and of registers are left out. The map is
compared with the scene patch by patch, as it is: it knows nothing between.

Source: Dosovitskiy et al. 2021, An Image is Worth 16x16 Words (arXiv 2010.11929); DINOv2 is that of Oquab et
al. 2024 (arXiv 2304.07193).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.conversions.framing import around
from distill3d.errors import UserError
from distill3d.extractor import Extractor, FeatureMap
from distill3d.pictures import shoot
from distill3d.scene import Scene
from distill3d.world.bank import stations

WHITE = (1.0, 1.0, 1.0)
EXPECTED = (
    "expected a local copy of a vision transformer, such as that of: hf download facebook/dinov2-small "
    "--local-dir FOLDER"
)


@dataclass
class Transformer(Extractor):
    """A vision transformer such as DINOv2, read from a local folder through transformers."""

    model: Annotated[str, "the folder with config.json, preprocessor_config.json and the weights"] = ""
    side: Annotated[int, "of the pictures that it reads, in pixels; 0: as it was trained"] = 0
    layer: Annotated[int, "after which of its layers, from 1 on; 0: at its end"] = 0
    rays: Annotated[int, "pixels along a side of a patch, at most, at which the scene is compared"] = 8

    def __post_init__(self) -> None:
        if min(self.side, self.layer) < 0 or self.rays < 1:
            raise ValueError(
                f"a transformer with pictures of {self.side} pixels, layer {self.layer}, {self.rays} rays; "
                "expected 0 or more, 0 or more, and 1 or more"
            )

    def maps(self, scene: Scene, *, views: int, size: int, seed: int) -> Tokens:
        """The pictures are of the network's size, whatever `size` says."""
        network = self._loaded()
        side = self.side or network.side
        if side % network.patch:
            raise UserError(
                f"--features.side {side} is not made of the network's patches of {network.patch} pixels; "
                "give a multiple"
            )
        if self.layer > network.layers:
            raise UserError(f"--features.layer {self.layer} is not there; {self.model} has {network.layers}")
        cameras = around(scene, stations(views, width=side, height=side))
        return Tokens(scene, network, cameras, self.layer, min(network.patch, self.rays))

    def _loaded(self) -> Network:
        """The network, without the internet."""
        if not self.model or not (Path(self.model) / "config.json").is_file():
            raise UserError(f'--features.model is "{self.model}", which has no config.json; {EXPECTED}')
        from transformers import AutoImageProcessor, AutoModel  # pyright: ignore[reportMissingImports]

        try:
            model, found = AutoModel.from_pretrained(
                self.model, local_files_only=True, output_loading_info=True
            )
            processor = AutoImageProcessor.from_pretrained(self.model, local_files_only=True)
        except (OSError, ValueError) as error:
            raise UserError(
                f"--features.model {self.model} cannot be read: {str(error).splitlines()[0]}; {EXPECTED}"
            ) from error
        missing = [name for name in found["missing_keys"] if "pooler" not in name]
        if missing:
            raise UserError(f"--features.model {self.model} lacks the weights {missing[0]} …; {EXPECTED}")
        vision = getattr(model, "vision_model", model)
        config = getattr(model.config, "vision_config", model.config)
        if not all(isinstance(getattr(config, name, None), int) for name in ("patch_size", "image_size")):
            raise UserError(
                f"--features.model {self.model} is a {config.model_type} without patches; {EXPECTED}"
            )
        return Network(vision.eval().requires_grad_(False), config, processor.image_mean, processor.image_std)


@dataclass(frozen=True, eq=False)
class Network:
    """Reads pictures in patches."""

    model: Any
    config: Any
    mean: Sequence[float]
    deviation: Sequence[float]

    @property
    def patch(self) -> int:
        return self.config.patch_size

    @property
    def side(self) -> int:
        """Of the pictures that it was trained with, in pixels."""
        return self.config.image_size

    @property
    def channels(self) -> int:
        return self.config.hidden_size

    @property
    def layers(self) -> int:
        return self.config.num_hidden_layers

    @torch.no_grad()
    def tokens(self, picture: Float[Tensor, "H W 3"], layer: int) -> Float[Tensor, "h w D"]:
        """Of a picture in [0, 1], those of its patches after a layer; 0: at the end."""
        height, width = (side // self.patch for side in picture.shape[:2])
        pixels = (picture - torch.tensor(self.mean)) / torch.tensor(self.deviation)
        takes = inspect.signature(self.model.forward).parameters
        larger = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in takes else {}
        seen = self.model(pixels.permute(2, 0, 1)[None], output_hidden_states=layer > 0, **larger)
        said = seen.hidden_states[layer] if layer else seen.last_hidden_state
        return said[0, -height * width :].reshape(height, width, -1).float()


@dataclass(frozen=True, eq=False)
class Tokens:
    """The maps of `Transformer`, of which no truth is known."""

    scene: Scene
    network: Network
    pictured: Cameras
    """Of the size that the network reads."""
    layer: int
    patch: int

    @property
    def cameras(self) -> Cameras:
        width, height = (side // self.network.patch for side in (self.pictured.width, self.pictured.height))
        return self.pictured.resized(width * self.patch, height * self.patch)

    @property
    def channels(self) -> int:
        return self.network.channels

    @property
    def words(self) -> Mapping[str, Float[Tensor, " D"]]:
        return {}

    def __getitem__(self, view: int) -> FeatureMap:
        picture = shoot(self.scene, self.pictured[view : view + 1]).over(WHITE)[0]
        tokens = self.network.tokens(picture.clamp(0, 1), self.layer)
        return FeatureMap.of(tokens, torch.ones(*tokens.shape[:2], 1))

    def judge(self, features: Float[Tensor, "N D"], weight: Float[Tensor, "N 1"]) -> dict[str, float]:
        return {}
