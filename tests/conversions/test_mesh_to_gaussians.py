"""Primitives that tile a mesh: flat on it, facing out, as large as their parts, in its very colours."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor
from torch.testing import assert_close

from distill3d import files
from distill3d.camera import turntable
from distill3d.conversions.mesh_to_gaussians import WIDENED, mesh_to_primitives
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.representations.surfels import Surfels
from distill3d.rotation import matrix_from_wxyz
from distill3d.sh import rgb_from_degree_0
from tests.traced import by_octant

Kind = Literal["gaussians", "surfels"]
BOTH = pytest.mark.parametrize("kind", ["gaussians", "surfels"])


def scene(shape: trimesh.Trimesh, colours: Tensor | None = None) -> Mesh:
    vertices = torch.tensor(shape.vertices, dtype=torch.float32)
    colours = by_octant(vertices) if colours is None else colours.expand(len(vertices), 3)
    return Mesh(vertices, torch.tensor(shape.faces), colours)


def ball() -> Mesh:
    return scene(trimesh.creation.icosphere(5, 0.6))


def colours(made: Gaussians | Surfels) -> Tensor:
    return rgb_from_degree_0(made.sh.detach()[:, 0])


@BOTH
def test_a_ball_is_tiled_by_as_many_as_asked_for_that_face_out(kind: Kind) -> None:
    made = mesh_to_primitives(ball(), kind, count=1500)
    assert len(made.means) == 1500
    out = made.means.detach() / made.means.detach().norm(dim=-1, keepdim=True)
    frames = matrix_from_wxyz(made.wxyz.detach())
    assert (frames[:, :, 2] * out).sum(-1).min() > 0.97
    assert_close(torch.linalg.det(frames), torch.ones(1500))
    assert made.means.norm(dim=-1).mean().item() == pytest.approx(0.6, abs=0.005)
    sides = math.sqrt(12) / WIDENED * made.log_scales.detach()[:, :2].exp()
    assert sides.prod(-1).sum().item() == pytest.approx(4 * math.pi * 0.6**2, rel=0.1), (
        "squares of their area"
    )
    assert (sides[:, 0] / sides[:, 1]).median() < 1.5
    if kind == "gaussians":
        assert (made.log_scales[:, 2] < made.log_scales[:, 1] - 1).all()


@BOTH
def test_it_looks_like_the_mesh(kind: Kind) -> None:
    mesh = ball()
    cameras = turntable(3, width=256, height=256)
    with torch.no_grad():
        truth = mesh.render(cameras)
        found = [mesh_to_primitives(mesh, kind, count=n).render(cameras) for n in (500, 5000)]
    error = [(seen.over((1.0, 1.0, 1.0)) - truth.over((1.0, 1.0, 1.0))).square().mean() for seen in found]
    assert -10 * error[1].log10() > 22
    assert error[1] < 0.6 * error[0], "more are better"
    assert found[1].alpha[truth.alpha > 0.99].mean() > 0.97, "there are no gaps"


def test_colours_are_display_values_as_they_are_on_the_mesh(tmp_path: Path) -> None:
    """A .glb keeps light and a .ply display values; what looks the same becomes the same."""
    grey = torch.tensor([0.2, 0.5, 0.8])
    mesh = scene(trimesh.creation.icosphere(2, 0.6), grey)
    for suffix in ("glb", "ply"):
        files.save(mesh, tmp_path / f"mesh.{suffix}")
        loaded = files.load(tmp_path / f"mesh.{suffix}")
        assert isinstance(loaded, Mesh)
        made = mesh_to_primitives(loaded, "gaussians", count=20)
        assert_close(colours(made), grey.expand(20, 3), rtol=0.0, atol=0.004)


def test_cells_end_where_the_colour_changes() -> None:
    sheet = trimesh.creation.box((1.0, 1.0, 0.2)).subdivide_to_size(0.02)
    made = mesh_to_primitives(scene(sheet, None), "gaussians", count=400)
    purity = (colours(made) - 0.5).abs().amin(-1)
    assert (purity > 0.4).double().mean() > 0.8


def test_the_sides_of_a_thin_wall_keep_their_own_colours() -> None:
    shape = trimesh.creation.box((1.0, 1.0, 0.004)).subdivide_to_size(0.1)
    mesh = scene(shape)
    red_above = torch.zeros(len(shape.vertices), 3)
    red_above[:, 0] = torch.tensor(shape.vertices[:, 2] > 0).float()
    mesh = Mesh(mesh.vertices().detach(), mesh.faces, red_above)
    made = mesh_to_primitives(mesh, "surfels", count=200)
    up = matrix_from_wxyz(made.wxyz.detach())[:, 2, 2]
    assert (colours(made)[up > 0.9, 0] > 0.9).all()
    assert (colours(made)[up < -0.9, 0] < 0.1).all()
    assert (up.abs() > 0.9).double().mean() > 0.95


def test_turning_the_mesh_turns_what_is_seen() -> None:
    """The cells themselves may be others, as the points strewn are not the same."""
    mesh = ball()
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turned = Mesh(mesh.vertices().detach() @ quarter.T, mesh.faces, mesh.colour_logits.sigmoid())
    cameras = turntable(4, width=64, height=64)
    with torch.no_grad():
        before = mesh_to_primitives(mesh, "gaussians", count=1000).render(cameras)
        after = mesh_to_primitives(turned, "gaussians", count=1000).render(cameras)
    assert (after.rgb.roll(-1, 0) - before.rgb).square().mean() < 1e-3
    assert (after.rgb - before.rgb).square().mean() > 2e-2


def test_where_surfaces_coincide_there_are_fewer() -> None:
    shape = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]] * 3, process=False)
    made = mesh_to_primitives(scene(shape), "gaussians", count=30)
    assert 5 < len(made.means) <= 30
    assert all(value.isfinite().all() for value in made.learned().values())


@pytest.mark.parametrize(
    ("shape", "count", "sentence"),
    [
        (trimesh.creation.icosphere(1, 0.5), 0, r"cannot become 0 surfels; ask for 1 or more$"),
        (trimesh.Trimesh([[0, 0, 0]], np.zeros((0, 3), int)), 9, r"no surface.*give one with faces$"),
        (trimesh.Trimesh(np.zeros((3, 3)), [[0, 1, 2]], process=False), 9, r"no surface.*one with faces$"),
    ],
    ids=["no count", "no triangles", "no area"],
)
def test_what_cannot_be_is_a_sentence(shape: trimesh.Trimesh, count: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        mesh_to_primitives(scene(shape), "surfels", count=count)
