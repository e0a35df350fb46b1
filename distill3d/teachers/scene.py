"""The scene teacher: another scene's pictures from the same cameras say how those of the student are wrong.

Any kind teaches any kind. Cameras are drawn around the source, as a rig does, and none of them is anybody's
photograph; `held_out` has others. Where the student is worst is looked at more often: whole pictures, or
tiles of them, are drawn by its errors there (active learning as in Fang et al. 2023, PVD-AL,
arXiv 2304.04012, with tiles in the place of rays), and pictures that it knows are exchanged for others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distill3d.camera import Cameras
from distill3d.distill import Loss
from distill3d.moment import Moment
from distill3d.rendering import Rendering
from distill3d.rig import Rig
from distill3d.scene import WANT, Scene
from distill3d.teachers._shots import EXCHANGED, UNSEEN, Drawn, Shots, Window
from distill3d.teachers.images import scattered, whole

AROUND = Rig(elevation_min_deg=-35.0, elevation_max_deg=80.0)
"""From where sources are looked at: nobody knows where their photographs were taken."""
SURFACE = 0.5
"""Alpha from which on a pixel shows a surface, whose depth and normal count."""


@dataclass
class SceneTeacher:
    """A source, as the cameras of a step and as what is to be seen from them.

    With a stride, every so manieth pixel along rows and columns is looked at, which suits students that are
    made of rays; with tiles, squares of pictures, which suit students that are drawn as a whole.
    """

    source: Scene
    rig: Rig = AROUND
    extent: float = 1.0
    """Radius of the ball around the origin that holds the source; cameras stand so many times as far away."""
    shots: int = 48
    """Pictures of the source that are kept to learn from."""
    closer: float = 1.0
    """The longest focal length of a lesson, times that of pictures of the whole: what was only seen from afar
    need not look right from near, Gaussians above all, whose footprints are blurred by a part of a pixel."""
    stride: int = 1
    tile_px: int = 0
    """About the side of a tile; 0: whole pictures."""
    active: float = 0.0
    """The share of the pictures or tiles of a step that is drawn by the student's errors. Gaussians taught by
    Gaussians were none the better for it, and worse where tiles were drawn so."""
    structure: float = 0.2
    """λ: the share of SSIM in the error of colours, where neighbours are looked at."""
    alpha_weight: float = 0.1
    depth_weight: float = 0.0
    """Of the depths' mean difference, as a share of the extent, where both show a surface."""
    normal_weight: float = 0.0
    """Of one less the cosine between the normals, where both show a surface."""
    background: Sequence[float] | None = None
    """The colour in [0, 1]; None: drawn at random."""
    _shots: Shots | None = field(default=None, repr=False)
    _taken: tuple[Window, Cameras] | None = field(default=None, repr=False)
    """What is looked at in this step."""
    _steps: int = 0
    """Since pictures were exchanged."""

    def __post_init__(self) -> None:
        if self.stride > 1 and self.tile_px:
            raise ValueError(
                f"given stride {self.stride} and tile_px {self.tile_px}, expected one of them: tiles have no "
                "gaps"
            )
        if not (self.shots >= 1 and self.extent > 0 and 0 <= self.active <= 1):
            raise ValueError(
                f"given shots {self.shots}, extent {self.extent:g} and active {self.active:g}, expected 1 or "
                "more, more than 0, and 0 to 1"
            )

    @property
    def want(self) -> Collection[str]:
        """The channels that are compared; the student is asked for them too."""
        weights = {"depth": self.depth_weight, "normal": self.normal_weight}
        return (*WANT, *(name for name, weight in weights.items() if weight))

    def held_out(self, views: int, *, size_px: int, seed: int = 20230) -> Cameras:
        """Cameras that are drawn as those of the lessons are, and are none of them; to measure with."""
        moment = Moment(1, 1, torch.Generator().manual_seed(seed))
        return self._around(moment, views, size_px, size_px)

    def cameras(self, moment: Moment, *, views: int, width: int, height: int) -> Cameras:
        """Cameras of whole pictures of this size, or of what of them is looked at."""
        shots = self._ready(moment, views, width, height)
        drawn = shots.draw(views, self.active, moment)
        window = self._window(drawn, shots, moment)
        cameras = window.cameras(shots.cameras)
        self._taken = window, cameras
        return cameras

    def truth(self, cameras: Cameras) -> Rendering:
        """The source's pictures from the cameras of this step. Raises ValueError for any others."""
        if self._taken is None or self._shots is None or self._taken[1] is not cameras:
            raise ValueError(
                "given cameras that are not those of this step; use the teacher as the run's rig"
            )
        return self._taken[0].of_all(self._shots.seen)

    def __call__(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Loss:
        truth = self.truth(cameras)
        background = self._background(len(cameras), moment)
        ours, theirs = rendering.over(background), truth.over(background)
        colour = scattered(ours, theirs) if self.stride > 1 else whole(ours, theirs, self.structure)
        self._remember((ours - theirs).detach().abs().mean((1, 2, 3)))
        parts = {"alpha": (rendering.alpha - truth.alpha).abs().mean(), **surfaces(rendering, truth)}
        total = colour.total + self.alpha_weight * parts["alpha"]
        if "depth" in parts:
            total = total + self.depth_weight / self.extent * parts["depth"]
        if "normal" in parts:
            total = total + self.normal_weight * parts["normal"]
        mse = (ours.detach() - theirs).square().mean()
        return Loss(total, {**colour.parts, **parts, "psnr": -10 * mse.clamp_min(1e-12).log10()})

    def _ready(self, moment: Moment, views: int, width: int, height: int) -> Shots:
        """The pictures of this size, some of which are exchanged when all were looked at once on average."""
        self._steps += 1
        if self._shots is None:
            cameras = self._lessons(moment, self.shots, width, height)
            self._shots = self._shot(cameras, torch.full((self.shots, 1, 1), UNSEEN, device=moment.device))
        known = self._shots
        if (known.cameras.width, known.cameras.height) != (width, height):
            self._shots = known = self._shot(known.cameras.resized(width, height), known.errors)
        count = round(EXCHANGED * self.shots / 2)
        if count and self._steps * views >= self.shots * known.errors[0].numel():
            self._steps = 0
            known.exchange(self.source, self._around(moment, count, width, height), self.want, moment)
        return known

    def _shot(self, cameras: Cameras, errors: Float[Tensor, "N Y X"]) -> Shots:
        """Pictures; each camera's tiles begin with its mean error."""
        tiles = 1, 1
        if self.tile_px:
            tiles = tuple(-(-side // self.tile_px) for side in (cameras.height, cameras.width))
        errors = errors.flatten(1).mean(1)[:, None, None].repeat(1, *tiles)
        return Shots.of(self.source, cameras, self.want, errors)

    def _around(self, moment: Moment, views: int, width: int, height: int) -> Cameras:
        """As the rig draws them, moved out to see the whole extent."""
        cameras = self.rig.cameras(moment, views=views, width=width, height=height)
        poses = cameras.world_to_camera.clone()
        poses[:, :3, 3] *= self.extent
        return replace(cameras, world_to_camera=poses)

    def _lessons(self, moment: Moment, views: int, width: int, height: int) -> Cameras:
        """Those around, as many of which look at a part from near as there are wholes."""
        cameras = self._around(moment, views, width, height)
        if self.closer == 1:
            return cameras
        by = self.closer ** (2 * moment.uniform(views) - 1).clamp_min(0)
        return cameras.closer(by, moment.uniform(views, 2))

    def _window(self, drawn: Drawn, shots: Shots, moment: Moment) -> Window:
        size = drawn.shots.new_tensor([shots.cameras.width, shots.cameras.height])
        if self.tile_px:
            side = min(self.tile_px, int(size.min()))
            return Window(drawn.shots, torch.minimum(drawn.tile * side, size - side), drawn.tile, side, side)
        length = (size // self.stride).clamp_min(1)
        first = (moment.uniform(len(drawn.shots), 2) * (size - self.stride * (length - 1))).long()
        return Window(drawn.shots, first, drawn.tile, int(length[0]), int(length[1]), self.stride)

    def _remember(self, errors: Float[Tensor, " B"]) -> None:
        assert self._shots is not None and self._taken is not None
        self._shots.remember(self._taken[0], errors)

    def _background(self, count: int, moment: Moment) -> Float[Tensor, "B 3"]:
        if self.background is None:
            return moment.uniform(count, 3)
        return torch.tensor(self.background, device=moment.device).expand(count, 3)

    def state_dict(self) -> dict[str, Any]:
        """The cameras and errors; the pictures are taken again."""
        if self._shots is None:
            return {}
        cameras = self._shots.cameras
        return {
            "world_to_camera": cameras.world_to_camera,
            "intrinsics": cameras.intrinsics,
            "size": (cameras.width, cameras.height),
            "errors": self._shots.errors.clone(),
            "steps": self._steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if not state:
            self._shots, self._steps = None, 0
            return
        cameras = Cameras(state["world_to_camera"], state["intrinsics"], *state["size"])
        self._shots = Shots.of(self.source, cameras, self.want, state["errors"].clone())
        self._steps = state["steps"]


def surfaces(ours: Rendering, theirs: Rendering) -> dict[str, Tensor]:
    """Mean errors of what both show, depth and normal, over pixels; none where not both have a surface.

    Depths differ in world units, normals by one less the cosine between them.
    """
    shown = (ours.alpha.detach() > SURFACE) & (theirs.alpha > SURFACE)
    errors = {}
    if ours.depth is not None and theirs.depth is not None:
        near = ours.depth / torch.where(shown, ours.alpha, 1)
        far = theirs.depth / torch.where(shown, theirs.alpha, 1)
        errors["depth"] = torch.where(shown, (near - far).abs(), 0).mean()
    if ours.normal is not None and theirs.normal is not None:
        cosine = (normalize(ours.normal, dim=-1) * normalize(theirs.normal, dim=-1)).sum(-1, keepdim=True)
        errors["normal"] = torch.where(shown, 1 - cosine, 0).mean()
    return errors
