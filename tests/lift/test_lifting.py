"""A lifting step by step: its columns, that it goes on as if it had not stopped, and what it can be asked."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.testing import assert_close

from distill3d.camera import Cameras
from distill3d.extractor import FeatureMap, FeatureMaps
from distill3d.lift.lifting import Lifting
from distill3d.lift.operator import operator_of
from distill3d.lift.query import FEATURES, RELIABILITY, Features, read_words, write_words
from tests.lift.small import cameras, normal, scene, shown


@dataclass
class Given:
    """Maps that are there already."""

    maps: list[FeatureMap]
    cameras: Cameras
    patch: int = 1
    words: dict[str, Tensor] = field(default_factory=dict)

    @property
    def channels(self) -> int:
        return self.maps[0].vectors.shape[-1]

    def __getitem__(self, view: int) -> FeatureMap:
        return self.maps[view]

    def judge(self, features: Tensor, weight: Tensor) -> dict[str, float]:
        return {}


def given(count: int = 40, channels: int = 4) -> Given:
    made = scene(count=count)
    drawn = shown(operator_of(made, cameras()), normalize(normal(count, channels), dim=1))
    return Given([FeatureMap.of(said.vectors, said.believed) for said in drawn], cameras())


def columns(lifting: Lifting) -> dict[str, Tensor]:
    return dict(lifting.scene.extra.named_buffers())


def test_a_map_is_of_directions() -> None:
    """Lengths do not count; a vector of none says nothing."""
    said = FeatureMap.of(torch.tensor([[[3.0, 4.0], [0.0, 0.0]]]), torch.ones(1, 2, 1))
    assert_close(said.vectors, torch.tensor([[[0.6, 0.8], [0.0, 0.0]]]))
    assert said.believed.flatten().tolist() == [1, 0]


def test_every_step_leaves_columns_and_numbers() -> None:
    maps = given()
    assert isinstance(maps, FeatureMaps)
    lifting = Lifting(scene(), maps, refine=2, damping=0.3)
    seen = []
    for step in lifting.steps():
        vectors, reliability = columns(lifting)[FEATURES].float(), columns(lifting)[RELIABILITY]
        lengths = vectors.norm(dim=1)
        assert (((lengths - 1).abs() < 2e-3) | (lengths == 0)).all()
        assert ((reliability >= 0) & (reliability <= 1)).all()
        assert step.steps == 7 and 0 <= step.parts[RELIABILITY] <= 1
        seen.append(step.parts["seen"])
    assert len(seen) == 7 and sorted(seen) == seen and seen[-1] > 0.9


def test_pictures_that_agree_are_believed_and_others_are_not() -> None:
    """All views say one direction: reliability 1. Each says another at random: the length of their mean."""
    one, many = given(channels=3), given(channels=3)
    axis = torch.tensor([0.0, 0.0, 1.0])
    one.maps = [FeatureMap(axis.expand_as(said.vectors), said.believed) for said in one.maps]
    ways = torch.eye(3)
    many.maps = [
        FeatureMap(ways[i % 3].expand_as(said.vectors), said.believed) for i, said in enumerate(many.maps)
    ]
    found = []
    for maps in (one, many):
        lifting = Lifting(scene(), maps, refine=0, damping=0.3)
        *_, last = lifting.steps()
        found.append(last.parts[RELIABILITY])
    assert found[0] == pytest.approx(1, abs=1e-3) and 0.5 < found[1] < 0.8


@pytest.mark.parametrize("stop", [2, 5, 6])
def test_a_lifting_goes_on_to_the_same_bits(stop: int) -> None:
    whole = Lifting(scene(), given(), refine=3, damping=0.3)
    states: dict[int, dict[str, Any]] = {}
    for step in whole.steps():
        states[step.number] = copy.deepcopy(step.state())
    again = Lifting(scene(), given(), refine=3, damping=0.3)
    rest = [step.number for step in again.steps(states[stop])]
    assert rest == list(range(stop + 1, 9))
    assert torch.equal(again.features, whole.features)
    for name, values in columns(whole).items():
        assert torch.equal(columns(again)[name], values)


def test_the_residual_of_an_average_is_that_before_refinement() -> None:
    average, refined = (Lifting(scene(), given(), refine=n, damping=0.3) for n in (0, 3))
    for lifting in (average, refined):
        list(lifting.steps())
    assert average.residual() > refined.residual() > 0


def test_words_are_written_as_they_are_read(tmp_path: Path) -> None:
    words = {"left wing": torch.tensor([1.0, 0, 0]), "tail": torch.tensor([0, 0.5, 0.25])}
    write_words(tmp_path / "words.json", words)
    read = read_words(tmp_path / "words.json", 3)
    assert list(read) == list(words) and all(torch.equal(read[word], words[word]) for word in words)
    features = Features(torch.stack([words["tail"], words["left wing"]]), "clip", read)
    assert_close(features.like_words("the tail"), torch.tensor([1.0, 0.0]))
