"""Fields of PVD's, so that they can be held number by number. Fang et al. 2023 (arXiv 2211.15977).

The density is the exponential of a number that is kept between two limits, the colour a sigmoid; what both
are made of is a deep network, planes and lines, or a dense grid (the paper's section 3). PVD's hash grids are
`instant_ngp`. The limits leave a thin haze, exp(-2) per unit of the source, so that the cells that PVD looks
into are part of what its field is.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill3d.errors import UserError
from distill3d.representations import _sight
from distill3d.representations._placed import EMPTY, Place, Placed
from distill3d.representations._pvd_blocks import HIGHEST, LOWEST, Block, Network, Planes, Voxels

FEATURES = 15
"""Of a point, for the perceptron that makes its colour."""
START = 0.1
"""Standard deviation of the entries of planes and lines in the beginning."""
BLOCKS: dict[str, type[Block]] = {
    "block.weights.0": Network,
    "block.density_planes": Planes,
    "block.harmonics": Voxels,
}
"""Each known by one of its parameters."""


class Pvd(Placed):
    """A field of PVD's, with its exponential density; it starts as planes and lines."""

    cells: Tensor
    reach: Tensor

    def __init__(
        self,
        block: Block,
        *,
        samples: int,
        place: Place | None = None,
        cells: Bool[Tensor, "K X Y Z"] | None = None,
        reach: float = 1.0,
    ) -> None:
        """Where `cells` are False there is nothing; None is for all being True.

        Those of cascade k fill the cube of side 2ᵏ · 2 `reach` around the source's origin.
        """
        super().__init__(samples=samples, place=place)
        self.block = block
        self.register_buffer("cells", torch.ones(1, 1, 1, 1).bool() if cells is None else cells.clone())
        self.register_buffer("reach", torch.tensor(reach))

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        resolution: Annotated[int, "entries along each side of a plane"] = 48,
        density_rank: Annotated[int, "components of density in each direction"] = 16,
        colour_rank: Annotated[int, "components of colour in each direction"] = 16,
        width: Annotated[int, "width of the colour network"] = 64,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 64,
    ) -> Pvd:
        """A grey fog of density 1."""
        n, k, c = resolution, density_rank, colour_rank
        if min(n, samples) < 2 or min(k, c, width) < 1:
            raise ValueError(
                f"pvd cannot start with resolution {n}, density_rank {k}, colour_rank {c}, width {width} and "
                f"samples {samples}; expected 2 or more of the first and the last and 1 or more of the others"
            )
        generator = torch.Generator().manual_seed(seed)

        def noise(*shape: int) -> Tensor:
            return START * torch.randn(*shape, generator=generator)

        basis = noise(FEATURES, 3 * c) / START / (3 * c) ** 0.5
        colour = _sight.network(FEATURES, directional=True, width=width, layers=2, generator=generator)
        tables = noise(3, n, n, k), noise(3, n, k), noise(3, n, n, c), noise(3, n, c)
        return cls(Planes(*tables, basis, colour), samples=samples)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Pvd:
        kind = next((kind for name, kind in BLOCKS.items() if name in state), None)
        if kind is None:
            raise UserError(f"a pvd without an architecture; expected one of {', '.join(BLOCKS)}")
        prefix = "block."
        inside = {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)}
        block = kind.from_state(inside)
        place, samples = Place.from_state(state), int(state["samples"])
        scene = cls(block, samples=samples, place=place, cells=state["cells"], reach=float(state["reach"]))
        scene.load_state_dict(state)
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"] | None]:
        if d is None:
            raise ValueError("given no directions; colours of pvd depend on them")
        source = self.source(x)
        raw, features = self.block(2 * self.in_cube(source) - 1)
        rgb = self.block.colour(features, self.source_directions(d))
        return self._limited(source, raw), rgb, features if self.block.comparable else None

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        source = self.source(x)
        return self._limited(source, self.block.log_density(2 * self.in_cube(source) - 1))

    def _limited(self, source: Float[Tensor, "P 3"], raw: Float[Tensor, " P"]) -> Float[Tensor, " P"]:
        """Logarithms of densities per world unit, nothing where PVD does not look."""
        within = self.in_world(source, raw.clamp(LOWEST, HIGHEST))
        return torch.where(self._looked_into(source), within, EMPTY)

    def _looked_into(self, source: Float[Tensor, "P 3"]) -> Bool[Tensor, " P"]:
        """Whether the cell of each point is True, in the finest cascade that has the point."""
        cascades, side = self.cells.shape[:2]
        at = source.detach() / self.reach
        cascade = at.abs().amax(1).log2().ceil().clamp(0, cascades - 1)
        cell = ((at / 2 ** cascade[:, None] + 1) * (side / 2)).long().clamp(0, side - 1)
        return self.cells[cascade.long(), *cell.unbind(1)]

    def param_groups(self) -> list[dict[str, Any]]:
        tables = self.block.tables()
        known = {id(table) for table in tables}
        networks = [weight for weight in self.block.parameters() if id(weight) not in known]
        groups = [
            {"name": "tables", "params": tables, "lr": 0.02, "lr_final": 0.002},
            {"name": "networks", "params": networks, "lr": 0.002, "lr_final": 2e-4},
        ]
        return [group for group in groups if group["params"]]
