"""Snapshots of instant-ngp, .ingp and .msgpack: radiance fields in MessagePack, perhaps within zlib or gzip.

Source: instant-ngp's testbed.cu (save_snapshot), json_binding.h and nerf_loader.h. Its world is scaled into
the unit cube and its axes are (y, z, x) of the photographs' world, so that y is up; cameras are OpenCV's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.errors import UserError
from distill3d.formats import _cascades, _deflate, msgpack
from distill3d.formats._ngp_network import network, number, whole
from distill3d.representations._placed import Place
from distill3d.representations.instant_ngp import InstantNgp

SUFFIXES = (".ingp", ".msgpack")
TO_Z_UP = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]).double()
"""(x, y, z) of instant-ngp to ours: what lies along its z, x and y lies along our x, y and z."""
STEP = math.sqrt(3) / 1024
"""Length of the first step along a ray, in instant-ngp's units; its density grid says what one takes away."""
FAINTEST = 0.01
"""Optical thickness of a step."""
MOST_SAMPLES = 4096
MAX_FRAMES = 100_000
MAX_SIDE_PX = 16384


def read(data: bytes) -> InstantNgp:
    """The field of a snapshot, upright, its visible box within the unit ball; an environment map is left out.

    It is sampled in steps of the size that instant-ngp begins with, but at most `MOST_SAMPLES` along a ray.
    """
    config, snapshot = _snapshot(data)
    nerf = _mapping(snapshot, "nerf")
    dataset = nerf.get("dataset", {}) if isinstance(nerf.get("dataset", {}), Mapping) else {}
    if whole(dataset, "n_extra_learnable_dims", 0) or dataset.get("is_hdr", False) is not False:
        raise UserError(
            "the snapshot has extra dimensions or colours beyond 1 (is_hdr); expected a field of plain "
            "photographs"
        )
    aabb_scale = number(nerf, "aabb_scale", number(dataset, "aabb_scale", 1.0))
    trained = network(config, _numbers(snapshot), max(aabb_scale, 1e-3))
    place = _place(snapshot, dataset)
    steps = 2 * float(place.to_source[0, :3].norm()) / STEP
    field = InstantNgp(
        trained.table,
        trained.density,
        trained.colour,
        layout=trained.layout,
        samples=max(2, min(round(steps), MOST_SAMPLES)),
        place=place,
    )
    return _with_occupancy(field, snapshot)


def _with_occupancy(field: InstantNgp, snapshot: Mapping[str, Any]) -> InstantNgp:
    """Cells that hold no more than the lesser of `FAINTEST` and the mean are empty, as instant-ngp's are."""
    if whole(snapshot, "density_grid_size", 128) != _cascades.SIDE:
        raise UserError("the snapshot's density grid is not of 128 cells along each side")
    stored = np.frombuffer(_bytes(snapshot, "density_grid_binary", 2), "<f2")
    _cascades.count(len(stored))
    thickness = torch.from_numpy(np.nan_to_num(stored.astype(np.float32)))
    mean = thickness[: _cascades.SIDE**3].clamp_min(0).mean()
    full = thickness > min(FAINTEST, float(mean))
    remembered = _cascades.remembered(field, full, thickness / STEP, centre=0.5, half=0.5)
    field.load_state_dict({**field.state_dict(), "remembered": remembered})
    return field


def cameras(data: bytes) -> Cameras:
    """The cameras [N] of the photographs that a snapshot was trained on, in the world in which it opens."""
    _, snapshot = _snapshot(data)
    dataset = _mapping(_mapping(snapshot, "nerf"), "dataset")
    to_ours = torch.linalg.inv(_square(_place(snapshot, dataset).to_source.double()))
    scale = torch.linalg.vector_norm(to_ours[0, :3])
    frames, views = dataset.get("xforms"), dataset.get("metadata")
    if not isinstance(frames, list) or not isinstance(views, list) or len(frames) != len(views):
        raise UserError(
            "the snapshot does not keep the cameras of its photographs; expected xforms and metadata"
        )
    if not 0 < len(frames) <= MAX_FRAMES:
        raise UserError(f"the snapshot has {len(frames)} cameras; expected 1 to {MAX_FRAMES}")
    poses, intrinsics, sizes = [], [], set()
    for frame, view in zip(frames, views, strict=True):
        if not isinstance(frame, Mapping) or not isinstance(view, Mapping) or view.get("lens"):
            raise UserError("the snapshot's cameras have distortion, or none; expected pinhole cameras")
        pose = to_ours @ _square(_array(frame, "start", (3, 4)))
        pose[:3, :3] /= scale
        poses.append(pose)
        width, height = (int(side) for side in _array(view, "resolution", (2,)).tolist())
        sizes.add((width, height))
        centre = _array(view, "principal_point", (2,)) * torch.tensor([width, height])
        intrinsics.append(torch.cat([_array(view, "focal_length", (2,)), centre]))
    if len(sizes) != 1 or not all(0 < side <= MAX_SIDE_PX for side in max(sizes)):
        raise UserError(
            f"the snapshot's cameras have {len(sizes)} sizes; expected one, of 1 to {MAX_SIDE_PX}"
        )
    rotations = torch.stack(poses)[:, :3, :3]
    if (rotations @ rotations.mT - torch.eye(3)).abs().max() > 0.02 or torch.stack(intrinsics)[
        :, :2
    ].min() <= 0:
        raise UserError("the snapshot has a camera that is no rotation with a focal length; fetch it again")
    world_to_camera = torch.linalg.inv(torch.stack(poses)).float()
    return Cameras(world_to_camera, torch.stack(intrinsics).float(), *sizes.pop())


