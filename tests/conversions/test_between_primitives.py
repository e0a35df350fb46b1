"""Gaussians and surfels become each other without a change that can be seen, where they are flat."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

from distill3d import files
from distill3d.conversions.between_primitives import CYCLES, THIN, to_gaussians, to_surfels
from distill3d.conversions.moved import moved
from distill3d.representations._extra import Extra
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.rotation import matrix_from_wxyz, multiply
from tests.conversions.test_moved import scene, similarity
from tests.formula import psnr

SCENES = Path(__file__).parents[2] / "scenes"


def test_cycles_turn_any_axis_into_the_third():
    for axis, wxyz in enumerate(CYCLES):
        turn = matrix_from_wxyz(torch.tensor(wxyz))
        assert_close(turn, torch.eye(3)[:, [(axis + 1) % 3, (axis + 2) % 3, axis]], atol=1e-6, rtol=0)


def test_surfels_come_back_to_the_last_bit():
    before = scene(Surfels, extra=Extra({"label": torch.arange(40)}))
    before.scene_transform.copy_(similarity(2, 0.5))
    state = before.state_dict()
    after = to_surfels(to_gaussians(before)).state_dict()
    assert after.keys() == state.keys()
    assert all(torch.equal(value, after[name]) for name, value in state.items())


def test_whichever_axis_is_thin_the_disc_is_the_same():
    """The same ellipsoid can be said in three ways that put its thin axis first, second or third."""
    third = to_gaussians(scene(Surfels))
    for axis in (0, 1):
        state = third.state_dict()
        back = torch.tensor(CYCLES[axis]) * torch.tensor([1.0, -1, -1, -1])
        state["wxyz"] = multiply(state["wxyz"], back)
        state["log_scales"] = state["log_scales"].roll(axis + 1, -1)
        other = Gaussians.from_state(state)
        assert isinstance(other, Gaussians)
        discs, expected = to_surfels(other), scene(Surfels)
        assert_close(discs.log_scales, expected.log_scales)
        assert_close(normalize(discs.wxyz, dim=-1), normalize(expected.wxyz, dim=-1), atol=1e-5, rtol=0)


def test_both_look_alike():
    discs = to_surfels(files.load(SCENES / "knot.ply"))
    assert psnr(to_gaussians(discs), discs) > 31


def test_thickness_is_what_is_lost():
    before = scene(Gaussians)
    discs = to_surfels(before)
    assert_close(discs.log_scales.sort(-1).values, before.log_scales.sort(-1).values[:, 1:])
    shortest = before.log_scales.argmin(-1)
    normals = matrix_from_wxyz(before.wxyz)[torch.arange(40), :, shortest]
    assert_close(matrix_from_wxyz(discs.wxyz)[..., 2], normals, atol=1e-5, rtol=0)
    assert torch.equal(discs.sh, before.sh) and torch.equal(discs.opacity_logits, before.opacity_logits)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_it_is_the_same_in_any_world(scale):
    matrix = similarity(1, scale)
    one, other = moved(to_gaussians(scene(Surfels)), matrix), to_gaussians(moved(scene(Surfels), matrix))
    assert_close(one.log_scales, other.log_scales)
    assert_close(one.log_scales[:, 2].exp(), THIN * one.log_scales[:, :2].amin(-1).exp())
