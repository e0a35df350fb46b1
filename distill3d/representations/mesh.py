"""A triangle mesh with colours at its vertices or a texture, drawn by rasterization.

Laine et al. 2020, "Modular Primitives for High-Performance Differentiable Rendering" (arXiv 2011.03277).
A mesh that is started learns u = (I + λ L) v instead of its vertices v, L being the graph's Laplacian, so
that every step moves whole neighbourhoods and the surface stays smooth: Nicolet et al. 2021, "Large Steps in
Inverse Rendering of Geometry", equation 8.

Rows are taken by `embedding`, whose gradient has the same bits in every run; that of x[rows] has not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor, nn
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from distill3d.camera import Cameras
from distill3d.moment import Moment
from distill3d.ops.antialias import antialias, opposite_corners
from distill3d.ops.interpolate import interpolate, interpolate_derivatives
from distill3d.ops.mesh import Fragments, rasterize
from distill3d.ops.texture import anisotropic
from distill3d.rendering import Rendering
from distill3d.representations._learned import parameter
from distill3d.scene import WANT, Scene

CREASE_WEIGHT = 0.5
SMOOTHED_AT_MOST = 4096  # vertices; smoothing holds a matrix of their number squared
COLOUR_MARGIN = 1e-4  # how near to 0 and 1 colours come


@dataclass(frozen=True)
class Texture:
    """A picture that is wrapped around a mesh."""

    image: Float[Tensor, "Ht Wt 3"]
    """Colours in 0 to 1."""
    uv: Float[Tensor, "T 2"]
    """See `distill3d.ops.texture` for the convention."""
    indices: Int[Tensor, "F 3"]
    """Rows of `uv` at each face's corners."""


