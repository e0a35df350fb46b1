"""Field: the contract of scenes that are a density and a colour at every point of the unit ball.

A kind of field says what `query` answers; rendering is here: rays are marched through the cells that are not
empty (Müller et al. 2022, Instant Neural Graphics Primitives, appendix E.1), samples that no light reaches
are left out, and the rest is blended by emission and absorption.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from distill3d.camera import Cameras
from distill3d.ops.march import Samples, march
from distill3d.ops.volume import composite, selected, transmittance
from distill3d.rendering import Rendering
from distill3d.scene import WANT, Scene

CELLS = 48
"""Cells of the occupancy grid along each side of [-1, 1]³."""
EVERY = 16
"""Steps between two updates of the occupancy grid."""
DECAY = 0.9
"""What is left of a cell's remembered density after an update that finds none."""
FAINTEST = 0.1
"""Density per world unit under which a cell counts as empty."""
FAINTEST_PHOTOGRAPHED = 0.3
"""The same in fits to photographs, where no haze has to survive: about a third less to draw."""
RAYS_AT_ONCE = 2**16
"""Rays that are drawn together where no gradients are kept."""


class Field(Scene):
    """A density and a colour at every point of the unit ball; nothing outside of it.

    A kind of field calls this constructor first, makes its parameters, and writes `query`. Its `grow` comes
    from here and keeps the occupancy grid; the buffers are part of the state.
    """

    samples: Tensor
    remembered: Tensor
    """The largest density that was met in each cell lately, per world unit; infinite in the beginning, and
    minus infinite where the field is never looked into: see `confine`."""

    directional = False
    """Whether colours depend on the direction of sight; if not, `query` gets no directions."""

    def __init__(self, *, samples: int) -> None:
        super().__init__()
        if samples < 2:
            raise ValueError(f"a field cannot start with samples {samples}; expected 2 or more")
        self.register_buffer("samples", torch.tensor(samples))
        self.register_buffer("remembered", torch.full((CELLS, CELLS, CELLS), math.inf))
        self._occupied: Tensor | None = None

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"] | None]:
        """Log density (per world unit), colour in [0, 1] and features, or None, at points of the unit ball.

        `d` are the unit directions in which the points are looked at; None where `directional` is False.
        """
        raise TypeError(f"{type(self).__name__} answers no query")

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        """The first of what `query` answers; a field that can say it sooner does."""
        d = torch.zeros_like(x)
        d[:, 2] = 1
        return self.query(x, d if self.directional else None)[0]

    def normal(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
        """Unit vectors against the density's gradient, in the world; zero where there is none. No gradients.

        A field that knows its normals otherwise says them here, with gradients.
        """
        with torch.enable_grad():
            at = x.detach().requires_grad_()
            (uphill,) = torch.autograd.grad(self.log_density(at).sum(), at)
        return -nn.functional.normalize(torch.nan_to_num(uphill), dim=-1)

    @property
    def step(self) -> float:
        """Length of a step of the march, in world units."""
        return 2 / int(self.samples)

    @property
    def occupied(self) -> Bool[Tensor, "1 G G G"]:
        """The cells that may hold something, axes z, y, x: those that did, and their neighbours."""
        if self._occupied is None or self._occupied.device != self.remembered.device:
            inside = _touches_ball(CELLS, self.remembered.device)
            faintest = FAINTEST_PHOTOGRAPHED if self.photographed else FAINTEST
            dense = inside & (self.remembered > faintest)
            near = nn.functional.max_pool3d(dense.float(), 3, stride=1, padding=1) > 0
            self._occupied = near & inside & (self.remembered > -math.inf)
        return self._occupied

    def confine(self, cells: Bool[Tensor, "1 G G G"]) -> None:
        """From now on there is nothing outside of these cells, whatever `query` answers there.

        What is in them is not known yet.
        """
        self.remembered.copy_(torch.where(cells[0], math.inf, -math.inf))
        self._occupied = None

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        """See `Scene.render`; normals are unit vectors before they are blended."""
        cameras = cameras.to(self.device)
        origins, directions = (rays.reshape(-1, 3) for rays in cameras.rays())
        at_once = max(len(origins), 1) if torch.is_grad_enabled() else RAYS_AT_ONCE
        parts = [
            self._render_rays(o, d, want)
            for o, d in zip(origins.split(at_once), directions.split(at_once), strict=True)
        ]
        shape = (*cameras.shape, cameras.height, cameras.width)
        return Rendering(
            **{name: torch.cat([part[name] for part in parts]).unflatten(0, shape) for name in parts[0]}
        )

    def _render_rays(
        self, origins: Float[Tensor, "R 3"], directions: Float[Tensor, "R 3"], want: Collection[str]
    ) -> dict[str, Tensor]:
        """The channels of `Rendering` that are wanted, for rays in a row."""
        near, far = through_ball(origins, directions)
        samples = march(origins, directions, self.occupied, step=self.step, near=near, far=far)
        speeds = directions.norm(dim=-1)
        samples = self._lit(samples, speeds)
        seen_along = directions / speeds[:, None]
        d = seen_along[samples.rays] if self.directional else None
        log_density, rgb, features = self.query(samples.points, d)
        parts = {"rgb": rgb}
        if "normal" in want:
            parts["normal"] = self.normal(samples.points)
        if "features" in want:
            if features is None:
                raise ValueError(
                    f'{type(self).__name__} has no features; ask for others than want=("features",)'
                )
            parts["features"] = features
        image = composite(samples, speeds, log_density, torch.cat(list(parts.values()), 1))
        widths = [part.shape[1] for part in parts.values()]
        pictures = dict(zip(parts, image.values.split(widths, 1), strict=True))
        pictures["alpha"] = image.alpha[:, None]
        if "depth" in want:
            pictures["depth"] = image.depth[:, None]
        return pictures

    @torch.no_grad()
    def _lit(self, samples: Samples, speeds: Float[Tensor, " R"]) -> Samples:
        """The samples that light reaches; the others would change nothing, and cost."""
        return selected(samples, transmittance(samples, speeds, self.log_density(samples.points)) > 0)

    def grow(
        self, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        """Look into every cell of the occupancy grid once in EVERY steps, at a random point."""
        if step % EVERY == 0:
            self.look(generator)

    @torch.no_grad()
    def look(self, generator: torch.Generator) -> None:
        """Update the occupancy grid: the density at a random point of every cell that touches the ball."""
        inside = _touches_ball(CELLS, self.remembered.device)[0] & (self.remembered > -math.inf)
        cells = inside.nonzero().flip(-1)
        jitter = torch.rand(cells.shape, generator=generator, device=generator.device).to(cells.device)
        density = self.log_density((cells + jitter) * (2 / CELLS) - 1).exp()
        faded = DECAY * self.remembered[inside]
        self.remembered[inside] = torch.maximum(*(t.nan_to_num(0, 0) for t in (density, faded)))
        self._occupied = None

    def _load_from_state_dict(self, *arguments: Any, **keywords: Any) -> None:
        super()._load_from_state_dict(*arguments, **keywords)
        self._occupied = None


def through_ball(
    origins: Float[Tensor, "R 3"], directions: Float[Tensor, "R 3"]
) -> tuple[Float[Tensor, " R"], Float[Tensor, " R"]]:
    """Where rays enter and leave the unit ball, in units of `directions`; the same where they miss it."""
    a = directions.square().sum(-1)
    b = (origins * directions).sum(-1)
    c = origins.square().sum(-1) - 1
    root = (b.square() - a * c).clamp_min(0).sqrt()
    return ((-b - root) / a).clamp_min(0), ((-b + root) / a).clamp_min(0)


def _touches_ball(cells: int, device: torch.device) -> Bool[Tensor, "1 G G G"]:
    """Which cells of a grid over [-1, 1]³ have a part in the unit ball."""
    edges = torch.linspace(-1, 1, cells + 1, device=device)
    nearest = torch.where(edges[:-1] > 0, edges[:-1], torch.where(edges[1:] < 0, edges[1:], 0))
    x, y, z = torch.meshgrid(nearest, nearest, nearest, indexing="ij")
    return (x * x + y * y + z * z < 1)[None]


SHARPNESS = 25.0
"""Density of a raw value x is SHARPNESS softplus(x), per world unit."""


def log_sharp(raw: Float[Tensor, " P"]) -> Float[Tensor, " P"]:
    """log(SHARPNESS softplus(raw)), exact down to any raw."""
    low = raw < -15  # there softplus(x) is exp(x) to float32
    soft = nn.functional.softplus(torch.where(low, 0, raw)).log()
    return torch.where(low, raw, soft) + math.log(SHARPNESS)


def haze(x: Float[Tensor, "*P 3"]) -> Float[Tensor, "*P"]:
    """A raw density to start from: denser towards the centre, nowhere opaque."""
    return -1.0 - 3.0 * x.norm(dim=-1)
