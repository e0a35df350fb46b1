"""Room for lists grows before it is short, and splatting is right whatever the room."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from distill3d.ops import _room, _splat_abi
from distill3d.ops.splat import splat
from distill3d.ops.splat_lift import contributors, lift
from tests.ops.machines import compiled
from tests.ops.scenes import gaussians, views


def test_room_is_kept_while_lists_are_short_and_made_anew_before_they_fill_it():
    room = _room.grown(0, 100)
    assert room > 100
    assert _room.grown(room, 50) == room
    longest = 100
    for _ in range(20):
        longest = int(longest * 1.2)
        assert longest <= room
        room = _room.grown(room, longest)


def test_on_the_cpu_the_room_is_the_length():
    assert _room.room_for("test", torch.tensor([17])) == 17


def without_room(monkeypatch, room: int) -> None:
    monkeypatch.setattr(_splat_abi, "room_for", lambda kind, needed: room)


@pytest.fixture(params=[machine for machine in compiled("splat") if machine.backend != "cpu"], ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param


@pytest.mark.parametrize("room", [0, 9])
def test_pictures_and_gradients_are_right_without_room(machine, monkeypatch, room):
    leaves = [values.requires_grad_() for values in gaussians(40)]
    cameras = views(2)
    roomy = splat(*leaves, cameras).colours
    expected = torch.autograd.grad(roomy.square().sum(), leaves)
    without_room(monkeypatch, room)
    images = splat(*leaves, cameras).colours
    assert_close(images, roomy)
    for a, b in zip(torch.autograd.grad(images.square().sum(), leaves), expected, strict=True):
        assert (a - b).norm() <= 1e-4 * b.norm()


def test_weights_are_right_without_room(machine, monkeypatch):
    scene, cameras = gaussians(40)[:4], views(2)
    maps = torch.stack([torch.linspace(-1, k, 36 * 40).sin() for k in (2, 5, 9, 14, 20, 27)]).reshape(
        2, 36, 40, 3
    )
    sums, weight = lift(*scene, cameras, maps)
    ids, weights = contributors(*scene, cameras, 3)
    without_room(monkeypatch, 5)
    assert_close(lift(*scene, cameras, maps), (sums, weight))
    again_ids, again = contributors(*scene, cameras, 3)
    assert_close(again, weights)
    assert torch.equal(again_ids, ids)
