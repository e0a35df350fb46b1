"""Any scene becomes a closed surface in a texture of its own, where the scene stood and in its colours."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from distill3d import files
from distill3d.camera import Cameras, turntable
from distill3d.conversions.moved import moved
from distill3d.conversions.scene_to_textured_mesh import scene_to_textured_mesh
from distill3d.rendering import Rendering
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.rotation import wxyz_between
from distill3d.scene import Scene
from distill3d.sh import degree_0_from_rgb
from tests.traced import ball, blank, by_octant, traced

SMALL = {"triangles": 600, "texture_px": 128, "resolution": 40, "views": 24}


class Traced(Scene):
    """A scene that is known by its pictures alone."""

    def __init__(self, render) -> None:
        super().__init__()
        self._draw = render

    def render(self, cameras: Cameras, *, want=("rgb", "alpha")) -> Rendering:
        return self._draw(cameras)


@pytest.fixture(scope="module")
def sphere() -> Mesh:
    return scene_to_textured_mesh(Traced(traced(ball(0.6), by_octant)), **SMALL)


def psnr(one: Tensor, other: Tensor) -> float:
    return float(-10 * (one - other).square().mean().log10())


def test_a_ball_keeps_its_measures_with_few_triangles(sphere: Mesh) -> None:
    shape = sphere.as_trimesh()
    shape.merge_vertices(merge_tex=True, merge_norm=True)
    assert shape.is_watertight
    assert shape.euler_number == 2
    assert len(sphere.faces) == pytest.approx(600, rel=0.02)
    assert shape.volume == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.04)


def test_colours_are_where_they_were_seen(sphere: Mesh) -> None:
    cameras = turntable(5, width=64, height=64)
    with torch.no_grad():
        seen, truth = sphere.render(cameras), traced(ball(0.6), by_octant)(cameras)
    assert psnr(seen.over((1.0, 1.0, 1.0)), truth.over((1.0, 1.0, 1.0))) > 24
    assert psnr(seen.rgb.flip(0), truth.rgb) < 15, "and nowhere else"


def test_charts_lie_apart_and_every_texel_is_painted(sphere: Mesh) -> None:
    """As the octants are red, green and blue or not, and never black but in one, black is a seam's gap."""
    corners = sphere.uv[sphere.uv_indices.long()].double()
    edges = corners[:, 1:] - corners[:, :1]
    areas = (edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]).abs() / 2
    assert 0.3 < areas.sum() < 1
    assert sphere.uv.min() >= 0
    assert sphere.uv.max() <= 1
    picture = sphere.colour_logits.sigmoid()
    dark = (picture.amax(-1) < 0.1).double().mean()
    assert dark < 0.3


def test_the_file_opens_elsewhere_with_its_texture(sphere: Mesh, tmp_path) -> None:
    """Its way up, v from the top, and the colour of the texel at each vertex, read by another program."""
    files.save(sphere, tmp_path / "ball.glb")
    shape = trimesh.load(tmp_path / "ball.glb", force="mesh", process=False)
    picture = np.asarray(shape.visual.material.baseColorTexture)
    uv = np.asarray(shape.visual.uv)
    row = ((1 - uv[:, 1]) * len(picture)).astype(int).clip(0, len(picture) - 1)
    column = (uv[:, 0] * len(picture)).astype(int).clip(0, len(picture) - 1)
    here = np.asarray(shape.vertices)[:, [2, 0, 1]]
    inner = np.abs(here).min(1) > 0.08
    assert inner.sum() > 100
    wrong = np.abs(picture[row, column, :3][inner] / 255 - (here[inner] > 0)).max(1) > 0.3
    assert wrong.mean() < 0.02


def discs(count: int = 3000, degree_0=by_octant) -> Gaussians:
    """A ball of radius 0.5 of flat, opaque Gaussians, evenly spread."""
    index = torch.arange(count) + 0.5
    z, turn = 1 - 2 * index / count, index * math.pi * (3 - math.sqrt(5))
    width = (1 - z * z).sqrt()
    out = torch.stack([width * turn.cos(), width * turn.sin(), z], 1)
    scales = torch.tensor([0.02, 0.02, 0.002]).log().repeat(count, 1)
    wxyz = wxyz_between(torch.tensor([0.0, 0, 1]), out)
    return Gaussians(
        0.5 * out, wxyz, scales, torch.full((count,), 4.0), degree_0_from_rgb(degree_0(out))[:, None]
    )


def littered(scene: Gaussians) -> Gaussians:
    """With what files of other programs hold: haze, needles, a few that have flown off, a far backdrop."""
    generator = torch.Generator().manual_seed(1)

    def some(count: int, distance: float, scales: list[float], opacity: float) -> dict[str, Tensor]:
        out = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
        return {
            "means": distance * out,
            "wxyz": torch.randn(count, 4, generator=generator),
            "log_scales": torch.tensor(scales).log().repeat(count, 1),
            "opacity_logits": torch.full((count,), opacity),
            "sh": torch.randn(count, 1, 3, generator=generator),
        }

    litter = [
        some(200, 0.7, [0.05, 0.05, 0.05], -5.0),
        some(30, 0.5, [0.08, 0.001, 0.001], 0.0),
        some(10, 40.0, [0.1, 0.1, 0.1], 4.0),
        some(300, 8.0, [1.0, 1.0, 0.1], 4.0),
    ]
    learned = scene.learned()
    return Gaussians(*[torch.cat([learned[n].detach(), *(x[n] for x in litter)]) for n in learned])


def test_a_file_of_gaussians_from_elsewhere_shows_its_subject_where_it_stands() -> None:
    to_elsewhere = torch.eye(4, dtype=torch.float64)
    to_elsewhere[:3, :3] *= 7
    to_elsewhere[:3, 3] = torch.tensor([30.0, -20, 11])
    scene = moved(littered(discs()), to_elsewhere)
    vertices = scene_to_textured_mesh(scene, **SMALL).vertices().detach()
    radii = (vertices - to_elsewhere[:3, 3]).norm(dim=-1) / 7
    assert radii.median().item() == pytest.approx(0.5, abs=0.03)
    assert radii.max() < 0.65


@pytest.mark.parametrize("scene", [Traced(blank), discs(0)], ids=["nothing drawn", "no Gaussians"])
def test_an_empty_scene_is_a_sentence(scene: Scene) -> None:
    with pytest.raises(ValueError, match=r"the scene .* render it first[^\n]*$"):
        scene_to_textured_mesh(scene, **SMALL)
