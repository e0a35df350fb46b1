"""The contract of scenes: what photographs change is remembered, and a scene sees what its penalty reads."""

from __future__ import annotations

import inspect
from collections.abc import Collection

import pytest
import torch
from torch import Tensor

from distill3d.camera import Cameras, turntable
from distill3d.distill import Loss, distill
from distill3d.formats import safetensors_scene
from distill3d.moment import Moment
from distill3d.rendering import Rendering
from distill3d.representations.gaussians import Gaussians
from distill3d.rig import Rig
from distill3d.scene import WANT, Scene, Seen
from tests.representations.small import KINDS, OPTIONS, kind_of

CAMERAS = turntable(3, width=8, height=8)


def photographed(name: str) -> Scene:
    """A small scene of the kind, to be fitted to photographs."""
    kind = kind_of(name)
    method = kind.from_photographs if "from_photographs" in vars(kind) else kind.start
    known = inspect.signature(method).parameters
    return kind.from_photographs(Seen(CAMERAS), **{k: v for k, v in OPTIONS[name].items() if k in known})


@pytest.mark.parametrize("name", KINDS)
def test_a_scene_remembers_that_it_learns_from_photographs(name: str) -> None:
    scene = photographed(name)
    assert scene.photographed
    again = type(scene).from_state(scene.state_dict())
    assert again.photographed
    rates = [[(g["name"], g["lr"], g.get("lr_final")) for g in s.param_groups()] for s in (scene, again)]
    assert rates[0] == rates[1]


@pytest.mark.parametrize("name", KINDS)
def test_a_scene_from_before_photographs_learns_from_scores(name: str) -> None:
    state = kind_of(name).start(**OPTIONS[name]).state_dict()
    del state["photographed"]
    assert not kind_of(name).from_state(state).photographed


@pytest.mark.parametrize("name", KINDS)
def test_a_scene_keeps_the_way_from_the_world_of_what_it_was_made_from(name: str) -> None:
    scene = kind_of(name).start(**OPTIONS[name])
    assert not scene.knows_source
    scene.scene_transform[0, 3] = 1 / 3
    again = safetensors_scene.read(safetensors_scene.write(name, scene.state_dict()))[1]
    restored = kind_of(name).from_state(again)
    assert restored.knows_source
    assert torch.equal(restored.scene_transform, scene.scene_transform), "to the last bit of float64"
    del again["scene_transform"]
    assert not kind_of(name).from_state(again).knows_source, "a file from before scenes knew it"


class Watchful(Gaussians):
    """Gaussians that want normals in the second half of a run, and pay for them."""

    def want(self, moment: Moment) -> Collection[str]:
        return (*WANT, "normal") if moment.progress > 0.5 else WANT

    def penalty(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Tensor | None:
        assert rendering.rgb.shape[0] == len(cameras)
        return None if rendering.normal is None else 1000 + rendering.normal.sum()


class Nothing:
    """A teacher whose loss is the mean opacity; it notes which channels it was shown."""

    def __init__(self) -> None:
        self.shown: list[bool] = []

    def __call__(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Loss:
        self.shown.append(rendering.normal is not None)
        return Loss(rendering.alpha.mean())

    def state_dict(self) -> dict[str, object]:
        return {}

    def load_state_dict(self, state: dict[str, object]) -> None:
        pass


def test_the_loop_renders_what_the_scene_wants_and_adds_what_it_asks_for() -> None:
    scene, teacher = Watchful.start(count=30, opacity=0.5), Nothing()
    losses = [step.loss for step in distill(scene, teacher, steps=5, rig=Rig(), views=2, size=8)]
    assert teacher.shown == [False, False, False, True, True]
    assert max(losses[:3]) < 2 and min(losses[3:]) > 100


def test_a_kind_that_can_begin_with_a_score_alone_begins_so_for_photographs_too() -> None:
    mesh = kind_of("mesh").from_photographs(Seen(CAMERAS), subdivisions=2, seed=4)
    assert mesh.photographed
    assert torch.equal(
        mesh.state_dict()["faces"], kind_of("mesh").start(subdivisions=2).state_dict()["faces"]
    )
