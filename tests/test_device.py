"""What computes on one device computes on another, and the same: tried on one that stands in for a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from distill3d import files, machine, plugins
from distill3d.commands import _device
from distill3d.distill import Step, distill
from distill3d.errors import UserError
from distill3d.objective import Objective
from distill3d.priors.exact import Exact
from distill3d.rig import Rig
from distill3d.runs import Run
from distill3d.teachers.score import Score
from tests.elsewhere import NAME, elsewhere

OPENED_ONLY = ("instant_ngp", "nerfacto", "pvd")
KINDS = sorted(set(plugins.menu("representations")) - set(OPENED_ONLY))
SCENES = Path(__file__).parent.parent / "scenes"
SMALL = "--size 16 --picture-size 16"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """--device cuda means the stand-in."""
    with elsewhere() as device:
        monkeypatch.setattr(_device, "device", lambda name: device)
        monkeypatch.setattr(machine, "about", lambda device: {"device": str(device)})
        yield device


def _steps(kind: str, method: Objective, device: str, state: dict[str, Any] | None = None) -> Iterator[Step]:
    """Two steps, or those left after `state`."""
    prior = Exact(instances=1, stations=16)
    made = plugins.load("representations", kind, "kind of scene", "")
    scene = (made.start(seed=0) if state is None else made.from_state(state["student"])).to(device)
    teacher, rig = Score(prior, method, "a ball"), Rig().among(prior.stations_at)
    return distill(scene, teacher, steps=2, rig=rig, views=2, size=16, state=state)


def _method(name: str) -> Objective:
    return plugins.load("objectives", name, "method", "")()


def _kinds_and_methods() -> Iterator[Any]:
    """Each kind of scene and each method once; few of them in a short run of the tests."""
    for kind in KINDS:
        yield pytest.param(kind, "sds", marks=() if kind in ("gaussians", "mesh", "vm") else pytest.mark.slow)
    for method in sorted(set(plugins.menu("objectives")) - {"sds"}):
        yield pytest.param("gaussians", method, marks=() if method in ("esd", "vsd") else pytest.mark.slow)


@pytest.mark.parametrize(("kind", "method"), list(_kinds_and_methods()))
def test_steps_elsewhere_are_the_steps_here(kind: str, method: str) -> None:
    """The loss of the second step knows what the first has done."""
    *_, here = _steps(kind, _method(method), "cpu")
    with elsewhere():
        *_, there = _steps(kind, _method(method), NAME)
    assert there.rendering is not None and there.rendering.rgb.device.type == NAME
    assert there.loss == pytest.approx(here.loss, rel=1e-3)


@pytest.mark.parametrize("meet", [torch.add, torch.mm, lambda a, b: torch.cat([a, b])])
def test_tensors_of_two_devices_do_not_meet(meet: Callable[..., torch.Tensor]) -> None:
    with elsewhere() as device, pytest.raises(RuntimeError, match=r"device|beside"):
        meet(torch.ones(2, 2, device=device), torch.ones(2, 2))


def test_chance_is_drawn_on_the_processor() -> None:
    with elsewhere() as device, pytest.raises(RuntimeError, match="generator of the processor"):
        torch.rand(3, generator=torch.Generator(), device=device)


COMMANDS = [
    f"fit {SCENES}/locomotive --preset quick --steps 3 --downscale 4 {SMALL}",
    f"render {SCENES}/amphora.glb --turntable 2 --size 16",
]
LONG_COMMANDS = [
    f"fit {SCENES}/locomotive --preset quick --steps 60 {SMALL}",
    f"convert {SCENES}/owl.ply --to gaussians --to.count 200 --steps 3 --resolution 0 {SMALL}",
    f"generate ball --steps 40 {SMALL}",
    f"generate ball --steps 3 {SMALL} --scene hash_grid --regularise.orientation 1 --regularise.sparsity 1",
    f"generate ball --steps 20 {SMALL} --scene mesh",
    f"generate ball --steps 2 {SMALL} --particles 2 --method esd",
    "generate ball --recipe dreamgaussian --picture-size 16",
    f"fit {SCENES}/locomotive --preset quick --steps 60 {SMALL} --scene.densify mcmc",
    f"fit {SCENES}/locomotive --preset quick --steps 30 {SMALL} --scene surfels",
    *(
        f"fit {SCENES}/locomotive --preset quick --steps 6 --rays 64 {SMALL} --scene {kind}"
        for kind in ("hash_grid", "mlp", "triplane", "vm", "voxels")
    ),
    *(
        f"convert {SCENES}/{source} --to {kind} --resolution 0 {SMALL}{steps}"
        for source in ("turtle.safetensors", "owl.ply", "amphora.glb")
        for kind, steps in (
            ("gaussians", " --steps 6"),
            ("vm", " --steps 3 --rays 64"),
            ("voxels", " --steps 3 --rays 64"),
            ("mesh", ""),
        )
    ),
    f"render {SCENES}/turtle.safetensors --turntable 2 --size 16 --want depth",
    f"eval {SCENES}/owl.ply --against {SCENES}/knot.ply --size 16 --resolution 16",
    f"eval {SCENES}/owl.ply {SCENES}/locomotive --downscale 4",
]


def _run(command: str, out: Path) -> None:
    name, *words = command.split()
    path = out.with_suffix(".json") if name == "eval" else out
    main = import_module(f"distill3d.commands.{name}").main
    assert main([*words, "--out", str(path), "--device", "cuda"]) == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_compute_elsewhere(command: str, there: torch.device, tmp_path: Path) -> None:
    _run(command, tmp_path / "out")
    report = tmp_path / "out" / "report.json"
    if report.is_file():
        assert json.loads(report.read_text())["device"].startswith(NAME)
        assert files.load(tmp_path / "out").device.type == "cpu"


@pytest.mark.slow
@pytest.mark.parametrize("command", LONG_COMMANDS)
def test_all_commands_compute_elsewhere(command: str, there: torch.device, tmp_path: Path) -> None:
    _run(command, tmp_path / "out")


def test_a_run_goes_on_on_another_device(tmp_path: Path) -> None:
    """A checkpoint knows no device: a step there and one here are two steps here."""
    whole = _steps("gaussians", _method("vsd"), "cpu")
    run = Run.create(tmp_path / "run", overwrite=False)
    with elsewhere():
        first = next(iter(_steps("gaussians", _method("vsd"), NAME)))
        run.save_checkpoint(1, first.seconds, first.state())
    checkpoint = run.load_checkpoint()
    assert checkpoint is not None
    (second,) = _steps("gaussians", _method("vsd"), "cpu", checkpoint.state)
    assert second.loss == pytest.approx(list(whole)[1].loss, rel=1e-3)


def test_a_device_that_is_not_there_is_refused_in_one_sentence() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match=r"--device cuda cannot be used: .*doctor"):
        _device.device("cuda")
