"""Recipes of several stages: what each stage gets, in which order, and that a run of them can be stopped."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from distill3d import plugins
from distill3d.distill import CameraSource, Teacher
from distill3d.moment import Moment
from distill3d.objectives.sds import SDS
from distill3d.prior import Prior
from distill3d.priors.blob import Blob
from distill3d.recipes import _surfaces
from distill3d.recipes.gaussiandreamer import NEAR, grown
from distill3d.representations.mesh import Mesh
from distill3d.scene import Scene
from distill3d.studio import Pace, Runner, Studio
from distill3d.teachers.denoised import Denoised
from distill3d.teachers.score import Score
from distill3d.unpainted import Unpainted
from distill3d.wrapped import bare

RECIPES = list(plugins.menu("recipes"))
STAGES = {
    "dreamfusion": ["field HashGrid SDS"],
    "dreamgaussian": ["gaussians Gaussians SDS", "colours Mesh Denoised"],
    "fantasia3d": ["shape Unpainted Mesh SDS", "colours Mesh SDS"],
    "gaussiandreamer": ["shape HashGrid SDS", "gaussians Gaussians SDS"],
    "magic3d": ["field HashGrid SDS", "mesh Mesh SDS"],
    "prolificdreamer": ["field HashGrid VSD", "shape Unpainted Mesh SDS", "colours Mesh VSD"],
}


def ball() -> Mesh:
    """Coarse, and redder to one side."""
    mesh = Mesh.start(subdivisions=2, smoothness=0.0)
    with torch.no_grad():
        mesh.colour_logits[:, 0] = mesh.vertices()[:, 0] * 4
    return mesh


class Notes:
    """Writes down what stages are asked for; each is over at once, a field having become a ball."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, Scene, Any, Pace]] = []

    def __call__(
        self, name: str, student: Scene, teacher: Teacher, rig: CameraSource, pace: Pace, seed: int
    ) -> Scene:
        self.stages.append((name, student, teacher, pace))
        return student if isinstance(bare(student), Mesh) else ball()


class Network(Blob):
    """A prior with weights to adapt, that comes to normals by another door."""

    def adapter(self, rank: int) -> torch.nn.Module:
        return torch.nn.Linear(1, 1)

    def of_normals(self) -> Prior:
        return Blob()


