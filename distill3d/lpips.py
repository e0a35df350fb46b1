"""LPIPS: how far apart two pictures look to a network that has learned to name things.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", equation 1
(arXiv 1801.03924), with the layers of VGG-16, version 0.1:

    d(x, x₀) = Σ_l 1/(H_l W_l) Σ_hw ‖w_l ⊙ (ŷ_hw^l - ŷ₀_hw^l)‖²

ŷ are features divided by their length over channels, and w² what the authors' file holds. Two files are
needed, as their publishers name them: `vgg16-397923af.pth`, torchvision's VGG-16, and `vgg.pth`, the w².
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d

from distill3d.errors import UserError

FOLDER = "DISTILL3D_LPIPS"
"""The environment's variable with the folder of the two files; else they are looked for in torch's own."""
NETWORK, WEIGHTS = "vgg16-397923af.pth", "vgg.pth"
BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""The places of torchvision's convolutions; each block's last is a layer, and is halved before the next."""
CHANNELS = (64, 128, 256, 512, 512)
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""What pictures in [-1, 1] are moved by before the network sees them."""
SMALLEST_PX = 16
"""The side that four halvings leave something of."""


class Lpips(nn.Module):
    """The distance, of pictures in [0, 1]."""

    shift: Tensor
    scale: Tensor

    def __init__(self, network: dict[str, Tensor], weights: dict[str, Tensor]) -> None:
        """`network` is torchvision's state of VGG-16, `weights` the authors' of the layers."""
        super().__init__()
        try:
            for i in (i for block in BLOCKS for i in block):
                self.register_buffer(f"kernel_{i}", network[f"features.{i}.weight"])
                self.register_buffer(f"bias_{i}", network[f"features.{i}.bias"])
            for i, channels in enumerate(CHANNELS):
                self.register_buffer(f"layer_{i}", weights[f"lin{i}.model.1.weight"].reshape(channels))
        except (KeyError, RuntimeError) as error:
            raise UserError(
                f"the files for LPIPS are not VGG-16 and its layers ({error}); expected torchvision's "
                f"{NETWORK} and {WEIGHTS} of LPIPS 0.1"
            ) from error
        self.register_buffer("shift", torch.tensor(SHIFT))
        self.register_buffer("scale", torch.tensor(SCALE))

    @torch.no_grad()
    def forward(self, x: Float[Tensor, "B H W 3"], x0: Float[Tensor, "B H W 3"]) -> Float[Tensor, "B"]:
        """The distance of each pair of pictures; 0 for equal ones. Sides of 16 pixels or more."""
        if min(x.shape[1:3]) < SMALLEST_PX:
            raise ValueError(
                f"given pictures of {x.shape[2]} x {x.shape[1]}, expected sides of {SMALLEST_PX} or more"
            )
        y, y0 = (self._seen(picture) for picture in (x, x0))
        total = x.new_zeros(len(x))
        for i, block in enumerate(BLOCKS):
            y, y0 = (self._block(features, block, halve=i > 0) for features in (y, y0))
            squared = (_directions(y) - _directions(y0)).square()
            total += (squared * getattr(self, f"layer_{i}")[:, None, None]).sum(1).mean((1, 2))
        return total

    def _seen(self, picture: Float[Tensor, "B H W 3"]) -> Float[Tensor, "B 3 H W"]:
        return ((2 * picture - 1 - self.shift) / self.scale).permute(0, 3, 1, 2)

    def _block(self, y: Tensor, block: tuple[int, ...], *, halve: bool) -> Tensor:
        if halve:
            y = max_pool2d(y, 2)
        for i in block:
            y = conv2d(y, getattr(self, f"kernel_{i}"), getattr(self, f"bias_{i}"), padding=1).relu()
        return y


def _directions(y: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    return y / (y.norm(dim=1, keepdim=True) + 1e-10)


def on_disk() -> Lpips | None:
    """The distance, where its two files are on disk; None where they are not. Nothing is downloaded.

    Raises UserError if the environment names a folder without them, or files that are something else.
    """
    named = os.environ.get(FOLDER)
    folder = Path(named) if named else Path(torch.hub.get_dir()) / "checkpoints"
    missing = [name for name in (NETWORK, WEIGHTS) if not (folder / name).is_file()]
    if missing and named:
        raise UserError(
            f"{FOLDER} is {folder}, where there is no {' nor '.join(missing)}; expected both for LPIPS"
        )
    if missing:
        return None
    try:
        states = [
            torch.load(folder / name, map_location="cpu", weights_only=True) for name in (NETWORK, WEIGHTS)
        ]
    except Exception as error:  # whatever a damaged file brings torch's reader to
        raise UserError(f"{folder}: the files for LPIPS cannot be read ({type(error).__name__})") from error
    return Lpips(*states)
