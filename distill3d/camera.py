"""Cameras: where a scene is looked at from. Every camera convention of the project is written here, once.

World: right-handed, +z up; objects face +x, so azimuth 0 looks at their front.
Camera: OpenCV, x right, y down, z forward, so depth is the camera's z and positive in front.
Image: pixel (row i, column j) covers [j, j+1) x [i, i+1) and its centre is at (j + 0.5, i + 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Cameras:
    """Pinhole cameras; *B is any batch shape, () for one camera."""

    world_to_camera: Float[Tensor, "*B 4 4"]
    intrinsics: Float[Tensor, "*B 4"]
    """fx, fy, cx, cy in pixels of the rendered size."""
    width: int
    height: int
    near: float = 0.01
    far: float = 1e4

    @property
    def shape(self) -> torch.Size:
        """The batch shape *B."""
        return self.intrinsics.shape[:-1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int | slice | Tensor) -> Cameras:
        return replace(self, world_to_camera=self.world_to_camera[index], intrinsics=self.intrinsics[index])

    def to(self, device: torch.device | str) -> Cameras:
        return replace(
            self, world_to_camera=self.world_to_camera.to(device), intrinsics=self.intrinsics.to(device)
        )

    @property
    def centres(self) -> Float[Tensor, "*B 3"]:
        """The eyes, in world coordinates: -Rᵀ t."""
        rotation, translation = self.world_to_camera[..., :3, :3], self.world_to_camera[..., :3, 3]
        return -(rotation.mT @ translation[..., None])[..., 0]

    def resized(self, width: int, height: int) -> Cameras:
        """The same view at another resolution."""
        scale = self.intrinsics.new_tensor([width / self.width, height / self.height])
        return replace(self, intrinsics=self.intrinsics * scale.repeat(2), width=width, height=height)

    def closer(self, by: Float[Tensor, "*B"], at: Float[Tensor, "*B 2"]) -> Cameras:
        """Cameras with `by` times the focal length and pictures of the same size, of a part of the view.

        `at`, in [0, 1], is where that part is: 0 at the left or the top, 1 at the right or the bottom.
        """
        spare_px = at * (by[..., None] - 1) * torch.tensor([self.width, self.height]).to(self.intrinsics)
        shift = torch.cat([torch.zeros_like(spare_px), spare_px], -1)
        return replace(self, intrinsics=by[..., None] * self.intrinsics - shift)

    def thinned(self, stride: int, first: Int[Tensor, "*B 2"]) -> Cameras:
        """Cameras that see every `stride`-th pixel along rows and columns, from `first` (column, row) on.

        Their pictures are as wide and high as fits in from any `first` under `stride`, but not under a pixel.
        """
        width, height = max(1, self.width // stride), max(1, self.height // stride)
        focal, centre = self.intrinsics.split(2, -1)
        intrinsics = torch.cat([focal / stride, (centre - first - 0.5) / stride + 0.5], -1)
        return replace(self, intrinsics=intrinsics, width=width, height=height)

    def rays(self) -> tuple[Float[Tensor, "*B H W 3"], Float[Tensor, "*B H W 3"]]:
        """Origins and directions through pixel centres; with camera z = 1, so that ray length is depth."""
        fx, fy, cx, cy = self.intrinsics[..., None, None, :].unbind(-1)
        device, dtype = self.intrinsics.device, self.intrinsics.dtype
        x = torch.arange(self.width, device=device, dtype=dtype) + 0.5
        y = torch.arange(self.height, device=device, dtype=dtype)[:, None] + 0.5
        in_camera = torch.stack(
            torch.broadcast_tensors((x - cx) / fx, (y - cy) / fy, torch.ones_like(x + cx)), -1
        )
        directions = in_camera @ self.world_to_camera[..., None, :3, :3]
        return self.centres[..., None, None, :].expand(directions.shape), directions


def look_at(
    eyes: Float[Tensor, "*B 3"],
    targets: Float[Tensor, "*B 3"] | Sequence[float] = (0.0, 0.0, 0.0),
    *,
    fov_y_rad: float | Tensor,
    width: int,
    height: int,
) -> Cameras:
    """Cameras at `eyes` that look at `targets`, upright with respect to world +z.

    Straight up or down the image's top is chosen along world +x, so that no camera is degenerate.
    """
    targets = torch.as_tensor(targets, dtype=eyes.dtype, device=eyes.device).expand(eyes.shape)
    forward = torch.nn.functional.normalize(targets - eyes, dim=-1)
    vertical = forward[..., 2:].abs() > 1 - 1e-6
    up = torch.where(vertical, eyes.new_tensor([1.0, 0.0, 0.0]), eyes.new_tensor([0.0, 0.0, 1.0]))
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up.expand(forward.shape)), dim=-1)
    down = torch.linalg.cross(forward, right)
    rotation = torch.stack([right, down, forward], -2)
    world_to_camera = torch.zeros(*eyes.shape[:-1], 4, 4, dtype=eyes.dtype, device=eyes.device)
    world_to_camera[..., :3, :3] = rotation
    world_to_camera[..., :3, 3] = -(rotation @ eyes[..., None])[..., 0]
    world_to_camera[..., 3, 3] = 1
    focal_px = (
        0.5 * height / torch.tan(0.5 * torch.as_tensor(fov_y_rad, dtype=eyes.dtype, device=eyes.device))
    )
    focal_px = focal_px.expand(eyes.shape[:-1])
    centre = torch.ones_like(focal_px)
    intrinsics = torch.stack([focal_px, focal_px, centre * (width / 2), centre * (height / 2)], -1)
    return Cameras(world_to_camera, intrinsics, width, height)


ORBIT_RADIUS = 3.0
ORBIT_FOV_Y_RAD = 0.698  # 40 degrees: at ORBIT_RADIUS the unit sphere just fits the picture


def orbit(
    azimuths_rad: Float[Tensor, "*B"],
    elevations_rad: Float[Tensor, "*B"] | float,
    *,
    radius: float | Tensor = ORBIT_RADIUS,
    fov_y_rad: float | Tensor = ORBIT_FOV_Y_RAD,
    width: int,
    height: int,
) -> Cameras:
    """Cameras on a sphere that look at the origin.

    Azimuth 0 stands on +x and looks at an object's front; it grows towards +y, which is counter-clockwise
    seen from above.
    """
    elevations = torch.as_tensor(elevations_rad, dtype=azimuths_rad.dtype, device=azimuths_rad.device)
    azimuths, elevations = torch.broadcast_tensors(azimuths_rad, elevations)
    unit = torch.stack(
        [elevations.cos() * azimuths.cos(), elevations.cos() * azimuths.sin(), elevations.sin()], -1
    )
    radius = torch.as_tensor(radius, dtype=unit.dtype, device=unit.device)
    return look_at(unit * radius[..., None], fov_y_rad=fov_y_rad, width=width, height=height)


def azimuth_elevation(cameras: Cameras) -> tuple[Float[Tensor, "*B"], Float[Tensor, "*B"]]:
    """Where on the sphere around the origin the cameras stand, in radians; the inverse of `orbit`."""
    x, y, z = cameras.centres.unbind(-1)
    return torch.atan2(y, x), torch.atan2(z, torch.hypot(x, y))


def turntable(count: int, *, elevation_rad: float = 0.35, width: int, height: int) -> Cameras:
    """`count` cameras once around the object, starting at its front."""
    azimuths_rad = torch.arange(count) * (2 * torch.pi / count)
    return orbit(azimuths_rad, elevation_rad, width=width, height=height)
