"""A method with photographs of its object: its prior is shown them, and the scene has to look like them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill3d.camera import turntable
from distill3d.distill import Pictures, learn
from distill3d.errors import UserError
from distill3d.moment import Moment
from distill3d.objectives.c_sds import CSDS
from distill3d.objectives.sds import SDS
from distill3d.particles import Particles, Repeated
from distill3d.prior import Prior
from distill3d.priors.blob import Blob
from distill3d.representations.voxels import Voxels
from distill3d.rig import Rig
from distill3d.teachers.photographed import Photographed, beside_photographs
from distill3d.teachers.score import Score

from ..views import write_views

SIZE = 12
GREEN = torch.tensor([0.1, 0.8, 0.2])


class Open(Blob):
    """A prior that looks at what it is shown and thinks nothing of it."""

    def check_visual(self, visual):
        self.seen = visual

    def noise(self, noisy, t, condition):
        return torch.zeros_like(noisy)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    pictures = GREEN.expand(3, SIZE, SIZE, 3)
    return str(write_views(tmp_path, pictures, turntable(3, width=SIZE, height=SIZE)))


def lesson(objective: CSDS | SDS, prior: Prior, particles: int = 1):
    pictures = Pictures(Score(prior, objective, "it"), Repeated(Rig(), particles), 2, SIZE)
    return beside_photographs(pictures, objective)


def test_a_method_without_photographs_has_the_lesson_as_it_is() -> None:
    assert isinstance(lesson(SDS(), Blob()), Pictures) and isinstance(lesson(CSDS(), Blob()), Pictures)


def test_the_cameras_and_pictures_are_the_datasets(folder: str) -> None:
    prior = Open()
    Score(prior, CSDS(views=folder), "it")
    torch.testing.assert_close(
        prior.seen.cameras.world_to_camera,
        turntable(3, width=SIZE, height=SIZE).world_to_camera,
        atol=1e-5,
        rtol=1e-5,
    )
    assert (prior.seen.rgb - GREEN).abs().max() < 0.01


def test_the_loss_is_the_teachers_and_the_weighted_one_of_the_photographs(folder: str) -> None:
    scene = Voxels.start(seed=0)
    said = {}
    for weight in (0.0, 50.0):
        moment = Moment(1, 1, torch.Generator().manual_seed(0))
        said[weight] = lesson(CSDS(views=folder, fidelity=weight), Open())(scene, moment).loss
    difference = said[50.0].total - said[0.0].total
    torch.testing.assert_close(difference, 50 * said[0.0].parts["photographs"], atol=1e-3, rtol=1e-4)
    assert said[0.0].parts["photographs"] > 0.1


@pytest.mark.parametrize("particles", [1, 2])
def test_where_the_prior_says_nothing_the_scene_becomes_what_the_photographs_show(
    folder: str, particles: int
) -> None:
    scenes = [Voxels.start(seed=i) for i in range(particles)]
    before = [wrong(scene) for scene in scenes]
    student = scenes[0] if particles == 1 else Particles(scenes)
    for _ in learn(student, lesson(CSDS(views=folder), Open(), particles), steps=30):
        pass
    for scene, error in zip(scenes, before, strict=True):
        assert wrong(scene) < 0.75 * error


@torch.no_grad()
def wrong(scene: Voxels) -> float:
    """What the middle of the photographs shows otherwise."""
    seen = scene.render(turntable(3, width=SIZE, height=SIZE)).over((1.0, 1.0, 1.0))
    return (seen[:, 4:8, 4:8] - GREEN).abs().mean().item()


def test_the_state_is_the_teachers(folder: str) -> None:
    made = lesson(CSDS(views=folder), Open())
    assert isinstance(made, Photographed)
    made.load_state_dict(made.state_dict())
    assert made.teacher is made.pictures.teacher


def test_what_is_no_dataset_is_refused_before_the_run(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UserError, match="is not a folder; expected a dataset's folder"):
        CSDS(views=str(tmp_path / "gone"))
    with pytest.raises(UserError, match="blob reads words only and cannot be shown a picture"):
        Score(Blob(), CSDS(views=folder), "it")
    with pytest.raises(ValueError, match=r"--method.fidelity is -1; expected a number of at least 0"):
        CSDS(fidelity=-1.0)
