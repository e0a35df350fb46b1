"""A scene with regularisers: what each asks of which scene, and that nothing else of the scene changes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from distill3d import plugins
from distill3d.camera import turntable
from distill3d.errors import UserError
from distill3d.field import Field
from distill3d.moment import Moment
from distill3d.regularised import TERMS, Regularise, density_normals
from distill3d.representations.mesh import Mesh
from distill3d.representations.voxels import Voxels
from distill3d.scene import Scene

SMALL = {"gaussians": {"count": 60}, "surfels": {"count": 60}, "voxels": {"resolution": 8}}
SMALL |= {"mesh": {"subdivisions": 2, "smoothness": 0.0}}
FITTING = {
    "orientation": ("voxels", "mesh"),
    "depth_variance": ("voxels",),
    "laplacian": ("mesh",),
    "scale": ("gaussians", "surfels"),
}
CASES = [(term, kind) for term in TERMS for kind in FITTING.get(term, SMALL)]
CAMERAS = turntable(3, width=16, height=16)


def scene_of(kind: str) -> Scene:
    scene = plugins.load("representations", kind, "scene", "").start(seed=1, **SMALL[kind])
    rough = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in scene.parameters():
            parameter += (0.02 if kind == "mesh" else 0.2) * torch.randn(parameter.shape, generator=rough)
    return scene


def moment(number: int = 1) -> Moment:
    return Moment(number, 11, torch.Generator().manual_seed(0))


def asked(scene: Scene, number: int = 1) -> Tensor:
    rendering = scene.render(CAMERAS, want=scene.want(moment(number)))
    penalty = scene.penalty(CAMERAS, rendering, moment(number))
    return torch.zeros(()) if penalty is None else penalty


@pytest.mark.parametrize(("term", "kind"), CASES)
def test_descending_a_regulariser_lowers_it(term: str, kind: str) -> None:
    scene = scene_of(kind)
    if term == "orientation" and kind == "mesh":  # only what shows its back is to be turned
        scene.faces = scene.faces.flip(-1)
    own = float(asked(scene).detach())
    student = Regularise(**{term: 1.0}).of(scene)
    parameters = [p for p in student.parameters() if p.requires_grad]

    def regulariser() -> Tensor:
        return asked(student) - asked(scene)

    slopes = torch.autograd.grad(regulariser(), parameters, allow_unused=True)
    before = float(regulariser().detach())
    square = sum(float(g.square().sum()) for g in slopes if g is not None)
    assert before > 0 and square > 0 and math.isfinite(own)
    with torch.no_grad():
        for parameter, g in zip(parameters, slopes, strict=True):
            if g is not None:
                parameter -= 1e-3 * before * g / square
    assert float(regulariser().detach()) < before


@pytest.mark.parametrize("kind", list(SMALL))
def test_all_else_is_the_scenes_own(kind: str) -> None:
    scene = scene_of(kind)
    student = Regularise(sparsity=1.0).of(scene)
    assert student.state_dict().keys() == scene.state_dict().keys()
    torch.testing.assert_close(student.render(CAMERAS).rgb, scene.render(CAMERAS).rgb)
    same = [(a["name"], a["params"][0]) for a in student.param_groups()]
    assert [(b["name"], b["params"][0]) for b in scene.param_groups()] == same
    assert type(scene).from_state(student.state_dict()).state_dict().keys() == scene.state_dict().keys()


def test_without_weights_a_scene_stays_as_it_is() -> None:
    scene = scene_of("voxels")
    assert Regularise().of(scene) is scene


def test_the_scenes_own_penalty_stays_and_weights_add_up() -> None:
    """One regulariser and another, each times its weight, are both and the scene's own."""
    scene = scene_of("mesh")
    own, smooth, sparse = (
        asked(student)
        for student in (scene, Regularise(laplacian=1.0).of(scene), Regularise(sparsity=1.0).of(scene))
    )
    both = Regularise(laplacian=3.0, sparsity=0.5).of(scene)
    assert own > 0
    torch.testing.assert_close(asked(both), own + 3 * (smooth - own) + 0.5 * (sparse - own))


def test_weights_go_linearly_from_their_share_to_themselves() -> None:
    scene = scene_of("voxels")
    student, whole = Regularise(sparsity=10.0, begin=0.01).of(scene), Regularise(sparsity=10.0).of(scene)
    for number, share in ((1, 0.01), (6, 0.505), (11, 1.0)):
        torch.testing.assert_close(asked(student, number), share * asked(whole, number))


@pytest.mark.parametrize(
    ("term", "kind"),
    [("scale", "voxels"), ("laplacian", "gaussians"), ("depth_variance", "mesh"), ("orientation", "surfels")],
)
def test_what_means_nothing_for_a_scene_is_refused(term: str, kind: str) -> None:
    with pytest.raises(
        UserError, match=rf"--regularise.{term.replace('_', '-')} means nothing for a \w+; it is for"
    ):
        Regularise(**{term: 1.0}).of(scene_of(kind))


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_weight_is_a_number_from_0(value: float) -> None:
    with pytest.raises(ValueError, match=r"--regularise.total-variation is .*; expected a number from 0"):
        Regularise(total_variation=value)


class Ball(Field):
    """Denser towards the centre, everywhere by the same slope; or the same everywhere."""

    def __init__(self, slope: float) -> None:
        super().__init__(samples=8)
        self.slope = slope

    def query(self, x, d):
        return -self.slope * x.norm(dim=-1), x, None


def test_normals_of_a_ball_point_outwards_and_fog_has_none() -> None:
    points = normalize(torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), dim=-1) * 0.6
    torch.testing.assert_close(density_normals(Ball(40.0), points), points / 0.6, atol=2e-3, rtol=0.0)
    assert density_normals(Ball(0.0), points).abs().max() == 0
    assert density_normals(Ball(40.0), 1.5 * points / 0.6).abs().max() == 0


def test_a_field_is_asked_for_the_thickness_of_what_its_rays_meet() -> None:
    """Uniform fog in the unit ball, seen from afar: along a ray of length L it is that of an exponential
    cut off at L, and thicker than a shell as opaque.
    """
    fog, solid = Voxels.start(resolution=16), Voxels.start(resolution=16)
    with torch.no_grad():
        for scene, raw in ((fog, -2.0), (solid, 3.0)):
            for name, parameter in scene.named_parameters():
                if "densit" in name:
                    parameter.fill_(raw)
    thin, thick = (asked(Regularise(depth_variance=1.0).of(scene)) for scene in (solid, fog))
    assert 0 < thin.item() < 0.02 < thick.item() < 0.5


def test_a_mesh_seen_from_outside_has_nothing_to_turn() -> None:
    mesh = Mesh.start(subdivisions=3)
    assert (asked(Regularise(orientation=1.0).of(mesh)) - asked(mesh)).item() < 1e-3


def test_flags_of_the_command_reach_the_run(tmp_path, monkeypatch, capsys) -> None:
    from distill3d.__main__ import main

    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> int:
        return main(["generate", "x", "--prior", "blob", *TINY, *words])

    assert run("--out", "plain") == 0 and run("--out", "sparse", "--regularise.sparsity", "50") == 0
    plain, sparse = ((tmp_path / name / "scene.ply").read_bytes() for name in ("plain", "sparse"))
    assert plain != sparse
    assert run("--regularise.laplacian", "1") == 2
    assert "--regularise.laplacian means nothing for a Gaussians" in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*"))


TINY = ["--steps", "4", "--size", "12", "--views", "2", "--picture-size", "16", "--scene.count", "40"]
