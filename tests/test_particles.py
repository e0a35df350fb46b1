"""Several scenes made together: whose picture is whose, what the fake sees, and where they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from distill3d import files
from distill3d.camera import turntable
from distill3d.distill import distill
from distill3d.fakes.own import Own
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objectives.esd import ESD
from distill3d.objectives.sds import SDS
from distill3d.objectives.vsd import VSD
from distill3d.particles import Particles, Repeated, first, states
from distill3d.prior import Condition, clean_from_noise
from distill3d.priors.blob import Blob
from distill3d.regularised import Regularise
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.voxels import Voxels
from distill3d.rig import Rig
from distill3d.teachers.score import Score
from tests.objectives.particles import Line, as_rendering, descend_particles, gradient_of

COUNT = 256
START = torch.randn(COUNT, generator=torch.Generator().manual_seed(1)) * 0.8 - 1


def seen_by(cameras: int) -> Condition:
    """COUNT pictures, in turn by each of so many cameras: those by one camera are of as many scenes."""
    return Condition("it", cameras=turntable(cameras, width=1, height=1)[torch.arange(COUNT) % cameras])


def moment(number: int = 1) -> Moment:
    return Moment(number, 10, torch.Generator().manual_seed(0))


def test_vsd_of_many_scenes_seen_by_one_camera_ends_at_the_prior_itself():
    """Their mean is μ and their variance S², though the camera is known."""
    vsd = VSD(fake="own", memory=COUNT)
    end = descend_particles(vsd, Line(), START, rates=[0.3] * 150, condition=seen_by(1))
    assert end.mean().item() == pytest.approx(0.7, abs=0.05 * 1.5)
    assert end.std().item() == pytest.approx(1.5, rel=0.05)


def test_vsd_of_one_scene_seen_by_many_cameras_collapses_as_sds_does():
    one, sds = (
        gradient_of(objective, START, Line(), seen_by(COUNT)) for objective in (VSD(fake="own"), SDS())
    )
    torch.testing.assert_close(one, sds)


@pytest.mark.parametrize("entropy", [0.0, 0.4])
def test_esd_of_many_scenes_keeps_the_priors_variance_whatever_its_entropy(entropy):
    """With 64 scenes by 4 cameras that see alike, both its terms are the same mixture: s = S. One scene
    would keep λ S² - (1 - λ) σ²/α², which is 0.56 of 2.25 at λ = 0.4 and nothing at 0.
    """
    esd = ESD(entropy=entropy, memory=COUNT)
    end = descend_particles(esd, Line(), START, rates=[0.3] * 150, condition=seen_by(4))
    assert end.var().item() == pytest.approx(1.5**2, rel=0.1)


def test_the_fake_by_a_camera_is_the_mixture_of_that_cameras_pictures_only():
    """Far apart, and with little noise each picture is known for itself; with much, its camera's mean is."""
    x = torch.tensor([-5.0, 1.5, 5.0, 2.5])
    condition = Condition("it", cameras=turntable(2, width=1, height=1)[torch.tensor([0, 1, 0, 1])])
    q, prior = Own(), Line()
    q.learn(as_rendering(x), prior, condition, moment())
    p = perturb(prior.show(as_rendering(x), condition), prior, torch.full((4,), 0.5), moment())
    clean = clean_from_noise(q.noise(p, prior, condition), p.x_t, p.alpha, p.sigma).flatten()
    assert (clean[[0, 2]] - x[[0, 2]]).abs().max() < 0.01
    assert clean[[1, 3]].min() >= 1.5 and clean[[1, 3]].max() <= 2.5
    assert (clean[[1, 3]] - x[[1, 3]]).abs().max() > 0.02


def test_its_noise_is_the_score_of_its_density_where_a_camera_has_several_pictures():
    x = torch.linspace(-2, 2, 6)
    condition = Condition("it", cameras=turntable(2, width=1, height=1)[torch.tensor([0, 1, 0, 1, 0, 1])])
    q, prior = Own(), Line()
    q.learn(as_rendering(x), prior, condition, moment())
    p = perturb(prior.show(as_rendering(x), condition), prior, torch.full((6,), 0.5), moment())
    p.x_t.requires_grad_()
    (score,) = torch.autograd.grad(q.log_density(p, prior, condition).sum(), p.x_t)
    torch.testing.assert_close(-0.6 * score, q.noise(p, prior, condition), atol=1e-5, rtol=1e-4)


