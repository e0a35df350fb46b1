"""Every kind of object keeps the promises of the menu."""

from __future__ import annotations

import inspect
from functools import cache

import numpy as np
import pytest
import torch

from distill3d.camera import orbit
from distill3d.world import Model, describe, instance
from distill3d.world.kinds import kinds
from distill3d.world.parts import Vary

KINDS = kinds()
every_kind = pytest.mark.parametrize("name", KINDS)


@cache
def model(name: str, index: int = 0) -> Model:
    return instance(describe(f"a {name}"), index)


def test_there_are_many_kinds_and_most_have_a_front() -> None:
    assert len(KINDS) >= 30
    assert sum(kind.has_front for kind in KINDS.values()) >= 20


@every_kind
def test_a_kind_says_what_it_is_in_one_line(name: str) -> None:
    assert KINDS[name].about and "\n" not in KINDS[name].about
    assert list(inspect.signature(KINDS[name].make).parameters) == ["colour", "vary"]


@every_kind
def test_every_instance_has_the_same_labels_and_all_solids_are_whole(name: str) -> None:
    for index in (0, 1):
        object_ = model(name, index)
        assert object_.labels == KINDS[name].labels
        for mesh in object_.part_meshes():
            assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0, mesh.metadata
    assert 300 < sum(len(surface.faces) for surface in object_.surfaces) < 8000


@every_kind
def test_it_sits_centred_in_the_unit_sphere_and_its_surface_is_where_its_distance_is_zero(name: str) -> None:
    object_ = model(name, 1)
    vertices = np.concatenate([surface.vertices for surface in object_.surfaces])
    assert 0.8 < np.linalg.norm(vertices, axis=1).max() <= 0.95
    assert np.allclose(vertices.max(0), -vertices.min(0), atol=0.02)
    for part, surface in zip(object_.parts, object_.surfaces, strict=True):
        middles = torch.from_numpy(surface.vertices[surface.faces].mean(1))
        assert part.shape.signed_distance(torch.from_numpy(surface.vertices)).abs().max() < 1e-5, part.label
        assert part.shape.signed_distance(middles).abs().max() < 0.02, part.label


@every_kind
def test_two_instances_differ_but_not_by_much(name: str) -> None:
    first, second = (model(name, index).mesh().bounds for index in (0, 1))
    assert not np.allclose(first, second, atol=1e-4)
    assert np.allclose(first, second, atol=0.35)


@every_kind
def test_the_colour_of_the_prompt_is_seen(name: str) -> None:
    plain, magenta = KINDS[name].make(None, Vary(name, 0)), KINDS[name].make((0.9, 0.1, 0.9), Vary(name, 0))
    assert any(a.colour_rgb != b.colour_rgb for a, b in zip(plain, magenta, strict=True))


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.has_front])
def test_front_and_back_are_different_pictures(name: str) -> None:
    cameras = orbit(torch.tensor([0.0, torch.pi]), 0.1, width=48, height=48)
    front, back = model(name).render(cameras, want=("rgb", "alpha")).over((1.0, 1.0, 1.0))
    assert (front - back).abs().amax(-1).gt(0.1).float().mean() > 0.02
