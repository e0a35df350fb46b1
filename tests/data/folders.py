"""Datasets in every layout, of one small scene: a coloured cube of Gaussians seen from around."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from distill3d.camera import Cameras, turntable
from distill3d.rotation import wxyz_from_matrix

FLIP = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))


def cameras(count: int = 9, *, width: int = 24, height: int = 20) -> Cameras:
    return turntable(count, width=width, height=height)


def pictures(count: int, *, width: int = 24, height: int = 20, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 4, 4, 4, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").permute(0, 2, 3, 1)


def write_pictures(folder: Path, names: list[str], values: Tensor) -> None:
    for name, value in zip(names, values, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        channels = "RGBA" if value.shape[-1] == 4 else "RGB"
        Image.fromarray((value.numpy() * 255).round().astype(np.uint8), channels).save(path)


def poses(views: Cameras) -> Tensor:
    """Camera to world in OpenCV's camera, float64."""
    return torch.linalg.inv(views.world_to_camera.double())


def blender(folder: Path, *, count: int = 9) -> Cameras:
    views = cameras(count)
    fx = float(views.intrinsics[0, 0])
    angle = 2 * float(np.arctan(0.5 * views.width / fx))
    for split in ("train", "test"):
        frames = [
            {"file_path": f"./{split}/r_{i}", "transform_matrix": (pose @ FLIP).tolist()}
            for i, pose in enumerate(poses(views))
        ]
        content = {"camera_angle_x": angle, "frames": frames}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"transforms_{split}.json").write_text(json.dumps(content))
        write_pictures(folder, [f"{split}/r_{i}.png" for i in range(count)], pictures(count))
    return views


def nerfstudio(folder: Path, *, count: int = 9, **shared: object) -> Cameras:
    views = cameras(count)
    fx, fy, cx, cy = views.intrinsics[0].tolist()
    frames = [
        {"file_path": f"images/{i:03d}.png", "transform_matrix": (pose @ FLIP).tolist()}
        for i, pose in enumerate(poses(views))
    ]
    lens = {"fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy, "w": views.width, "h": views.height}
    write_pictures(folder, [f"images/{i:03d}.png" for i in range(count)], pictures(count))
    (folder / "transforms.json").write_text(json.dumps({**lens, **shared, "frames": frames}))
    return views


def ply(points: Tensor, colours: Tensor | None, form: str) -> bytes:
    """A PLY of points [P, 3] and colours [P, 3] of 8 bits, as text or of either byte order."""
    kinds = [(name, "f4") for name in "xyz"] + [(n, "u1") for n in ("red", "green", "blue")]
    rows = np.empty(len(points), np.dtype(kinds if colours is not None else kinds[:3]))
    columns = points.numpy() if colours is None else np.concatenate([points.numpy(), colours.numpy()], 1)
    for name, values in zip(rows.dtype.names or (), columns.T, strict=True):
        rows[name] = values
    names = {"f4": "float", "u1": "uchar"}
    header = ["ply", f"format {form} 1.0", "comment made by a test", f"element vertex {len(points)}"]
    header += [f"property {names[kind]} {name}" for name, kind in kinds[: columns.shape[1]]]
    if form == "ascii":
        body = "".join(" ".join(str(value) for value in row) + "\n" for row in rows.tolist()).encode()
    else:
        body = (rows if "little" in form else rows.astype(rows.dtype.newbyteorder(">"))).tobytes()
    return "\n".join([*header, "end_header\n"]).encode() + body


def colmap(folder: Path, *, kind: str = "bin", count: int = 9) -> Cameras:
    views = cameras(count)
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    write_pictures(folder / "images", [f"{i:03d}.png" for i in range(count)], pictures(count)[..., :3])
    rotations = views.world_to_camera[:, :3, :3].double()
    wxyz, shifts = wxyz_from_matrix(rotations), views.world_to_camera[:, :3, 3].double()
    lens = [float(v) for v in views.intrinsics[0]]
    if kind == "txt":
        (model / "cameras.txt").write_text(
            f"# cameras\n1 PINHOLE {views.width} {views.height} {' '.join(map(str, lens))}\n"
        )
        lines = ["# images"]
        for i, (q, t) in enumerate(zip(wxyz.tolist(), shifts.tolist(), strict=True)):
            lines += [f"{i + 1} {' '.join(map(str, q + t))} 1 {i:03d}.png", ""]
        (model / "images.txt").write_text("\n".join(lines) + "\n")
        (model / "points3D.txt").write_text("1 0.5 -0.25 0.125 255 0 51 0.1 1 2\n")
        return views
    (model / "cameras.bin").write_bytes(struct.pack("<QIiQQ4d", 1, 1, 1, views.width, views.height, *lens))
    blob = struct.pack("<Q", count)
    for i, (q, t) in enumerate(zip(wxyz.tolist(), shifts.tolist(), strict=True)):
        blob += struct.pack("<I7dI", i + 1, *q, *t, 1) + f"{i:03d}.png".encode() + b"\0"
        blob += struct.pack("<Q", 1) + struct.pack("<ddq", 1.0, 2.0, -1)
    (model / "images.bin").write_bytes(blob)
    (model / "points3D.bin").write_bytes(
        struct.pack("<QQ3d3BdQII", 1, 7, 0.5, -0.25, 0.125, 255, 0, 51, 0.1, 1, 1, 2)
    )
    return views


def llff(folder: Path, *, count: int = 9) -> Cameras:
    views = cameras(count)
    write_pictures(folder / "images", [f"{i:03d}.png" for i in range(count)], pictures(count)[..., :3])
    rows = []
    for pose in poses(views).numpy():
        right, down, forward, position = pose[:3].T
        size = [views.height, views.width, float(views.intrinsics[0, 0])]
        matrix = np.stack([down, right, -forward, position, np.array(size)], 1)
        rows.append([*matrix.reshape(-1), 0.5, 6.0])
    np.save(folder / "poses_bounds.npy", np.array(rows))
    return views
