"""`bench janus`: its labels, its table, its folder, what is pooled and shown; runs take no time here."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from distill3d.bench import _labels, _trial
from distill3d.bench._look import STRIP_FRAMES, STRIP_PX, Look
from distill3d.bench._trial import Outcome, Trial
from distill3d.bench.janus import QUICK_SIZE, Janus
from distill3d.errors import UserError
from distill3d.objectives.esd import ESD
from distill3d.objectives.sds import SDS
from distill3d.objectives.vsd import VSD
from tests.bench.test_benchmark import report


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "renders"))


def strip(colour: str) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (STRIP_FRAMES * STRIP_PX, STRIP_PX), colour).save(buffer, "WEBP", lossless=True)
    return base64.b64encode(buffer.getvalue()).decode()


def made_up(trial: Trial) -> Outcome:
    """Odd seeds have two faces and are red, even ones have one and are green; seed 13 collapses."""
    if trial.seed == 13:
        return Outcome(1.0, None, "the scene has been empty for 25 steps")
    colour = "red" if trial.seed % 2 else "green"
    return Outcome(2.0, report(trial), look=Look(0.25, 2.25, 2.0, 1.5, strip(colour)))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    trials: list[Trial] = []

    def run(trial: Trial) -> Outcome:
        trials.append(trial)
        return made_up(trial)

    monkeypatch.setattr(_trial, "run", run)
    return trials


def rows(folder: Path) -> list[list[str]]:
    lines = (folder / "janus.md").read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_labels_are_methods_and_priors_with_options() -> None:
    assert _labels.objective("esd=0.5") == ESD(entropy=0.5) == _labels.objective("esd+entropy=0.5")
    vsd = _labels.objective("vsd+fake=own+memory=16+guidance=2")
    assert isinstance(vsd, VSD) and (vsd.fake, vsd.memory, vsd.guidance) == ("own", 16, 2.0)
    sds = _labels.objective("sds+t_first=0.02:0.98+clip=1:0.1")
    assert sds == SDS(t_first=(0.02, 0.98), clip=(1.0, 0.1))
    assert _labels.objective("no-janus") == ESD(t_first=(0.95, 0.99), t_last=(0.1, 0.3))
    assert (_labels.steps("no-janus", 50), _labels.steps("esd", 50)) == (100, 50)
    prior = _labels.prior("leak=0.4+bias=1+instances=2+view_prompts=false")
    assert (prior.leak, prior.bias, prior.instances, prior.view_prompts) == (0.4, 1.0, 2, False)
    assert _labels.words("a, b,a") == ["a", "b"]


def test_without_flags_it_is_sds_and_esd_on_a_red_robot_with_leak(ran: list[Trial]) -> None:
    lines = list(Janus(seeds=4).lines())
    assert [t.record()["method"] for t in ran] == ["sds"] * 4 + ["esd"] * 4
    assert {(t.prompt, t.prior.leak, t.prior.bias, t.scene) for t in ran} == {
        ("a red robot", 0.8, 0.0, "gaussians")
    }
    assert lines[3].split()[:2] == ["sds", "0.50"] and lines[4].split()[:2] == ["esd", "0.50"]


def test_every_combination_is_measured_with_a_fresh_objective(ran: list[Trial]) -> None:
    options = {"prompts": "a robot, a red robot", "scenes": "gaussians,voxels", "settings": "leak=0.8,bias=1"}
    list(Janus(methods="sds,esd=0.5", seeds=2, **options).lines())  # type: ignore[arg-type]
    assert len(ran) == 2 * 2 * 2 * 2 * 2 and len({id(t.objective) for t in ran}) == len(ran)
    assert len({(t.prompt, t.scene, t.prior.bias, type(t.objective), t.seed) for t in ran}) == len(ran)


def test_a_folder_holds_all_columns_and_is_not_measured_again(tmp_path: Path, ran: list[Trial]) -> None:
    options = {"prompts": "a robot,a red robot", "methods": "sds,esd", "seeds": 4, "out": tmp_path / "j"}
    lines = list(Janus(**options).lines())
    header, _, *body = rows(tmp_path / "j")
    assert [row[:4] for row in body] == [
        [about, "gaussians", "leak=0.8", method]
        for about in ("a robot", "a red robot", "all 2 objects")
        for method in ("sds", "esd")
    ]
    first = dict(zip(header, body[0], strict=True))
    assert first["Janus rate"] == "0.50 [0.15, 0.85]" and first["faces"].startswith("1.50 [")
    assert first["identities"] == "1 of 8" and first["gain IG"].startswith("2.00")
    assert (first["saturation"][:4], first["seconds"][:4], first["collapsed"]) == ("1.50", "2.00", "0")
    pooled = dict(zip(header, body[4], strict=True))
    assert pooled["Janus rate"] == "0.50 [0.22, 0.78]" and pooled["identities"] == "2 of 16"
    ran.clear()
    assert list(Janus(**options).lines()) == lines and not ran
    list(Janus(**{**options, "seeds": 5}).lines())
    assert [t.seed for t in ran] == [4] * 4


def test_an_interrupted_folder_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Trial] = []

    def run(trial: Trial) -> Outcome:
        begun.append(trial)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return made_up(trial)

    monkeypatch.setattr(_trial, "run", run)
    with pytest.raises(KeyboardInterrupt):
        list(Janus(seeds=2, out=tmp_path).lines())
    assert [path.name for path in tmp_path.iterdir()] == ["janus.json"]
    assert len(json.loads((tmp_path / "janus.json").read_text())["results"]) == 2
    list(Janus(seeds=2, out=tmp_path).lines())
    assert len(begun) == 5 and {path.suffix for path in tmp_path.iterdir()} == {".json", ".md", ".png"}


@pytest.mark.parametrize(("seeds", "colour"), [(1, (0, 128, 0)), (4, (255, 0, 0))])
def test_the_picture_shows_the_worst_seed_of_each_method(
    tmp_path: Path, ran: list[Trial], seeds: int, colour: tuple[int, int, int]
) -> None:
    list(Janus(seeds=seeds, out=tmp_path).lines())
    picture = Image.open(tmp_path / "janus.png")
    counts = {shade: count for count, shade in picture.getcolors(1 << 20) or []}
    other = {(0, 128, 0), (255, 0, 0)} - {colour}
    assert counts[colour] == 2 * STRIP_FRAMES * STRIP_PX**2 and not other & set(counts)


def test_runs_that_collapsed_are_counted_and_shown_as_nothing(
    tmp_path: Path, ran: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    list(Janus(methods="sds", seeds=14, out=tmp_path / "some").lines())
    header, _, row = rows(tmp_path / "some")
    found = dict(zip(header, row, strict=True))
    assert found["collapsed"] == "1" and found["Janus rate"].startswith("0.46 [")
    assert len(Image.open(tmp_path / "some" / "janus.png").getcolors(1 << 20) or []) < 300
    monkeypatch.setattr(_trial, "run", lambda trial: Outcome(1.0, None, "it was empty"))
    lines = list(Janus(methods="sds", seeds=2, out=tmp_path / "all").lines())
    assert lines[3].endswith("all 2 runs collapsed: it was empty")
    assert rows(tmp_path / "all")[2][4:] == ["–"] * 13 + ["2"]


def test_quick_is_four_methods_and_four_seeds_in_small(ran: list[Trial]) -> None:
    list(Janus(quick=True).lines())
    assert len(ran) == 16 and {t.size for t in ran} == {QUICK_SIZE}
    assert len({json.dumps(t.record() | {"seed": 0}) for t in ran}) == 4


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"methods": "sds,esdd"}, 'unknown method "esdd"; did you mean esd'),
        ({"methods": "sds=0.5"}, 'unknown option of sds "entropy"'),
        ({"methods": "esd+entropi=1"}, 'unknown option of esd "entropi"; did you mean entropy'),
        ({"methods": "esd=much"}, '"much" is no value for entropy in esd=much'),
        ({"methods": "esd=2"}, "--method.entropy is 2; expected a number from 0 to 1"),
        ({"settings": "leek=0.8"}, 'unknown option of exact "leek"; did you mean leak'),
        ({"settings": "leak=2"}, "prior.leak is 2; expected a number from 0 to 1"),
        ({"settings": "view_prompts=maybe"}, '"maybe" is no value for view_prompts'),
        ({"prompts": "a red ball"}, '"a red ball" has no front'),
        ({"prompts": "a red robto"}, "robto"),
        ({"scenes": "voxel"}, 'unknown scene "voxel"; did you mean voxels'),
        ({"seeds": 0}, "seeds is 0; expected a whole number of at least 1"),
        ({"jobs": 0}, "jobs is 0; expected a whole number of at least 1"),
    ],
)
def test_mistakes_are_sentences(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises((UserError, ValueError), match=sentence):
        Janus(**wrong)  # type: ignore[arg-type]


def test_a_file_that_is_no_table_is_not_overwritten(tmp_path: Path, ran: list[Trial]) -> None:
    (tmp_path / "janus.json").write_text("mine")
    with pytest.raises(UserError, match=r"janus.json holds no results"):
        list(Janus(seeds=1, out=tmp_path).lines())
    assert (tmp_path / "janus.json").read_text() == "mine" and not ran


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_real_runs_of_two_methods_in_both_representations(
    tmp_path: Path, jobs: int, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny = {"settings": "leak=0.8+instances=1+stations=8", "steps": 2, "views": 1, "size": 16, "seeds": 1}
    lines = list(Janus(scenes="gaussians,voxels", out=tmp_path, jobs=jobs, **tiny).lines())  # type: ignore[arg-type]
    assert len(rows(tmp_path)) == 2 + 4 and lines[-1].startswith("written: ")
    assert Image.open(tmp_path / "janus.png").width > 2 * STRIP_FRAMES * STRIP_PX