def carried_out(name: str, published: bool) -> Notes:
    notes = Notes()
    recipe = getattr(import_module(f"distill3d.recipes.{name}"), name)
    assert isinstance(recipe(Studio("x", Network(), published=published, run=notes)), Scene)
    return notes


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every scene shows the ball; how a surface is found is tested with the conversions."""
    monkeypatch.setattr(_surfaces, "scene_to_mesh", lambda scene, resolution: ball().as_trimesh())


def test_a_note_taker_is_a_runner() -> None:
    assert isinstance(Notes(), Runner)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("published", [False, True], ids=["quick", "published"])
def test_a_recipe_has_its_papers_stages(name: str, published: bool) -> None:
    said = []
    for stage, student, teacher, _ in carried_out(name, published).stages:
        by = type(teacher.objective if isinstance(teacher, Score) else teacher).__name__
        shown = "Unpainted " if isinstance(student, Unpainted) else ""
        said.append(f"{stage} {shown}{type(bare(student)).__name__} {by}")
    assert said == STAGES[name]
    text = (plugins.PACKAGE / "recipes" / f"{name}.py").read_text(encoding="utf-8")
    assert "arXiv" in text.splitlines()[0]


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_shown_normals_is_judged_by_a_prior_of_normals_and_still_surfaces_stay(name: str) -> None:
    for stage, student, teacher, _ in carried_out(name, published=False).stages:
        if isinstance(student, Unpainted):
            assert type(teacher.prior) is Blob
            rendering = student.render(Studio("x", Blob()).rig.cameras(MOMENT, views=1, width=8, height=8))
            assert rendering.rgb.requires_grad
        else:
            assert type(teacher.prior) is Network
        if stage == "colours":
            assert [n for n, p in student.named_parameters() if p.requires_grad] == ["colour_logits"]


MOMENT = Moment(1, 1, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", RECIPES)
def test_the_published_settings_are_the_papers_and_the_quick_ones_quick(name: str) -> None:
    quick, published = carried_out(name, False).stages, carried_out(name, True).stages
    for (*_, a), (*_, b) in zip(quick, published, strict=True):
        assert a.steps * a.views * a.size**2 < b.steps * b.views * b.size**2 and a.steps <= 120
    method = published[0][2].objective
    assert method.guidance == type(method).PUBLISHED["guidance"] and quick[0][2].objective.guidance is None
    if name == "prolificdreamer":
        assert method.fake == "lora"


def test_normals_teach_the_shape_and_leave_the_colours() -> None:
    mesh = ball()
    student = Unpainted(mesh)
    cameras = Studio("x", Blob()).rig.cameras(MOMENT, views=2, width=16, height=16)
    loss = Score(Blob(), SDS(), "x")(cameras, student.render(cameras), MOMENT)
    loss.total.backward()
    assert mesh.unsmoothed.grad is not None and mesh.unsmoothed.grad.abs().max() > 0
    assert mesh.colour_logits.grad is None or mesh.colour_logits.grad.abs().max() == 0


def test_a_still_surface_is_the_same_with_more_places_for_colour() -> None:
    mesh = ball()
    fine = _surfaces.still(mesh, subdivisions=2)
    assert len(fine.faces) == 16 * len(mesh.faces)
    assert len(fine.unsmoothed) == 2 + len(fine.faces) // 2, "closed as before"
    cameras = Studio("x", Blob()).rig.cameras(MOMENT, views=2, width=24, height=24)
    with torch.no_grad():
        apart = (fine.render(cameras).rgb - mesh.render(cameras).rgb).abs()
    assert (apart > 0.02).float().mean() < 0.02, "but for silhouettes, whose triangles are others"


def test_a_surface_with_too_many_vertices_keeps_its_shape_and_colours_with_fewer(monkeypatch) -> None:
    monkeypatch.setattr(_surfaces, "SMOOTHED_AT_MOST", 200)
    mesh = _surfaces.mesh_of(ball(), resolution=16)
    vertices = mesh.vertices().detach()
    assert len(vertices) <= 200 and float(mesh.smoothness) > 0
    assert (vertices.norm(dim=-1) - 0.5).abs().max() < 0.08
    red = mesh.colour_logits.detach()[:, 0]
    assert torch.corrcoef(torch.stack([red, vertices[:, 0]]))[0, 1] > 0.9


def test_points_grow_near_the_surface_only() -> None:
    places, colours = _surfaces.points_of(ball(), 300, seed=0)
    assert (places.norm(dim=-1) - 0.5).abs().max() < 0.05
    more, painted = grown(places, colours, seed=0)
    new = more[300:]
    reach = NEAR * (places.amax(0) - places.amin(0)).norm()
    assert len(new) > 100 and torch.equal(more[:300], places)
    assert torch.cdist(new, places).amin(-1).max() < reach
    assert painted.min() >= 0 and painted.max() <= 1


def test_a_denoised_picture_is_the_one_that_the_prior_knows_and_the_loss_goes_to_it() -> None:
    """Of a Gaussian of no width the clean picture is its mean, from anywhere."""

    class Point(Prior):
        def noise(self, noisy, t, condition):
            alpha, sigma = (a[:, None, None, None] for a in self.alpha_sigma(t))
            return (noisy - alpha * 0.3) / sigma

    mesh = ball()
    cameras = Studio("x", Blob()).rig.cameras(MOMENT, views=2, width=8, height=8)
    rendering = mesh.render(cameras)
    teacher = Denoised(Point(), "x")
    loss = teacher(cameras, rendering, MOMENT)
    x = Point().show(rendering, Point().condition("x", cameras, torch.ones(2, 3)))
    torch.testing.assert_close(loss.total, 0.5 * (x - 0.3).square().sum() / 2, atol=1e-3, rtol=1e-4)


SMALL = ["generate", "x", "--prior", "blob", "--recipe", "fantasia3d", "--picture-size", "16"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stages of four steps, and no moving picture."""
    from distill3d.commands import _results

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_results.pictures, "write_gif", lambda path, frames: Path(path).write_bytes(b""))
    stage = Studio.stage

    def tiny(self: Studio, name: str, student: Scene, teacher: Teacher, *, published: Pace, quick: Pace):
        return stage(self, name, student, teacher, published=published, quick=Pace(4, 1, 8))

    monkeypatch.setattr(Studio, "stage", tiny)


