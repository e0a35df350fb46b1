"""Datasets: photographs, the cameras that took them, and the frame of the world they stand in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.data.lens import Lens
from distill3d.errors import UserError
from distill3d.rotation import scale_and_rotation
from distill3d.scene import Seen

MAX_FRAMES = 100_000
MAX_SIDE_PX = 32768
FARTHEST = 1e9
"""Of positions in units of the dataset, and of focal lengths in pixels."""


@dataclass(frozen=True)
class Frame:
    """One photograph and its camera."""

    name: str
    """What messages call it: the path as the dataset writes it."""
    picture: Path
    camera_to_world: Float64[Tensor, "4 4"]
    """OpenCV's camera (x right, y down, z forward) in the dataset's world."""
    intrinsics: tuple[float, float, float, float]
    """fx, fy, cx, cy in pixels of the file's own size."""
    width: int
    height: int
    lens: Lens = field(default_factory=Lens)
    mask: Path | None = None
    """A grey picture, black where the photograph is not to be believed."""


@dataclass(frozen=True)
class Points:
    """The sparse points that structure from motion has found, in the dataset's world."""

    positions: Float[Tensor, "N 3"]
    colours: Float[Tensor, "N 3"]


@dataclass(frozen=True)
class Dataset:
    """Frames to learn from and frames to be judged by."""

    layout: str
    """Which layout the folder has: blender, nerfstudio, colmap or llff."""
    train: Sequence[Frame]
    test: Sequence[Frame]
    scene_transform: Float64[Tensor, "4 4"]
    """From the dataset's world to ours: a similarity that puts its subject upright into the unit sphere."""
    points: Points | None = None
    left_out: tuple[str, ...] = ()
    """What of the folder is not in it, in sentences."""

    def cameras(self, frames: Sequence[Frame]) -> Cameras:
        """Cameras [N] of some frames in our world. All must have one size; the first other one is named."""
        size = _one_size(frames)
        to_world = rigid(self.scene_transform, torch.stack([frame.camera_to_world for frame in frames]))
        intrinsics = torch.tensor([frame.intrinsics for frame in frames], dtype=torch.float32)
        return Cameras(torch.linalg.inv(to_world).float(), intrinsics, *size)

    def seen(self, cameras: Cameras) -> Seen:
        """What a scene may know before it is fitted to photographs from these cameras, in our world."""
        if self.points is None or len(self.points.positions) == 0:
            return Seen(cameras)
        transform = self.scene_transform.float()
        placed = self.points.positions @ transform[:3, :3].T + transform[:3, 3]
        return Seen(cameras, placed, self.points.colours)


def rigid(similarity: Float64[Tensor, "4 4"], poses: Float64[Tensor, "*N 4 4"]) -> Float64[Tensor, "*N 4 4"]:
    """Cameras' poses where a similarity moves them; their axes stay of length one."""
    moved = similarity @ poses
    moved[..., :3, :3] /= scale_and_rotation(similarity)[0]
    return moved


def _one_size(frames: Sequence[Frame]) -> tuple[int, int]:
    if not frames:
        raise UserError("no frames of that split; expected at least one picture with a camera")
    first = frames[0]
    for frame in frames:
        if (frame.width, frame.height) != (first.width, first.height):
            raise UserError(
                f"{frame.name} is {frame.width} x {frame.height} and {first.name} {first.width} x "
                f"{first.height}; expected one size for all, so bring the pictures to one size"
            )
    return first.width, first.height


def open_dataset(folder: Path | str) -> Dataset:
    """The dataset in a folder, whichever of the known layouts it has; pictures are not read yet.

    Raises UserError that names the file, and the frame in it, of whatever is missing or makes no sense.
    """
    folder = Path(folder)
    if not folder.is_dir():
        such = f", such as {folder.parent}" if folder.is_file() else ""
        raise UserError(f"{folder} is not a folder; expected a dataset's folder{such}")
    layout = _layout_of(folder)
    if layout is not None:
        return _checked(layout.read(folder))
    raise UserError(
        f"{folder} is no dataset; expected transforms.json or transforms_train.json (Blender, nerfstudio), "
        "a folder sparse with cameras.bin or cameras.txt (COLMAP), or poses_bounds.npy (LLFF)"
    )


def is_dataset(folder: Path) -> bool:
    """Whether a folder looks like a dataset of any of the known layouts; nothing in it is read."""
    return _layout_of(folder) is not None


def _layout_of(folder: Path) -> ModuleType | None:
    from distill3d.data import colmap, llff, transforms

    return next((layout for layout in (transforms, colmap, llff) if layout.found_in(folder)), None)


def _checked(dataset: Dataset) -> Dataset:
    """Every frame has its picture, and a camera that can be one."""
    for frame in [*dataset.train, *dataset.test]:
        check_camera(frame)
        if not frame.picture.is_file():
            raise UserError(f"{frame.name}: its picture {frame.picture} is not there")
        if frame.mask is not None and not frame.mask.is_file():
            raise UserError(f"{frame.name}: its mask {frame.mask} is not there")
    if not dataset.train:
        raise UserError("the dataset has no frames to learn from; expected at least one")
    return dataset


def check_camera(frame: Frame) -> None:
    """Raise UserError that names the frame if its camera cannot be one."""
    pose = frame.camera_to_world
    rotation = pose[:3, :3]
    if not (
        torch.isfinite(pose).all()
        and (rotation @ rotation.T - torch.eye(3).double()).abs().max() < 0.02
        and torch.linalg.det(rotation) > 0
    ):
        raise UserError(f"{frame.name}: its camera is not a rigid motion; expected a rotation and a position")
    if pose.abs().max() > FARTHEST or max(map(abs, frame.intrinsics)) > FARTHEST:
        raise UserError(
            f"{frame.name}: its position or its focal length is beyond {FARTHEST:.0e}; expected less"
        )


def every_eighth(frames: Sequence[Frame]) -> tuple[list[Frame], list[Frame]]:
    """The split of LLFF and COLMAP scenes: of the frames in the order of their names, each eighth tests."""
    ordered = sorted(frames, key=lambda frame: frame.name)
    return [f for i, f in enumerate(ordered) if i % 8], [f for i, f in enumerate(ordered) if i % 8 == 0]


def resized(frame: Frame, width: int, height: int) -> Frame:
    """The frame whose picture has another size, with the same to be seen in it."""
    x, y = width / frame.width, height / frame.height
    fx, fy, cx, cy = frame.intrinsics
    return replace(frame, intrinsics=(fx * x, fy * y, cx * x, cy * y), width=width, height=height)


def same_shape(size_px: tuple[int, int], given_px: tuple[float, float]) -> bool:
    """Whether a picture is another one enlarged or made smaller, but for sides that were rounded."""
    if not all(0 < side <= MAX_SIDE_PX for side in given_px):
        return False
    (width, height), (given_width, given_height) = size_px, given_px
    return abs(height - given_height * width / given_width) <= max(2.0, 0.02 * height)
