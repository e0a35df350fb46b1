"""An instance of a description: solids with known parts, a mesh, a signed distance and exact pictures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.rendering import Rendering
from distill3d.world import picture, placing
from distill3d.world.colours import rgb
from distill3d.world.grammar import Description, Thing
from distill3d.world.kinds import kinds
from distill3d.world.parts import Part, Vary
from distill3d.world.surfaces import Surface

SEGMENTS = 32
"""Steps around a full circle as large as the model; smaller parts get fewer."""


@dataclass(frozen=True, eq=False)
class Model:
    """An object (or two) centred in the unit sphere, upright along +z, its front towards +x.

    Of two things, the labels carry the kind: "mug handle".
    """

    description: Description
    index: int
    parts: tuple[Part, ...]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels of the parts, each once, in order of first appearance."""
        return tuple(dict.fromkeys(part.label for part in self.parts))

    @cached_property
    def has_front(self) -> bool:
        """Whether front and back can be told apart by all that is in the model."""
        return any(kinds()[thing.kind].has_front for thing in self.description.things)

    @cached_property
    def surfaces(self) -> tuple[Surface, ...]:
        """One watertight surface for each part."""
        return tuple(_surface(part) for part in self.parts)

    def part_meshes(self) -> list[trimesh.Trimesh]:
        """One watertight mesh for each part, with `metadata["label"]`."""
        return [
            _trimesh(surface, np.tile(part.colour_rgb, (len(surface.faces), 1)), {"label": part.label})
            for part, surface in zip(self.parts, self.surfaces, strict=True)
        ]

    def mesh(self) -> trimesh.Trimesh:
        """All parts in one mesh with a colour for each face.

        `metadata["face_part"]` [F] holds indices into `metadata["labels"]`. Joined parts overlap.
        """
        sizes = [len(surface.faces) for surface in self.surfaces]
        colours = np.repeat([part.colour_rgb for part in self.parts], sizes, axis=0)
        face_part = np.repeat([self.labels.index(part.label) for part in self.parts], sizes)
        metadata = {"face_part": face_part, "labels": list(self.labels), "prompt": self.description.text}
        return _trimesh(picture.joined(self.surfaces), colours, metadata)

    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        """Distance to the nearest part, negative inside; exact outside unless a size word stretches."""
        return self._nearest(points)[0]

    def part_at(self, points: Float[Tensor, "*N 3"]) -> Int[Tensor, "*N"]:
        """The part nearest to each point (the deepest, inside), as an index into `labels`."""
        label = torch.tensor([self.labels.index(part.label) for part in self.parts], device=points.device)
        return label[self._nearest(points)[1]]

    def colour_at(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N 3"]:
        """The unlit colour of the part nearest to each point."""
        colours = points.new_tensor([part.colour_rgb for part in self.parts])
        return colours[self._nearest(points)[1]]

    def render(
        self,
        cameras: Cameras,
        *,
        want: Collection[str] = ("rgb", "alpha", "depth", "normal"),
        supersample: int = 2,
    ) -> Rendering:
        """Exact pictures: a pixel is the mean of supersample² rays; `want` names its channels."""
        return picture.render(self._lit, cameras, want=want, supersample=supersample)

    @cached_property
    def _lit(self) -> picture.LitMesh:
        return picture.lit(self.surfaces, [part.colour_rgb for part in self.parts], self.signed_distance)

    @cached_property
    def _balls(self) -> list[tuple[np.ndarray, float]]:
        """A ball around each part. The margin covers what a curved part bulges out between its vertices."""
        centres = [surface.vertices.mean(0) for surface in self.surfaces]
        reaches = [
            np.linalg.norm(surface.vertices - centre, axis=1).max()
            for surface, centre in zip(self.surfaces, centres, strict=True)
        ]
        return [(centre, 1.05 * float(reach)) for centre, reach in zip(centres, reaches, strict=True)]

    def _nearest(self, points: Float[Tensor, "*N 3"]) -> tuple[Float[Tensor, "*N"], Int[Tensor, "*N"]]:
        """The least distance to a part and which part that is.

        A part is asked only where its ball is nearer than all parts before it. The distance to the ball is
        itself a bound, and the better one for parts whose own distance is loose (`Stretched`).
        """
        flat = points.reshape(-1, 3)
        least = flat.new_full((len(flat),), torch.inf)
        which = torch.zeros(len(flat), dtype=torch.long, device=points.device)
        for index, (part, (centre, reach)) in enumerate(zip(self.parts, self._balls, strict=True)):
            bound = (flat - flat.new_tensor(centre)).norm(dim=-1) - reach
            asked = (bound < least).nonzero()[:, 0]
            distance = torch.maximum(part.shape.signed_distance(flat[asked]), bound[asked])
            closer = distance < least[asked]
            least = least.index_put((asked[closer],), distance[closer])
            which[asked[closer]] = index
        return least.reshape(points.shape[:-1]), which.reshape(points.shape[:-1])


def instance(description: Description, index: int) -> Model:
    """The `index`-th object that fits a description.

    The shape depends on the kinds, the sizes, the relation and the index alone: the third red robot is the
    third blue robot in another colour, and a view word changes nothing.
    """
    things = [_thing(thing, index) for thing in description.things]
    if description.relation is None:
        return Model(description, index, tuple(things[0]))
    first, second = (
        [Part(f"{thing.kind} {part.label}", part.colour_rgb, part.shape) for part in parts]
        for thing, parts in zip(description.things, things, strict=True)
    )
    parts = placing.normalised(placing.related(first, description.relation, second), "large")
    return Model(description, index, tuple(parts))


def instances(description: Description, count: int) -> list[Model]:
    """The first `count` objects that fit a description."""
    return [instance(description, index) for index in range(count)]


def _thing(thing: Thing, index: int) -> Sequence[Part]:
    colour = None if thing.colour is None else rgb(thing.colour)
    parts = kinds()[thing.kind].make(colour, Vary(thing.kind, index))
    named = {label: rgb(word) for label, word in thing.part_colours.items()}
    parts = [part.painted(named.get(part.label, part.colour_rgb)) for part in parts]
    return placing.normalised(placing.stretched(parts, thing.size), thing.size)


def _surface(part: Part) -> Surface:
    coarse = part.shape.surface(12).vertices
    reach = float(np.linalg.norm(coarse - coarse.mean(0), axis=1).max())
    return part.shape.surface(min(SEGMENTS, max(12, 2 * round(SEGMENTS / 2 * reach**0.5))))


def _trimesh(surface: Surface, face_rgb: np.ndarray, metadata: dict[str, object]) -> trimesh.Trimesh:
    rgba = np.column_stack([face_rgb * 255, np.full(len(face_rgb), 255)]).round().astype(np.uint8)
    return trimesh.Trimesh(
        surface.vertices, surface.faces, face_colors=rgba, metadata=metadata, process=False, validate=False
    )
