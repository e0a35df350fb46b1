"""A scene with more penalties than its own: regularisers with weights, which are the --regularise.* flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distill3d import regularisers
from distill3d.camera import Cameras
from distill3d.errors import UserError
from distill3d.field import Field, through_ball
from distill3d.moment import Moment
from distill3d.ops.march import march
from distill3d.ops.volume import composite
from distill3d.rendering import Rendering
from distill3d.representations._primitives import Primitives
from distill3d.representations.mesh import Mesh
from distill3d.scene import Scene
from distill3d.wrapped import Wrapped, bare

NUDGE = 0.01  # how far from a point a field is asked for its slope, in world units
FLAT = 0.01  # change of log density over two NUDGEs under which a normal fades
PROBED_PX = 32  # pixels along a picture in which a field's surface is looked at


@dataclass(frozen=True)
class Regularise:
    """Weights of regularisers, which say what surfaces have in common; 0 is without."""

    orientation: Annotated[
        float, "surfaces face whoever sees them; fields and meshes (DreamFusion; 10 to 1000)"
    ] = 0.0
    sparsity: Annotated[float, "most rays meet nothing (DreamFusion; 1, or 10 for vsd)"] = 0.0
    opacity_entropy: Annotated[
        float, "rays meet a surface or none: entropy of their opacity (threestudio; up to 1000)"
    ] = 0.0
    depth_variance: Annotated[float, "surfaces are thin; fields (HiFA; 100)"] = 0.0
    normal_smoothness: Annotated[
        float, "neighbouring pixels face alike (normal consistency, as in Fantasia3D)"
    ] = 0.0
    laplacian: Annotated[float, "vertices lie amid their neighbours; meshes (Sorkine 2005)"] = 0.0
    total_variation: Annotated[float, "few edges in the pictures (Rudin 1992; LucidDreamer; 1)"] = 0.0
    scale: Annotated[float, "small primitives; gaussians and surfels (LucidDreamer; 1)"] = 0.0
    begin: Annotated[
        float, "share of these weights at the first step; they come to their own at the last"
    ] = 1.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < float("inf"):
                raise ValueError(
                    f"--regularise.{field.name.replace('_', '-')} is {value:g}; expected a number from 0"
                )

    @property
    def weights(self) -> dict[str, float]:
        """Those over 0, by name."""
        return {name: getattr(self, name) for name in TERMS if getattr(self, name) > 0}

    def of(self, scene: Scene) -> Scene:
        """`scene` with these regularisers, or as it is where there are none.

        Raises a `UserError` for one that `scene` cannot have.
        """
        return Regularised(scene, self) if self.weights else scene


class Regularised(Wrapped):
    """A scene and what is asked of it beside its own penalty."""

    def __init__(self, scene: Scene, by: Regularise) -> None:
        super().__init__(scene)
        for name in by.weights:
            if not isinstance(bare(scene), TERMS[name].kinds):
                raise UserError(
                    f"--regularise.{name.replace('_', '-')} means nothing for a {type(scene).__name__}; "
                    f"it is for {TERMS[name].said}, so leave it out or choose another --scene"
                )
        self.by = by

    def want(self, moment: Moment) -> Collection[str]:
        """What the scene's own penalty reads, and what shows a surface's normals."""
        shape = {"depth"} if isinstance(self.scene, Field) else {"normal"}
        needed = shape if {"orientation", "normal_smoothness"} & set(self.by.weights) else set()
        return {*self.scene.want(moment), *needed}

    def penalty(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Tensor | None:
        """The scene's own, and every regulariser by its weight at this moment."""
        share = moment.between(self.by.begin, 1.0)
        terms = [
            share * weight * TERMS[name].value(self.scene, cameras, rendering)
            for name, weight in self.by.weights.items()
        ]
        own = self.scene.penalty(cameras, rendering, moment)
        return torch.stack([term.reshape(()) for term in (*terms, *(() if own is None else (own,)))]).sum()


@dataclass(frozen=True)
class Term:
    """A regulariser of a scene and its pictures."""

    value: Callable[[Any, Cameras, Rendering], Tensor]
    kinds: tuple[type[Scene], ...] = (Scene,)
    said: str = "every kind of scene"


