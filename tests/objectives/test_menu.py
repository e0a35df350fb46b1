"""The folder of methods as a menu: each has a paper, flags that matter, and runs; a copy is one more."""

from __future__ import annotations

import atexit
import dataclasses
import os
import shutil
import site
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch

from distill3d import plugins
from distill3d.camera import turntable
from distill3d.distill import distill
from distill3d.objective import Objective
from distill3d.prior import Prior
from distill3d.priors.exact import Exact
from distill3d.teachers.score import Score

from ..views import write_views
from .particles import gradient_of, one_scene

METHODS = list(plugins.menu("objectives"))
SCENES = ("gaussians", "voxels", "hash_grid")
CHANGED = {"share": (0.3, 0.3), "t_first": (0.9, 0.9), "interval": (0.2, 0.2), "gap": (0.05, 0.05)}
CHANGED |= {"guidance": 3.0, "perp_neg": 0.5, "rescale": 0.7, "divergence": "kl", "softness": 5.0, "hops": 3}
CHANGED |= {"negative": "it", "category": "other", "threshold": 0.99, "fake_rate": 0.05, "fake_steps": 3}
CHANGED |= {"fresh": 0.5, "variate": 0.5}
CHANGED |= {"picture": str(Path(__file__).parents[2] / "docs" / "chair.png")}
CHANGED |= {"entropy": 0.4, "shift": 0.5, "clean": 0.7, "joint": 2.0, "c": 0.2, "base": "csd"}
LATER = ("t_last", "memory", "fake")
LIMITS = ("clip", "normalise")
"""What the teacher does, for all methods alike."""
IN_PENALTY = ("weight", "judge", "model", "fidelity")
"""What no gradient shows; a reward's tests are beside those of the judges, those of photographs beside their
teacher's."""


def load(name: str) -> type[Objective]:
    return plugins.load("objectives", name, "method", "--help")


class Known(Prior):
    """Pixels around a colour that every word has a part in, and what is shown."""

    def encode(self, rgb):
        return rgb * torch.tensor([1.0, 0.5, -1.0])

    def noise(self, noisy, t, condition):
        mean, spread = self._bell(condition)
        alpha, sigma = (a[:, None, None, None] for a in self.alpha_sigma(t))
        return sigma * (noisy - alpha * mean) / (alpha**2 * spread**2 + sigma**2)

    def joint_noise(self, noisy, t, condition):
        return 0.5 * self.noise(noisy, t, condition)

    def log_density(self, noisy, t, condition):
        mean, spread = self._bell(condition)
        alpha, sigma = (a[:, None, None, None] for a in self.alpha_sigma(t))
        v = alpha**2 * spread**2 + sigma**2
        return -0.5 * ((noisy - alpha * mean) ** 2 / v + v.log()).flatten(1).sum(-1)

    def _bell(self, condition):
        word = sum(map(ord, condition.prompt)) if condition.prompt else 0
        seen = 0.0 if condition.visual is None else condition.visual.rgb.mean()
        return torch.tensor([word % 17, word % 13, word % 11]) / 10 + seen, 1 + word % 7 / 10


def gradient(method: type[Objective], **options) -> torch.Tensor:
    """After some steps of learning, so that a fake knows something; at the first half of a run."""
    torch.manual_seed(0)
    x = torch.linspace(-2, 2, 8)
    return gradient_of(method(**options), x, Known(), one_scene(8))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_names_its_paper_and_has_a_line_of_help(name: str) -> None:
    text = (plugins.PACKAGE / "objectives" / f"{name}.py").read_text(encoding="utf-8")
    assert "arXiv" in text.split('"""')[1]
    assert 30 < len(plugins.menu("objectives")[name]) < 105