def test_a_camera_that_took_no_picture_is_an_error():
    q, x = Own(), torch.zeros(2)
    four = turntable(4, width=1, height=1)
    one, other = Condition("it", cameras=four[:2]), Condition("it", cameras=four[2:])
    q.learn(as_rendering(x), Line(), one, moment())
    p = perturb(Line().show(as_rendering(x), one), Line(), torch.full((2,), 0.5), moment())
    with pytest.raises(RuntimeError, match="by a camera whose picture the scene's own do not hold"):
        q.noise(p, Line(), other)


def test_every_particle_is_seen_by_every_camera():
    scenes = [Voxels.start(resolution=6, seed=s) for s in range(3)]
    for shade, scene in zip((0.1, 0.5, 0.9), scenes, strict=True):
        with torch.no_grad():
            for parameter in scene.parameters():
                parameter += shade
    cameras = Repeated(Rig(), 3).cameras(moment(), views=2, width=8, height=8)
    pictures = Particles(scenes).render(cameras, want=("rgb", "alpha", "depth"))
    assert torch.equal(cameras.centres[:3], cameras.centres[:1].expand(3, 3))
    for k in range(6):
        alone = scenes[k % 3].render(cameras[k : k + 1], want=("rgb", "alpha", "depth"))
        torch.testing.assert_close(pictures.rgb[k], alone.rgb[0])
        torch.testing.assert_close(pictures.depth[k], alone.depth[0])


def test_particles_grow_each_by_itself_under_one_optimizer():
    student = Particles([Gaussians.start(count=40, limit=count, seed=i) for i, count in enumerate((80, 60))])
    teacher = Score(Blob(), SDS(), "x")
    source = Repeated(Rig(), 2)
    steps = list(distill(student, teacher, steps=20, rig=source, views=2, size=12))
    counts = [len(scene.means) for scene in student]
    assert 40 < counts[0] <= 80 and 40 < counts[1] <= 60
    assert steps[-1].rendering.rgb.shape[0] == 4


def test_a_penalty_is_the_mean_of_the_particles_own():
    scenes = [Voxels.start(resolution=6, seed=s) for s in range(2)]
    cameras = Repeated(Rig(), 2).cameras(moment(), views=2, width=8, height=8)
    student = Particles([Regularise(sparsity=w).of(s) for w, s in zip((1.0, 3.0), scenes, strict=True)])
    pictures = student.render(cameras)
    each = [s.penalty(cameras[i::2], pictures[i::2], moment()) for i, s in enumerate(student)]
    torch.testing.assert_close(student.penalty(cameras, pictures, moment()), sum(each) / 2)


def test_states_come_apart_as_they_were():
    student = Particles([Regularise(scale=1.0).of(Gaussians.start(count=n)) for n in (5, 7)])
    apart = states(student.state_dict())
    assert [Gaussians.from_state(state).means.shape[0] for state in apart] == [5, 7]


def test_who_wants_one_scene_gets_the_first_with_nothing_around_it():
    scenes = [Gaussians.start(count=n) for n in (5, 7)]
    assert first(Particles([Regularise(scale=1.0).of(scene) for scene in scenes])) is scenes[0]
    assert first(Regularise(scale=1.0).of(scenes[1])) is scenes[1] and first(scenes[1]) is scenes[1]


COMMAND = ["generate", "x", "--prior", "blob", "--size", "10", "--views", "2", "--picture-size", "16"]
COMMAND += ["--scene", "voxels", "--scene.resolution", "6", "--method", "vsd", "--method.fake", "own"]


def test_the_command_leaves_the_results_of_each_and_goes_on_to_the_same_bits(tmp_path, monkeypatch, capsys):
    from distill3d.__main__ import main
    from distill3d.commands import _results

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_results.pictures, "write_gif", lambda path, frames: Path(path).write_bytes(b""))
    flags = [*COMMAND, "--steps", "4", "--particles", "2", "--checkpoint-every", "2"]
    assert main([*flags, "--out", "run"]) == 0
    assert {p.name for p in Path("run/particle-2").iterdir()} >= {
        "scene.safetensors",
        "turntable.png",
        "report.json",
    }
    assert json.loads(Path("run/report.json").read_text())["particles"]["count"] == 2
    first, second = (files.load(Path(folder)).state_dict() for folder in ("run", "run/particle-2"))
    assert any(not torch.equal(first[name], second[name]) for name in first)
    for name in ("run/report.json", "run/scene.safetensors", "run/particle-2/scene.safetensors"):
        Path(name).unlink()
    assert main(["generate", "--resume", "run"]) == 0
    again = files.load(Path("run/particle-2")).state_dict()
    assert all(torch.equal(again[name], second[name]) for name in second)
    assert main([*flags, "--particles", "0"]) == 2
    assert "--particles is 0; expected a whole number of at least 1" in capsys.readouterr().err
