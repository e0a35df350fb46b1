"""Density and colour as sums of planes times lines. Chen et al. 2022, TensoRF (arXiv 2203.09517).

Components of density and of colour in each of the three directions, and a linear basis that turns the
products into colours (the paper's B), or into features of which a perceptron makes colours (its S).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import field
from distill3d.camera import Cameras
from distill3d.field import Field
from distill3d.moment import Moment
from distill3d.ops import grids
from distill3d.rendering import Rendering
from distill3d.representations import _sight, _upsampling
from distill3d.representations._learned import listed, parameter, parameters
from distill3d.scene import Scene, Seen

PRESETS = {
    "quick": {
        "steps": 800,
        "views": 8,
        "rays": 5000,
        "resolution": 96,
        "density_rank": 8,
        "colour_rank": 16,
        "width": 32,
        "colour_layers": 1,
        "samples": 128,
    },
    "standard": {
        "steps": 3000,
        "views": 8,
        "rays": 5000,
        "resolution": 160,
        "density_rank": 8,
        "colour_rank": 24,
        "width": 32,
        "colour_layers": 1,
        "samples": 192,
    },
    "high": {
        "steps": 20000,
        "views": 16,
        "rays": 8192,
        "resolution": 300,
        "density_rank": 16,
        "colour_rank": 48,
        "width": 64,
        "colour_layers": 2,
        "samples": 512,
    },
}
"""Of fits to photographs: see `scene.PRESETS`."""
SPARSE = 1e-4
"""Weight of the mean magnitude of density's planes and lines in a fit; the paper's appendix: 4e-5 to 8e-5."""
START = 0.1
"""Standard deviation of the entries of planes and lines in the beginning, as in the paper's code."""


class Vm(Field):
    """Vector-matrix decomposition of a density and a colour over [-1, 1]³, starting from a haze."""

    finest: Tensor
    """The resolution that planes and lines reach during a fit."""

    def __init__(
        self,
        density_planes: Float[Tensor, "3 N N K"],
        density_lines: Float[Tensor, "3 N K"],
        colour_planes: Float[Tensor, "3 N N D"],
        colour_lines: Float[Tensor, "3 N D"],
        basis: Float[Tensor, "W C"],
        colour: Sequence[Tensor] = (),
        *,
        samples: int,
    ) -> None:
        """`colour` are the weights of a perceptron on the basis's outputs; without, those are the colours."""
        super().__init__(samples=samples)
        self.density_planes = parameter(density_planes)
        self.density_lines = parameter(density_lines)
        self.colour_planes = parameter(colour_planes)
        self.colour_lines = parameter(colour_lines)
        self.basis = parameter(basis)
        self.colour = parameters(colour)
        self.directional = len(colour) > 0 and colour[0].shape[1] > basis.shape[1]
        self.register_buffer("finest", torch.tensor(density_lines.shape[1]))

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        resolution: Annotated[int, "entries along each side of a plane"] = 48,
        density_rank: Annotated[int, "components of density in each direction"] = 16,
        colour_rank: Annotated[int, "components of colour in each direction"] = 16,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 64,
    ) -> Vm:
        """A grey haze, denser towards the centre."""
        generator = torch.Generator().manual_seed(seed)
        return cls(*_hazy(resolution, density_rank, colour_rank, 3, generator), samples=samples)

    @classmethod
    def from_photographs(
        cls,
        seen: Seen,
        *,
        seed: int = 0,
        resolution: Annotated[int, "entries along each side of a plane, in the end"] = 160,
        density_rank: Annotated[int, "components of density in each direction"] = 8,
        colour_rank: Annotated[int, "components of colour in each direction"] = 24,
        features: Annotated[int, "features of a point that its colour is made of"] = 15,
        width: Annotated[int, "width of the colour network"] = 32,
        colour_layers: Annotated[int, "hidden layers of the colour network"] = 1,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 192,
    ) -> Scene:
        """As `start`, coarse to begin with, and with a network for colours that follow the sight."""
        if features < 1 or width < 1 or colour_layers < 0:
            raise ValueError(
                f"vm cannot start with features {features}, width {width} and colour_layers "
                f"{colour_layers}; expected 1 or more of the first two and 0 or more of the last"
            )
        generator = torch.Generator().manual_seed(seed)
        tables = _hazy(_upsampling.coarse(resolution), density_rank, colour_rank, features, generator)
        colour = _sight.network(
            features, directional=True, width=width, layers=colour_layers, generator=generator
        )
        scene = cls(*tables, colour, samples=samples)
        scene.finest.fill_(resolution)
        scene.photographed.fill_(True)
        return scene

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Vm:
        scene = cls(
            state["density_planes"],
            state["density_lines"],
            state["colour_planes"],
            state["colour_lines"],
            state["basis"],
            listed(state, "colour"),
            samples=int(state["samples"]),
        )
        scene.load_state_dict({"finest": scene.finest, **state})  # files from before had one resolution
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"] | None]:
        features = grids.vm(self.colour_planes, self.colour_lines, x) @ self.basis
        if not len(self.colour):
            return self.log_density(x), features.sigmoid(), None
        return self.log_density(x), _sight.colour(features, d, list(self.colour)), features

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        raw = grids.vm(self.density_planes, self.density_lines, x).sum(1)
        return field.log_sharp(raw + field.haze(x))

    def param_groups(self) -> list[dict[str, Any]]:
        density, colour = [self.density_planes, self.density_lines], [self.colour_planes, self.colour_lines]
        first, last = 0.05, 0.002 if self.photographed else 0.005
        return [
            {"name": "density", "params": density, "lr": first, "lr_final": last},
            {"name": "colour", "params": colour, "lr": first, "lr_final": last},
            {"name": "basis", "params": [self.basis, *self.colour], "lr": 0.01, "lr_final": 0.001},
        ]

    def penalty(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Tensor | None:
        """In a fit, the mean magnitudes of density's planes and lines: section 4, equation 8 of the paper."""
        if not self.photographed:
            return None
        return SPARSE * (self.density_planes.abs().mean() + self.density_lines.abs().mean())

    def grow(
        self, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        """Make planes and lines finer when the pictures become larger; see `Field.grow`."""
        resolution = _upsampling.due(int(self.finest), step, steps)
        if resolution is not None and resolution > self.density_lines.shape[1]:
            finer = {}
            for name in ("density", "colour"):
                planes, lines = (
                    self.get_parameter(f"{name}_{what}").detach() for what in ("planes", "lines")
                )
                finer[f"{name}_planes"] = _upsampling.planes(planes, resolution)
                finer[f"{name}_lines"] = _upsampling.lines(lines, resolution)
            _upsampling.replace(self, optimizer, finer)
        super().grow(step, steps, optimizer, generator)


def _hazy(
    n: int, k: int, d: int, outputs: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Planes, lines and the basis to start from, of resolution n and ranks k and d."""
    if n < 2 or k < 1 or d < 1:
        raise ValueError(
            f"vm cannot start with resolution {n}, density_rank {k} and colour_rank {d}; expected 2 or more "
            "of the first and 1 or more of the others"
        )

    def noise(*shape: int) -> Tensor:
        return START * torch.randn(*shape, generator=generator)

    basis = noise(3 * d, outputs) / START / (3 * d) ** 0.5
    return noise(3, n, n, k), noise(3, n, k), noise(3, n, n, d), noise(3, n, d), basis