@pytest.mark.usefixtures("small")
def test_a_run_of_a_recipe_goes_on_where_it_was_stopped(monkeypatch, capsys) -> None:
    from contextlib import nullcontext

    from distill3d import files
    from distill3d.__main__ import main
    from distill3d.commands import _training
    from tests.commands.test_generate import _StopAfter

    assert main([*SMALL, "--out", "whole"]) == 0
    report = json.loads(Path("whole/report.json").read_text())
    assert report["steps"] == 8 and Path("whole/turntable.png").exists()
    assert {p.name for p in Path("whole").iterdir() if p.is_dir()} == {"1-shape", "2-colours"}
    with monkeypatch.context() as during_the_second_stage:
        stops = iter([_StopAfter(99), _StopAfter(2)])
        during_the_second_stage.setattr(_training, "_patience", lambda: nullcontext(next(stops)))
        assert main([*SMALL, "--out", "stopped"]) == 130
    said = capsys.readouterr().err
    assert "stopped in 2-colours after step 2; go on with: distill3d generate --resume stopped" in said
    first = Path("stopped/1-shape/report.json").stat().st_mtime_ns
    assert main(["generate", "--resume", "stopped"]) == 0
    assert Path("stopped/1-shape/report.json").stat().st_mtime_ns == first, "it was not made again"
    whole, stopped = (files.load(Path(name)).state_dict() for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


@pytest.mark.usefixtures("small")
def test_another_run_in_the_same_folder_makes_its_stages_anew() -> None:
    from distill3d.__main__ import main

    assert main([*SMALL, "--out", "run"]) == 0
    first = json.loads(Path("run/1-shape/run.json").read_text())
    assert main([*SMALL, "--out", "run", "--overwrite", "--seed", "1"]) == 0
    second = json.loads(Path("run/1-shape/run.json").read_text())
    assert (first["options"]["seed"], second["options"]["seed"]) == (0, 1)
    assert main(["generate", "--again", "run/run.json", "--out", "again"]) == 0
    assert json.loads(Path("again/run.json").read_text())["options"]["recipe"] == "fantasia3d"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--method", "sds"], "--method is decided by --recipe magic3d; leave out one of the two"),
        (["--regularise.sparsity", "1"], "--regularise is decided by --recipe magic3d"),
        (["--steps=3"], "--steps is decided by --recipe magic3d"),
        (["--recipe", "magic4d"], 'unknown recipe "magic4d"; did you mean magic3d'),
        (["--pace", "slow"], "--pace"),
    ],
)
def test_what_a_recipe_cannot_do_is_a_sentence(flags, sentence, tmp_path, monkeypatch, capsys) -> None:
    from distill3d.__main__ import main

    monkeypatch.chdir(tmp_path)
    assert main(["generate", "a red robot", "--recipe", "magic3d", *flags]) == 2
    assert sentence in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", RECIPES)
def test_a_quick_recipe_ends_with_a_report(name: str, tmp_path, monkeypatch) -> None:
    from distill3d.__main__ import main

    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "a red robot", "--recipe", name, "--out", "run", "--picture-size", "48"]) == 0
    world = json.loads((tmp_path / "run" / "report.json").read_text())["world"]
    assert world["psnr"] > 12 and world["iou"] > 0.3