def _snapshot(data: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The configuration of the network, and what was saved of it."""
    config = msgpack.read(_deflate.unpacked(data) if _deflate.packed(data) else data)
    snapshot = config.get("snapshot") if isinstance(config, Mapping) else None
    if not isinstance(snapshot, Mapping):
        raise UserError(
            "MessagePack, but no snapshot of instant-ngp; expected one saved by its GUI or run.py"
        )
    mode = snapshot.get("mode", "nerf")
    if str(mode).lower() != "nerf":
        raise UserError(f'a snapshot of instant-ngp of "{str(mode)[:20]}"; expected a radiance field (nerf)')
    return config, snapshot


def _numbers(snapshot: Mapping[str, Any]) -> np.ndarray:
    """All parameters, in half or in single precision as their count tells."""
    count = whole(snapshot, "n_params", 0)
    data = _bytes(snapshot, "params_binary", 2)
    if count == 0 or len(data) not in (2 * count, 4 * count):
        raise UserError(
            f"the snapshot has {len(data)} bytes for {count} parameters; expected 2 or 4 for each"
        )
    numbers = np.frombuffer(data, "<f2" if len(data) == 2 * count else "<f4")
    if not np.isfinite(numbers).all():
        raise UserError("the snapshot has parameters that are no finite numbers; its training has failed")
    return numbers


def _place(snapshot: Mapping[str, Any], dataset: Mapping[str, Any]) -> Place:
    """Upright, with the middle of what is drawn at the origin and its corners on the unit sphere."""
    cube = _box(snapshot, "aabb")
    drawn = _box(snapshot, "render_aabb") if "render_aabb" in snapshot else cube
    drawn = torch.stack([torch.maximum(drawn[0], cube[0]), torch.minimum(drawn[1], cube[1])])
    if "render_aabb_to_local" in snapshot:
        turn = _array(snapshot, "render_aabb_to_local", (3, 3))
        if (turn - torch.eye(3)).abs().max() > 1e-4:
            raise UserError(
                "the snapshot is cropped by a turned box; reset the crop in instant-ngp, save it again"
            )
    if not (drawn[0] < drawn[1]).all():
        raise UserError("the snapshot is cropped to nothing; reset the crop in instant-ngp and save it again")
    up = _array(snapshot, "up_dir", (3,)) if "up_dir" in snapshot else torch.tensor([0.0, 1, 0]).double()
    upright = _onto_z(TO_Z_UP @ up) @ TO_Z_UP
    middle, radius = drawn.mean(0), float((drawn[1] - drawn[0]).norm()) / 2
    to_source = torch.cat([radius * upright.T, middle[:, None]], 1)
    return Place(
        to_source.float(),
        cube.float(),
        drawn.float(),
        torch.linalg.inv(_square(to_source)) @ _from_photographs(dataset),
    )


def _from_photographs(dataset: Mapping[str, Any]) -> Float64[Tensor, "4 4"]:
    """From the photographs' world to instant-ngp's; the identity where the snapshot does not know it."""
    transform = torch.eye(4).double()
    if "scale" in dataset and "offset" in dataset:
        axes = torch.eye(3).double() if dataset.get("from_mitsuba") else TO_Z_UP.T
        transform[:3, :3] = number(dataset, "scale", 1.0) * axes
        transform[:3, 3] = axes @ _array(dataset, "offset", (3,))
    return transform


def _onto_z(up: Float64[Tensor, "3"]) -> Float64[Tensor, "3 3"]:
    """The least rotation that takes `up` to +z."""
    if not float(up.norm()) > 1e-6:
        raise UserError("the snapshot's up_dir is no direction; expected three numbers")
    x, y, z = (float(value) for value in up / up.norm())
    if z < -1 + 1e-9:
        return torch.diag(torch.tensor([1.0, -1, -1])).double()
    tilt = torch.tensor([[0, 0, -x], [0, 0, -y], [x, y, 0]]).double()
    return torch.eye(3).double() + tilt + tilt @ tilt / (1 + z)


def _box(snapshot: Mapping[str, Any], name: str) -> Float64[Tensor, "2 3"]:
    box = _mapping(snapshot, name)
    return torch.stack([_array(box, "min", (3,)), _array(box, "max", (3,))])


def _square(similarity: Float64[Tensor, "3 4"]) -> Float64[Tensor, "4 4"]:
    return torch.cat([similarity, torch.tensor([[0.0, 0, 0, 1]]).double()])


def _mapping(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = config.get(name)
    if not isinstance(value, Mapping):
        raise UserError(f"the snapshot has no {name}; expected one that instant-ngp has saved")
    return value


def _array(config: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Tensor:
    """Finite numbers in float64."""
    try:
        value = torch.tensor(config.get(name), dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        value = torch.full(shape, math.nan)
    if tuple(value.shape) != shape or not (value.abs() < 1e6).all():
        raise UserError(f"the snapshot's {name} is not {' x '.join(map(str, shape))} numbers; fetch it again")
    return value


def _bytes(config: Mapping[str, Any], name: str, size: int) -> memoryview:
    value = config.get(name)
    if not isinstance(value, memoryview) or len(value) % size:
        raise UserError(f"the snapshot has no {name} of bytes; expected one that instant-ngp has saved")
    return value
