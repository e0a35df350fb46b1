"""A scene moved is the same scene from cameras moved alike."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.camera import turntable
from distill3d.conversions.moved import FRAMES, moved, turn
from distill3d.representations._extra import Extra
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.rotation import matrix_from_wxyz


def scene(kind: type, *, seed: int = 0, extra: Extra | None = None) -> Gaussians | Surfels:
    """Forty primitives of all shapes and turns, with colours that depend on the view."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(40, *shape, generator=generator)

    scales = 3 if kind is Gaussians else 2
    return kind(0.4 * normal(3), normal(4), normal(scales) / 2 - 2, normal(), normal(16, 3) / 2, extra=extra)


def similarity(seed: int, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = scale * matrix_from_wxyz(torch.randn(4, generator=generator, dtype=torch.float64))
    matrix[:3, 3] = torch.randn(3, generator=generator, dtype=torch.float64)
    return matrix


@pytest.mark.parametrize("kind", [Gaussians, Surfels])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_the_scene_and_the_cameras_moved_together_show_the_same(kind, scale):
    before, matrix = scene(kind), similarity(3, scale)
    cameras = turntable(3, width=24, height=24)
    to_world = matrix @ torch.linalg.inv(cameras.world_to_camera.double())
    to_world[..., :3, :3] /= scale
    alike = dataclasses.replace(cameras, world_to_camera=torch.linalg.inv(to_world).float())
    with torch.no_grad():
        one, other = before.render(cameras), moved(before, matrix).render(alike)
    assert_close(other.rgb, one.rgb, rtol=0, atol=2e-4)
    assert one.rgb.std() > 0.05


def test_moves_follow_each_other_and_are_undone():
    before, first, second = scene(Gaussians), similarity(1, 0.5), similarity(2, 3.0)
    before.scene_transform.copy_(similarity(4, 0.7))
    twice, at_once = moved(moved(before, first), second), moved(before, second @ first)
    back = moved(moved(before, first), torch.linalg.inv(first))
    for name in ("means", "log_scales", "opacity_logits", "sh"):
        assert_close(getattr(twice, name), getattr(at_once, name), rtol=1e-5, atol=1e-5)
        assert_close(getattr(back, name), getattr(before, name), rtol=1e-5, atol=1e-5)
    assert_close(twice.scene_transform, second @ first @ before.scene_transform)
    assert_close(back.scene_transform, before.scene_transform)


def test_what_is_kept_for_other_programs_moves_too():
    labels = torch.arange(40)
    extra = {"label": labels, "nx": torch.ones(40), "ny": torch.zeros(40), "nz": torch.zeros(40)}
    after = moved(scene(Gaussians, extra=Extra(extra)), turn("z-up", "y-up")).state_dict()
    assert torch.equal(after["extra.label"], labels)
    normals = torch.stack([after[f"extra.n{axis}"] for axis in "xyz"], 1)
    assert torch.equal(normals, torch.tensor([[0.0, 0, 1]]).expand(40, 3)), "what faces +x faces +z in glTF"


@pytest.mark.parametrize(("frame", "up"), [("z-up", (0, 0, 1)), ("y-up", (0, 1, 0)), ("y-down", (0, -1, 0))])
def test_frames_are_rotations_that_put_up_where_they_say(frame, up):
    rotation = torch.tensor(FRAMES[frame])
    assert_close(rotation @ rotation.mT, torch.eye(3))
    assert math.isclose(float(torch.linalg.det(rotation)), 1)
    assert torch.equal(rotation @ torch.tensor([0.0, 0, 1]), torch.tensor(up).float())


@pytest.mark.parametrize(
    "broken", [torch.diag(torch.tensor([1.0, 1, -1, 1])), 2 * torch.eye(4), torch.zeros(4, 4)]
)
def test_what_is_no_similarity_is_refused(broken):
    with pytest.raises(ValueError, match="expected"):
        moved(scene(Gaussians), broken.double())