def _orientation(scene: Scene, cameras: Cameras, rendering: Rendering) -> Float[Tensor, ""]:
    seen = _surface(scene, cameras, rendering)
    return regularisers.orientation(seen.normals, seen.directions, seen.alpha[..., 0])


def _normal_smoothness(scene: Scene, cameras: Cameras, rendering: Rendering) -> Float[Tensor, ""]:
    seen = _surface(scene, cameras, rendering)
    return regularisers.normal_smoothness(seen.normals, seen.alpha)


def _depth_variance(field: Field, cameras: Cameras, rendering: Rendering) -> Float[Tensor, ""]:
    """Of some of the rays, which are marched again for the second moment of their depth."""
    few = cameras.thinned(_stride(cameras), torch.zeros(*cameras.shape, 2, dtype=torch.long))
    origins, directions = (rays.reshape(-1, 3) for rays in few.rays())
    near, far = through_ball(origins, directions)
    samples = march(origins, directions, field.occupied, step=field.step, near=near, far=far)
    z = (samples.starts + samples.ends) / 2
    seen = composite(samples, directions.norm(dim=-1), field.log_density(samples.points), z[:, None] ** 2)
    return regularisers.depth_variance_of_moments(seen.alpha, seen.depth, seen.values[:, 0])


TERMS = {
    "orientation": Term(_orientation, (Field, Mesh), "fields and meshes"),
    "sparsity": Term(lambda scene, cameras, seen: regularisers.sparsity(seen.alpha)),
    "opacity_entropy": Term(lambda scene, cameras, seen: regularisers.opacity_entropy(seen.alpha)),
    "depth_variance": Term(_depth_variance, (Field,), "fields such as hash_grid and voxels"),
    "normal_smoothness": Term(_normal_smoothness),
    "laplacian": Term(
        lambda mesh, cameras, seen: regularisers.laplacian(mesh.vertices(), mesh.faces), (Mesh,), "meshes"
    ),
    "total_variation": Term(lambda scene, cameras, seen: regularisers.total_variation(seen.rgb)),
    "scale": Term(
        lambda scene, cameras, seen: regularisers.mean_scale(scene.log_scales),
        (Primitives,),
        "gaussians and surfels",
    ),
}
"""By the names of the fields of `Regularise`."""


@dataclass(frozen=True)
class _Surface:
    """What pictures show of a surface, pixel by pixel."""

    normals: Float[Tensor, "*B H W 3"]
    directions: Float[Tensor, "*B H W 3"]
    """Of sight, unit vectors away from the eye."""
    alpha: Float[Tensor, "*B H W 1"]


def _surface(scene: Scene, cameras: Cameras, rendering: Rendering) -> _Surface:
    """The rendered normals; those of a field, at some pixels only, from its density at their depth."""
    origins, rays = cameras.rays()
    alpha = rendering.alpha.detach()
    if not isinstance(scene, Field):
        assert rendering.normal is not None
        return _Surface(normalize(rendering.normal, dim=-1), normalize(rays, dim=-1), alpha)
    assert rendering.depth is not None
    z = rendering.depth.detach() / alpha.clamp_min(1e-4)
    some = (..., slice(None, None, _stride(cameras)), slice(None, None, _stride(cameras)), slice(None))
    points = (origins + rays * z)[some]
    normals = density_normals(scene, points.reshape(-1, 3)).reshape(points.shape)
    return _Surface(normals, normalize(rays, dim=-1)[some], alpha[some])


def density_normals(field: Field, points: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
    """Normals against the density's slope, by central differences, with gradients to the field.

    Shorter than 1 where the density hardly changes, so that fog has no direction to be turned in. Points
    outside the unit ball have none.
    """
    inside = points.norm(dim=-1, keepdim=True) < 1 - NUDGE
    at = torch.where(inside, points, 0.0)
    nudges = NUDGE * torch.eye(3, device=points.device)
    around = torch.cat([at[:, None] + nudges, at[:, None] - nudges], 1)
    ahead, behind = field.log_density(around.reshape(-1, 3)).reshape(-1, 2, 3).unbind(1)
    downhill = behind - ahead
    return inside * downhill / (downhill.square().sum(-1, keepdim=True) + FLAT**2).sqrt()


def _stride(cameras: Cameras) -> int:
    return max(1, max(cameras.width, cameras.height) // PROBED_PX)