class Mesh(Scene):
    """A triangle mesh; a ball to start with, whose surface moves and is painted."""

    faces: Tensor
    opposite: Tensor
    smoothness: Tensor
    uv: Tensor
    uv_indices: Tensor
    unsmoothed: nn.Parameter
    _smooth: Tensor | None

    def __init__(
        self,
        vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        colours: Float[Tensor, "V 3"] | Texture,
        *,
        smoothness: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("faces", faces.int())
        self.register_buffer("opposite", opposite_corners(faces))
        self.register_buffer("smoothness", torch.tensor(smoothness))
        self.register_buffer("_smooth", None, persistent=False)
        if smoothness > 0:
            stiff = _stiffness(self.faces, len(vertices), smoothness)
            self._smooth = torch.cholesky_inverse(torch.linalg.cholesky(stiff))
            vertices = stiff @ vertices
        self.unsmoothed = parameter(vertices)
        image = colours.image if isinstance(colours, Texture) else colours
        self.colour_logits = nn.Parameter(torch.logit(image.detach(), eps=COLOUR_MARGIN))
        if isinstance(colours, Texture):
            self.register_buffer("uv", colours.uv.clone())
            self.register_buffer("uv_indices", colours.indices.int())

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        subdivisions: Annotated[int, "times that the faces of an icosahedron are quartered"] = 4,
        radius: Annotated[float, "radius of the ball it starts as"] = 0.5,
        smoothness: Annotated[float, "weight of the Laplacian that spreads every step over neighbours"] = 8.0,
    ) -> Mesh:
        """A grey ball."""
        if not 0 <= subdivisions <= 4 or not 0 < radius <= 1 or smoothness < 0:
            raise ValueError(
                f"mesh cannot start with subdivisions {subdivisions}, radius {radius:g}, "
                f"smoothness {smoothness:g}; "
                "expected 0 to 4 subdivisions, 0 < radius <= 1 and smoothness of 0 or more"
            )
        generator = torch.Generator().manual_seed(seed)
        ball = trimesh.creation.icosphere(subdivisions, radius)
        colours = 0.5 + 0.02 * torch.randn(len(ball.vertices), 3, generator=generator)
        return cls(
            torch.tensor(ball.vertices, dtype=torch.float32),
            torch.tensor(ball.faces),
            colours,
            smoothness=smoothness,
        )

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Mesh:
        smoothness, unsmoothed = float(state["smoothness"]), state["unsmoothed"]
        colours = state["colour_logits"].sigmoid()
        if "uv" in state:
            colours = Texture(colours, state["uv"], state["uv_indices"])
        scene = cls(unsmoothed, state["faces"], colours, smoothness=smoothness)
        scene.load_state_dict(state)
        return scene

    @classmethod
    def from_trimesh(cls, mesh: trimesh.Trimesh) -> Mesh:
        """A mesh as trimesh has it, with its texture or its vertices' colours; grey where it has neither.

        Vertices at one place, which trimesh has for every uv or colour there, become one where the colours
        allow it, so that the surface is not torn along the seams of its texture.

        Raises ValueError for a mesh without faces.
        """
        if len(mesh.faces) == 0:
            raise ValueError("given a mesh without faces; a point cloud cannot be rendered as a mesh")
        vertices, faces = torch.tensor(mesh.vertices, dtype=torch.float32), torch.tensor(mesh.faces)
        texture, colours = _texture_of(mesh), _colours_of(mesh)
        first, row = _distinct(vertices if texture else torch.cat([vertices, colours], 1))
        return cls(vertices[first], row[faces], texture or colours[first])

    @torch.no_grad()
    def as_trimesh(self) -> trimesh.Trimesh:
        """The mesh with its texture, a vertex for each uv that it has at a place; or with vertex colours."""
        vertices, faces, colours = self.vertices().cpu(), self.faces.cpu(), self.colour_logits.sigmoid().cpu()
        levels = (255 * colours).round().to(torch.uint8).numpy()
        if not hasattr(self, "uv"):
            rgba = np.concatenate([levels, np.full((len(levels), 1), 255, np.uint8)], 1)
            return trimesh.Trimesh(vertices.numpy(), faces.numpy(), vertex_colors=rgba, process=False)
        corners = torch.stack([faces, self.uv_indices.cpu()], -1).reshape(-1, 2).long()
        pairs, row = torch.unique(corners, dim=0, return_inverse=True)
        uv = self.uv.cpu()[pairs[:, 1]] * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, 1.0])
        material = PBRMaterial(
            baseColorTexture=Image.fromarray(levels), metallicFactor=0.0, roughnessFactor=1.0
        )
        visual = TextureVisuals(uv=uv.numpy(), material=material)
        shape = vertices[pairs[:, 0]].numpy()
        return trimesh.Trimesh(shape, row.reshape(-1, 3).numpy(), visual=visual, process=False)

    def vertices(self) -> Float[Tensor, "V 3"]:
        """Positions in the world: v = (I + λ L)⁻¹ u."""
        return self.unsmoothed if self._smooth is None else self._smooth @ self.unsmoothed

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        """Unlit colours. Every channel is blended across silhouettes, which moves vertices."""
        cameras = cameras.to(self.device)
        vertices = self.vertices()
        textured = hasattr(self, "uv")
        fragments = rasterize(vertices, self.faces, cameras, derivatives=textured)
        mask = (fragments.triangle >= 0).to(vertices)[..., None]
        channels = {"rgb": self._painted(fragments) * mask, "alpha": mask}
        if "depth" in want:
            channels["depth"] = fragments.depth[..., None]
        if "normal" in want:
            normals = interpolate(vertex_normals(vertices, self.faces), self.faces, fragments)
            channels["normal"] = nn.functional.normalize(normals, dim=-1)
        hard = torch.cat(list(channels.values()), -1)
        soft = antialias(hard, fragments, vertices, self.faces, cameras, opposite=self.opposite)
        pictures = soft.split([channel.shape[-1] for channel in channels.values()], -1)
        return Rendering(**dict(zip(channels, pictures, strict=True)))

    def _painted(self, fragments: Fragments) -> Float[Tensor, "*B H W 3"]:
        colours = self.colour_logits.sigmoid()
        if not hasattr(self, "uv"):
            return interpolate(colours, self.faces, fragments)
        at = interpolate(self.uv, self.uv_indices, fragments)
        return anisotropic(colours, at, interpolate_derivatives(self.uv, self.uv_indices, fragments))

    def param_groups(self) -> list[dict[str, Any]]:
        return [
            {"name": "unsmoothed", "params": [self.unsmoothed], "lr": 2e-2, "lr_final": 2e-3},
            {"name": "colour_logits", "params": [self.colour_logits], "lr": 5e-2, "lr_final": 1e-2},
        ]

    def penalty(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Tensor:
        return CREASE_WEIGHT * self.creases()

    def creases(self) -> Tensor:
        """One less the cosine of the angle between neighbouring faces, in the mean."""
        normals = nn.functional.normalize(face_normals(self.vertices(), self.faces), dim=-1)
        corner = (self.opposite.reshape(-1) >= 0).nonzero()[:, 0]
        across = self.opposite.reshape(-1)[corner].long()
        here, there = (nn.functional.embedding(c // 3, normals) for c in (corner, across))
        cosines = (here * there).sum(-1)
        return (1 - cosines).sum() / max(len(corner), 1)


def face_normals(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "F 3"]:
    """Normals of counter-clockwise faces, as long as twice their areas."""
    p0, p1, p2 = nn.functional.embedding(faces.long(), vertices).unbind(1)
    return torch.linalg.cross(p1 - p0, p2 - p0)


def vertex_normals(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "V 3"]:
    """Unit normals, the mean of the faces around a vertex weighted by area; 0 where there is no face."""
    each = face_normals(vertices, faces).repeat_interleave(3, 0)
    summed = torch.zeros_like(vertices).index_add(0, faces.reshape(-1).long(), each)
    return nn.functional.normalize(summed, dim=-1)


def _stiffness(faces: Int[Tensor, "F 3"], count: int, smoothness: float) -> Float[Tensor, "V V"]:
    """I + λ L."""
    if count > SMOOTHED_AT_MOST:
        raise ValueError(
            f"given smoothness {smoothness:g} for {count} vertices, expected at most {SMOOTHED_AT_MOST}; "
            "give smoothness 0 or simplify the mesh"
        )
    linked = torch.zeros(count, count, device=faces.device)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        a, b = faces[:, first].long(), faces[:, second].long()
        linked[a, b] = linked[b, a] = 1
    identity = torch.eye(count, device=faces.device)
    return identity + smoothness * (torch.diag(linked.sum(1)) - linked)


def _distinct(rows: Float[Tensor, "V K"]) -> tuple[Int[Tensor, " D"], Int[Tensor, " V"]]:
    """Where each different row stands first, in that order, and which of them each row is."""
    _, first, row = np.unique(rows.numpy(), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return torch.from_numpy(first[order]), torch.from_numpy(place[row.reshape(-1)])


def _texture_of(mesh: trimesh.Trimesh) -> Texture | None:
    """The texture of a mesh, whose v runs up in trimesh."""
    visual: Any = mesh.visual
    material, uv = getattr(visual, "material", None), getattr(visual, "uv", None)
    picture: Any = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if uv is None or picture is None or len(uv) != len(mesh.vertices):
        return None
    rgb = picture.convert("RGB")
    image = torch.frombuffer(bytearray(rgb.tobytes()), dtype=torch.uint8).reshape(rgb.height, rgb.width, 3)
    coordinates = torch.tensor(uv, dtype=torch.float32) * torch.tensor([1.0, -1.0])
    return Texture(image / 255, coordinates + torch.tensor([0.0, 1.0]), torch.tensor(mesh.faces))


def _colours_of(mesh: trimesh.Trimesh) -> Float[Tensor, "V 3"]:
    visual: Any = mesh.visual
    if visual.kind == "texture":
        visual = visual.to_color()
    if visual.kind is None:
        return torch.full((len(mesh.vertices), 3), 0.5)
    return torch.tensor(visual.vertex_colors[:, :3], dtype=torch.float32) / 255