@pytest.mark.parametrize("name", METHODS)
def test_every_flag_of_a_method_changes_its_gradient(name: str) -> None:
    """A setting that is read and then not used is the worst of settings."""
    method = load(name)
    plain = gradient(method)
    assert torch.isfinite(plain).all() and plain.abs().max() > 0
    for field in dataclasses.fields(method):
        if field.name in (*LATER, *LIMITS, *IN_PENALTY):
            continue
        if field.name.startswith("fake_") and getattr(method(), "fake", "") == "own":
            continue
        changed = with_what_it_needs(name, field.name)
        before, after = (
            gradient(method, **{**changed, field.name: field.default}),
            gradient(method, **changed),
        )
        assert not torch.equal(before, after), f"{field.name} of {name} is not used"


@cache
def photographed() -> str:
    """A dataset of one grey picture, which goes when the tests do."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return str(write_views(Path(folder.name), torch.full((1, 4, 4, 3), 0.3), turntable(1, width=4, height=4)))


def with_what_it_needs(method: str, field: str) -> dict:
    """A changed setting, with those beside it without which it could not matter."""
    options = {field: photographed() if field == "views" else CHANGED[field]}
    if field in ("rescale", "perp_neg"):
        options["guidance"] = 3.0
    if method == "csd" and field == "share":
        options["negative"] = "it"
    if field == "fake_rate":
        options["fake_steps"] = 3
    if field == "threshold":
        options["t_first"] = (0.3, 0.9)
    return options


@pytest.mark.parametrize("name", METHODS)
def test_the_settings_of_the_paper_can_be_asked_for(name: str) -> None:
    settings = load(name).PUBLISHED
    objective = load(name).published()
    assert settings and {k: getattr(objective, k) for k in settings} == settings


@pytest.mark.parametrize("name", METHODS)
def test_pictures_of_a_batch_do_not_weigh_less_for_being_many(name: str) -> None:
    """The size of the gradient of one picture does not depend on how many others there are."""
    few, many = (
        gradient_of(load(name)(), torch.full((n,), 1.5), Known(), one_scene(n)).square().mean().sqrt()
        for n in (8, 128)
    )
    assert many > few / 4


@pytest.mark.parametrize("name", METHODS)
def test_a_copy_of_a_method_under_a_new_name_is_a_new_method(name, tmp_path, monkeypatch) -> None:
    original = plugins.fields(plugins.PACKAGE / "objectives" / f"{name}.py")
    package = tmp_path / "distill3d"
    shutil.copytree(plugins.PACKAGE / "objectives", package / "objectives")
    for file in plugins.PACKAGE.glob("*.py"):
        (package / file.name).symlink_to(file)
    shutil.copy(package / "objectives" / f"{name}.py", package / "objectives" / "my_own.py")
    monkeypatch.setattr(plugins, "PACKAGE", package)
    assert plugins.menu("objectives")["my_own"] == plugins.menu("objectives")[name]
    assert plugins.fields(package / "objectives" / "my_own.py") == original


def test_the_command_knows_a_copied_method(tmp_path: Path) -> None:
    package = tmp_path / "distill3d"
    package.mkdir()
    for entry in plugins.PACKAGE.iterdir():
        if entry.name != "objectives":
            (package / entry.name).symlink_to(entry)
    shutil.copytree(plugins.PACKAGE / "objectives", package / "objectives")
    shutil.copy(package / "objectives" / "csd.py", package / "objectives" / "my_own.py")
    # without `site` no editable installation stands before the copy
    command = [sys.executable, "-S", "-m", "distill3d", "generate", "--method", "my_own", "--help"]
    path = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *site.getsitepackages()])}
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **path}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and "--method.share" in done.stdout and "my_own" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_runs_on_every_kind_of_scene(name: str, scene: str) -> None:
    from distill3d.rig import Rig

    prior = Exact(instances=2, stations=32)
    student = plugins.load("representations", scene, "scene", "--help").start(seed=0)
    before = {n: p.detach().clone() for n, p in student.named_parameters()}
    teacher = Score(prior, load(name)(), "a red robot")
    steps = list(distill(student, teacher, steps=6, size=32, rig=Rig().among(prior.stations_at)))
    assert steps[-1].parts["gradient"] > 0
    assert any(not torch.equal(p, before[n]) for n, p in student.named_parameters())
