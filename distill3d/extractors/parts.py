"""The closed world's own labels as features: a teacher whose truth is known, and what is wrong with it too.

Every part has a direction. A map's vector is the mean of those of the parts that are seen in its patch, and
then what is asked for goes wrong, in each view anew. So what is lifted can be *measured*: the part that a
primitive's features are nearest to against the part that lies nearest to its centre.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from distill3d.camera import Cameras
from distill3d.errors import UserError, lost
from distill3d.extractor import Extractor, FeatureMap
from distill3d.lift.operator import pooled
from distill3d.pictures import shoot
from distill3d.representations._primitives import Primitives
from distill3d.scene import Scene
from distill3d.world.bank import stations
from distill3d.world.grammar import Description, describe
from distill3d.world.labelled import labels_seen
from distill3d.world.metrics import measure, turned
from distill3d.world.model import Model, instance, instances

LEAST_PSNR = 16.0
"""dB to the instance that fits best, under which a scene is said to show something else."""
LEAST_CHANNELS = 3
VARIATIONS = 8
MEASURED_PX = 120
"""Side of the pictures by which a scene is recognised; small splats look too fat in smaller ones."""


@dataclass
class Parts(Extractor):
    """The parts of an object of the closed world, exactly or with known errors, so that it is measured."""

    prompt: Annotated[str, "what the scene shows, in the world's words; empty: as the run says"] = ""
    channels: Annotated[
        int, "length of the vectors that stand for parts, drawn at random; 0: an axis for each part"
    ] = 0
    patch: Annotated[int, "side in pixels of the squares that have one vector each, as of a network"] = 1
    noise: Annotated[float, "length of the noise added to every vector, which has the length 1"] = 0.0
    bias: Annotated[float, "length of what is added to all of a view's vectors alike"] = 0.0
    swapped: Annotated[float, "share of the views that take the parts for one another"] = 0.0
    instance: Annotated[int, "variation of the object that the scene shows; -1: as looks most like it"] = -1
    turned_deg: Annotated[float, "how far it is turned to the left, with a variation that is given"] = 0.0

    def __post_init__(self) -> None:
        if self.channels < 0 or self.patch < 1 or self.instance < -1 or not math.isfinite(self.turned_deg):
            raise ValueError(
                f"parts with {self.channels} channels, patches of {self.patch} pixels, of instance "
                f"{self.instance} turned by {self.turned_deg:g}; expected 0 or more channels, patches of "
                "1 or more, an instance or -1, and degrees"
            )
        if not (0 <= self.noise < math.inf and 0 <= self.bias < math.inf and 0 <= self.swapped <= 1):
            raise ValueError(
                f"parts with noise {self.noise:g}, bias {self.bias:g} and {self.swapped:g} of the views "
                "swapped; expected lengths of 0 or more, and a share"
            )

    def maps(self, scene: Scene, *, views: int, size: int, seed: int) -> PartMaps:
        if size % self.patch:
            raise UserError(f"--size {size} is not made of patches of {self.patch} pixels; give a multiple")
        if not self.prompt:
            raise UserError(
                "nothing says what the scene shows; expected --features.prompt in the words of distill3d "
                'world, such as "a castle", or the folder of a run of distill3d generate'
            )
        description = describe(self.prompt)
        if self.instance >= 0:
            model, turned_deg = instance(description, self.instance), self.turned_deg
        else:
            model, turned_deg = _most_like(scene, description)
        cameras = stations(views, width=size, height=size)
        return PartMaps(self, scene, model, math.radians(turned_deg), cameras, seed)


def _most_like(scene: Scene, description: Description) -> tuple[Model, float]:
    """The variation that looks most like a scene, and how far it is turned to do so, in degrees."""
    candidates = instances(description, VARIATIONS)
    found = measure(
        lambda cameras: shoot(scene, cameras, ("rgb", "alpha", "depth")),
        description,
        candidates=candidates,
        size=MEASURED_PX,
        resolution=8,
    )
    if found.psnr < LEAST_PSNR:
        lost(
            f'the scene is {found.psnr:.1f} dB from what looks most like it of "{description.text}"; if it '
            "shows something else, its parts are nonsense"
        )
    return candidates[found.instance], found.rotation_deg


@dataclass(frozen=True, eq=False)
class PartMaps:
    """The maps of `Parts`."""

    settings: Parts
    scene: Scene
    model: Model
    rotation_rad: float
    """How far the scene is turned against the model, counter-clockwise seen from above."""
    cameras: Cameras
    seed: int

    @property
    def patch(self) -> int:
        return self.settings.patch

    @property
    def channels(self) -> int:
        return self.codes.shape[1]

    @cached_property
    def codes(self) -> Float[Tensor, "K D"]:
        """A direction for each part."""
        count = len(self.model.labels)
        if not self.settings.channels:
            return torch.eye(count, max(count, LEAST_CHANNELS))
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randn(count, max(self.settings.channels, LEAST_CHANNELS), generator=generator)
        return normalize(drawn, dim=1)

    @property
    def words(self) -> Mapping[str, Float[Tensor, " D"]]:
        return dict(zip(self.model.labels, self.codes, strict=True))

    def __getitem__(self, view: int) -> FeatureMap:
        settings, count = self.settings, len(self.model.labels)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + view)
        shares = pooled(self._shares(view), settings.patch)
        taken = torch.arange(count)
        if torch.rand((), generator=generator) < settings.swapped:
            taken = taken.roll(int(torch.randint(1, max(count, 2), (), generator=generator)))
        vectors = normalize(shares @ self.codes[taken], dim=-1)
        noise = torch.randn(vectors.shape, generator=generator) / math.sqrt(self.channels)
        bias = torch.randn(self.channels, generator=generator) / math.sqrt(self.channels)
        alpha = shares.sum(-1, keepdim=True)
        return FeatureMap.of((vectors + settings.noise * noise + settings.bias * bias) * (alpha > 0), alpha)

    def judge(self, features: Float[Tensor, "N D"], weight: Float[Tensor, "N 1"]) -> dict[str, float]:
        """Part IoU and angles of what was lifted and, beside them, of the maps that it was lifted from."""
        seen = (features.norm(dim=1) > 0) & (weight[:, 0] > 0)
        lifted = _score(features[seen], self.parts_of_primitives()[seen], weight[seen, 0], self.codes)
        given = [self._score_of_map(view) for view in range(len(self.cameras))]
        means = {f"{name}_of_maps": sum(g[name] for g in given) / len(given) for name in lifted}
        return {**lifted, **means}

    def parts_of_primitives(self) -> Int[Tensor, " N"]:
        """The part that is nearest to each primitive's centre."""
        assert isinstance(self.scene, Primitives)
        cos, sin = math.cos(self.rotation_rad), math.sin(self.rotation_rad)
        back = torch.tensor([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        return self.model.part_at(self.scene.means.detach() @ back.T)

    def _shares(self, view: int) -> Float[Tensor, "H W K"]:
        """How much of each pixel each part is, in truth."""
        cameras = turned(self.cameras[view : view + 1], self.rotation_rad)
        return labels_seen(self.model, cameras)[0]

    def _score_of_map(self, view: int) -> dict[str, float]:
        shares, given = self._shares(view), self[view].vectors
        side = self.settings.patch
        spread = given.repeat_interleave(side, 0).repeat_interleave(side, 1)
        alpha = shares.sum(-1)
        seen = alpha > 0
        return _score(spread[seen], shares[seen].argmax(-1), alpha[seen], self.codes)


def _score(
    vectors: Float[Tensor, "N D"], truth: Int[Tensor, " N"], weight: Float[Tensor, " N"], codes: Tensor
) -> dict[str, float]:
    """How well vectors tell the true parts, each counted by its weight."""
    found, parts = (vectors @ codes.T).argmax(1), range(len(codes))
    both = torch.stack([weight[(found == k) & (truth == k)].sum() for k in parts])
    either = torch.stack([weight[(found == k) | (truth == k)].sum() for k in parts])
    there = torch.stack([weight[truth == k].sum() for k in parts]) > 0
    cosines = cosine_similarity(vectors, codes[truth], dim=1).clamp(-1, 1)
    mean_angle = (cosines.acos() * weight).sum() / weight.sum()
    return {
        "part_miou": float((both / either.clamp_min(1e-12))[there].mean()),
        "part_accuracy": float(both.sum() / weight.sum()),
        "angle_deg": float(mean_angle.rad2deg()),
    }
