"""One picture of all six scenes: what they look like, and below it what else is in them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import files, pictures
from distill3d.camera import Cameras, orbit
from distill3d.data import photographs
from distill3d.data.dataset import open_dataset
from distill3d.pictures import Row, shoot
from distill3d.representations.gaussians import Gaussians
from distill3d.sh import degree_0_from_rgb
from scenes import castle, knot

FILE = "overview.png"
SIZE_PX = 220
WHITE = (1.0, 1.0, 1.0)
PICTURES = (6, 10)  # of the locomotive
Picture = Float[Tensor, "H W 3"]


def make(folder: Path) -> None:
    """Draw the picture from the scenes' files."""
    first = [*_photographs(folder)[:1], *(_seen(folder / name) for name in NAMES)]
    second = [*_photographs(folder)[1:], _normals(folder / "owl.ply"), _depth(folder / "turtle.safetensors")]
    second += [_seen(folder / "amphora.glb", azimuth=2.4, elevation=0.9), _parts(folder)]
    second += [_seen(folder / knot.FILE, azimuth=2.2)]
    names = (
        "locomotive: pictures · owl: Gaussians · turtle: hash grid · amphora: textured mesh · castle: parts"
    )
    rows = [
        Row(f"{names} · knot: view-dependent Gaussians", torch.stack(first)),
        Row("another view · normals · depth · the painting · parts · another view", torch.stack(second)),
    ]
    sheet = pictures.contact_sheet(rows, title="Six small scenes", tile_px=SIZE_PX)
    pictures.write_sheet(folder / FILE, sheet)


NAMES = ("owl.ply", "turtle.safetensors", "amphora.glb", "castle.ply", "knot.ply")


def _camera(azimuth: float, elevation: float = 0.35) -> Cameras:
    return orbit(torch.tensor([azimuth]), elevation, width=SIZE_PX, height=SIZE_PX)


def _seen(path: Path, azimuth: float = 0.6, elevation: float = 0.35) -> Picture:
    return shoot(files.load(path), _camera(azimuth, elevation)).over(WHITE)[0].clamp(0, 1)


def _photographs(folder: Path) -> list[Picture]:
    dataset = open_dataset(folder / "locomotive")
    rgba = photographs.load(dataset, [dataset.train[i] for i in PICTURES]).rgba.float() / 255
    over_white = rgba[..., :3] + (1 - rgba[..., 3:])
    larger = torch.nn.functional.interpolate(
        over_white.permute(0, 3, 1, 2), (SIZE_PX, SIZE_PX), mode="bicubic"
    )
    return list(larger.permute(0, 2, 3, 1).clamp(0, 1))


def _normals(path: Path) -> Picture:
    picture = shoot(files.load(path), _camera(0.6), ("rgb", "alpha", "normal"))
    assert picture.normal is not None
    return (picture.normal / 2 + 1 - picture.alpha / 2)[0].clamp(0, 1)


def _depth(path: Path) -> Picture:
    return pictures.colour_depth(shoot(files.load(path), _camera(0.6), ("rgb", "alpha", "depth")), WHITE)[0]


def _parts(folder: Path) -> Picture:
    """Each part in a colour of its own."""
    state = files.load(folder / castle.FILE).state_dict()
    parts = json.loads((folder / castle.PARTS).read_text())
    generator = torch.Generator().manual_seed(3)
    colours = torch.rand(len(parts["labels"]), 3, generator=generator)
    state["sh"][:, 0] = degree_0_from_rgb(colours)[torch.tensor(parts["part"])]
    return shoot(Gaussians.from_state(state), _camera(0.6)).over(WHITE)[0].clamp(0, 1)
