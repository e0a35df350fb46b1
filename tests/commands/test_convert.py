"""distill3d convert: what it leaves behind, which way it goes, that it goes on, and what it refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import trimesh

from distill3d import files, machine, plugins
from distill3d.commands._options import presets
from distill3d.commands.convert import GRAMMAR, _elevations, _size_of
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.voxels import Voxels
from distill3d.viewer.properties import properties_of
from tests.commands.conftest import Said
from tests.data import folders

Run = Callable[..., Said]
FEW = ["--rays", "200", "--views", "2", "--size", "16", "--picture-size", "16", "--resolution", "0"]
TINY = [*FEW, "--to", "vm", "--to.resolution", "16", "--to.samples", "32", "--steps", "8"]


def ball(radius: float = 0.5, place: float = 0.0) -> Voxels:
    """An opaque ball in the colours of its places."""
    scene = Voxels.start(resolution=20, samples=32)
    line = torch.linspace(-1, 1, 20)
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    at = torch.stack([x, y, z], -1)
    with torch.no_grad():
        scene.raw_density.copy_(((radius - (at - place).norm(dim=-1)) * 60).clamp(-20, 4))
        scene.base.copy_(4 * at)
    return scene


def _rows(scene: Gaussians, count: int) -> dict[str, torch.Tensor]:
    """The state of a scene's first splats."""
    state = scene.state_dict()
    return {name: value[:count] for name, value in state.items() if value.shape[:1] == scene.means.shape[:1]}


def splats() -> Gaussians:
    """A cloud of opaque ones, without harmonics beyond degree 0."""
    return Gaussians.start(count=300, limit=300, opacity=0.9, radius=0.5)


@pytest.fixture
def source(tmp_path: Path) -> str:
    files.save(ball(), tmp_path / "ball.safetensors")
    return str(tmp_path / "ball.safetensors")


def test_a_conversion_leaves_a_scene_pictures_and_a_report(distill3d: Run, source: str) -> None:
    said = distill3d("convert", source, *TINY, "--out", "run")
    assert said.code == 0, said.err
    assert "voxels to vm by volume: both say a density and a colour at every point" in said.out
    names = {path.name for path in Path("run").iterdir()}
    assert {"scene.safetensors", "turntable.gif", "comparison.png", "report.json", "run.json"} <= names
    report = json.loads(Path("run/report.json").read_text())
    assert (report["from"], report["to"], report["route"], report["steps"]) == ("voxels", "vm", "volume", 8)
    assert report["psnr_vs_source_worst"] <= report["psnr_vs_source"] and 0 <= report["worst_view"] < 24
    assert report["bytes_before"] == Path(source).stat().st_size
    assert report["bytes_after"] == Path("run/scene.safetensors").stat().st_size
    assert report["warnings"] == [] and report["seconds"] > report["seconds_to_start"] > 0
    assert files.kind_of(files.load("run")) == "vm"


def test_more_steps_come_nearer_to_the_source(distill3d: Run, source: str) -> None:
    found = []
    for steps in ("1", "60"):
        assert distill3d("convert", source, *TINY, "--steps", steps, "--out", steps).code == 0
        found.append(json.loads(Path(steps, "report.json").read_text())["psnr_vs_source"])
    assert found[1] > found[0] + 5


def test_a_conversion_that_was_stopped_after_its_last_step_is_finished_from_there(
    distill3d: Run, source: str
) -> None:
    """Bits between steps are the loop's affair: see `test_volume`."""
    assert distill3d("convert", source, *TINY, "--out", "run").code == 0
    whole = files.load("run").state_dict()
    for name in ("report.json", "scene.safetensors", "comparison.png"):
        Path("run", name).unlink()
    assert distill3d("convert", "--resume", "run").code == 0
    again = files.load("run").state_dict()
    assert all(value.equal(again[name]) for name, value in whole.items())
    assert Path("run/comparison.png").is_file() and Path("run/report.json").is_file()


@pytest.mark.parametrize("kind", plugins.menu("targets"))
def test_all_targets_have_presets_for_what_they_have_flags_for(kind: str) -> None:
    path = plugins.find("targets", kind, "target", "")
    known = presets(path)
    assert list(known) == ["quick", "standard", "published"]
    flags = {flag.name for flag in plugins.fields(path)}
    for preset in known.values():
        assert set(preset) <= {"steps", "views", "rays", *flags}
    assert len({frozenset(preset) for preset in known.values()}) == 1, "a preset decides what the others do"


def test_help_says_what_a_preset_decides(distill3d: Run) -> None:
    said = distill3d("convert", "--to", "vm", "--preset", "published", "--help")
    words = " ".join(said.out.replace("│", " ").split())
    assert "entries along each side of a plane, in the end (default: 300)" in words
    options = GRAMMAR.from_command_line(["x.ply", "--to", "mlp", "--preset", "published"])
    assert options.to_options.width == 256 and options.to_options.again


def test_splats_from_anywhere_come_back_to_where_they_were(distill3d: Run) -> None:
    far = splats()
    with torch.no_grad():
        far.means.mul_(20).add_(torch.tensor([100.0, 0, 7]))
        far.log_scales.add_(3.0)
    files.save(far, Path("far.ply"))
    said = distill3d("convert", "far.ply", *FEW, "--to", "surfels", "--route", "start", "--out", "run")
    assert said.code == 0, said.err
    made = files.load("run")
    centre = made.means.mean(0) - torch.tensor([100.0, 0, 7])
    assert centre.norm() < 1 and 4 < (made.means - far.means.mean(0)).norm(dim=1).max() < 12


@pytest.mark.parametrize("kind", ["gaussians", "surfels"])
def test_primitives_remember_how_far_they_have_come(distill3d: Run, source: str, kind: str) -> None:
    """As a column that files keep and the viewer lists, and in the report."""
    flags = [*FEW, "--to", kind, "--to.count", "80", "--to.degree", "0", "--steps", "12"]
    said = distill3d("convert", source, *flags, "--out", "run")
    assert said.code == 0, said.err
    made = files.load("run")
    weights = made.state_dict()["extra.progress"]
    found = json.loads(Path("run/report.json").read_text())["progress"]
    assert weights.shape == made.means.shape[:1] and 0 < weights.min() < weights.max() <= 1
    assert found["mean"] == pytest.approx(float(weights.mean()))
    assert found["share_above_half"] == pytest.approx(float((weights > 0.5).float().mean()))
    assert f"{100 * found['share_above_half']:.1f} % of the {kind} are within 0.1" in said.out
    assert "file: progress" in {each.name for each in properties_of(made, None)}


def test_where_nothing_is_learned_there_is_no_progress(distill3d: Run, source: str) -> None:
    flags = [*FEW, "--to", "gaussians", "--to.count", "80", "--route", "start"]
    assert distill3d("convert", source, *flags, "--out", "run").code == 0
    assert "progress" not in json.loads(Path("run/report.json").read_text())
    assert "extra.progress" not in files.load("run").state_dict()


def test_steps_are_for_what_learns(distill3d: Run, source: str) -> None:
    """A mesh is extracted, however many steps it was given."""
    flags = [*FEW, "--to", "mesh", "--to.resolution", "24", "--to.texture-px", "32", "--to.triangles", "60"]
    said = distill3d("convert", source, *flags, "--steps", "9", "--out", "run")
    assert said.code == 0, said.err
    assert json.loads(Path("run/report.json").read_text())["steps"] == 0


def test_what_a_target_cannot_hold_is_said(distill3d: Run) -> None:
    state = splats().state_dict()
    state["sh"] = torch.cat([state["sh"], torch.zeros(300, 15, 3)], 1)
    files.save(Gaussians.from_state(state), Path("round.ply"))
    flags = [*FEW, "--to", "voxels", "--to.resolution", "12", "--route", "start", "--to.degree", "1"]
    said = distill3d("convert", "round.ply", *flags, "--out", "run")
    assert said.code == 0, said.err
    (warning,) = json.loads(Path("run/report.json").read_text())["warnings"]
    assert "by harmonics of degree 3" in warning and "degree 1 only" in warning


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no scene was given"),
        (["nowhere.ply"], "nowhere.ply"),
        (["SOURCE", "--to", "vmm"], 'unknown to "vmm"; did you mean vm'),
        (["SOURCE", "--to", "vm", "--route", "extract"], "there is no route extract from voxels to vm"),
        (["SOURCE", "--to", "vm", "--to.resolution", "1"], "resolution 1"),
        (["SOURCE", "--to", "vm", "--to.samples", "1"], "samples 1"),
        (["SOURCE", "--to", "gaussians", "--to.count", "0"], "count 0"),
        (["SOURCE", "--to", "surfels", "--to.degree", "4"], "degree 4"),
        (["SOURCE", "--to", "voxels", "--to.resolution", "1"], "resolution 1"),
        (["SOURCE", "--to", "triplane", "--to.resolution", "1"], "resolution 1"),
        (["SOURCE", "--to", "triplane", "--to.channels", "0"], "channels 0"),
        (["SOURCE", "--to", "mlp", "--to.width", "0"], "width 0"),
        (["SOURCE", "--to", "hash_grid", "--to.levels", "0"], "levels 0"),
        (["SOURCE", "--to", "hash_grid", "--to.log2-entries", "1"], "log2_entries 1"),
        (["SOURCE", "--to", "hash_grid", "--to.colour-layers", "20"], "at most 8 layers"),
        (["SOURCE", "--to", "mesh", "--to.triangles", "0"], "0 triangles"),
        (["SOURCE", "--to", "mesh", "--to.texture-px", "1"], "a texture of 1 pixels"),
        (["SOURCE", "--to", "mesh", "--to.resolution", "1"], "resolution 1"),
        (["SOURCE", "--steps", "-1"], "--steps is -1"),
        (["SOURCE", "--size", "4"], "--size is 4"),
        (["SOURCE", "--lowest-deg", "50", "--highest-deg", "20"], "from 50 to 20 degrees above the horizon"),
        (["EMPTY", "--to", "vm"], "the field is empty"),
        (["DATASET"], "data is a dataset and no scene; distill3d fit"),
        (["SOURCE", "--data", "nowhere"], "nowhere is not a folder"),
        (["SOURCE", "--data", "DATASET", "--downscale", "99"], "downscale 99 of pictures of 24 x 20"),
        (["SOURCE", "--out", "empty.safetensors/run"], "empty.safetensors is a file; give another --out"),
    ],
)
def test_mistakes_get_a_sentence(distill3d: Run, source: str, arguments: list[str], sentence: str) -> None:
    files.save(ball(radius=-1.0), Path("empty.safetensors"))
    words = {"SOURCE": source, "EMPTY": "empty.safetensors", "DATASET": "data"}
    if "DATASET" in arguments:
        folders.blender(Path("data"))
    said = distill3d("convert", *[words.get(word, word) for word in arguments])
    assert said.code == 2 and sentence in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not Path("runs").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    distill3d: Run, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill3d.commands._flags.os.access", lambda *_: False)
    said = distill3d("convert", source, *TINY, "--out", "deep/run")
    assert said.code == 2 and said.out == "" and "deep/run cannot be written" in said.err


def test_photographs_that_the_source_is_nothing_like_are_noted(distill3d: Run, source: str) -> None:
    folders.blender(Path("data"))
    said = distill3d("convert", source, *TINY, "--data", "data", "--out", "run")
    assert said.code == 0, said.err
    report = json.loads(Path("run/report.json").read_text())
    (warning,) = report["warnings"]
    assert warning.startswith(f"the source itself has {report['psnr_source']:.1f} dB on the pictures of")
    assert warning in said.out


def test_memory_is_asked_for_before_it_is_taken(
    distill3d: Run, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "free_bytes", lambda: 1_000_000_000)
    said = distill3d("convert", source, "--to", "voxels", "--preset", "published")
    assert said.code == 2 and not Path("runs").exists()
    assert "voxels of this size needs about 1.3 GB of memory, and 1.0 GB are free" in said.err
    assert said.err.strip().endswith("ask for less with --to.resolution")


@pytest.mark.parametrize(
    ("kind", "flags", "helps"),
    [
        ("vm", ["--rays", "10000000"], "--rays"),
        ("vm", ["--views", "10000000"], "--rays"),
        ("mlp", ["--size", "100000"], "--size"),
        ("mlp", ["--to.width", "1000000"], "--to.width"),
        ("hash_grid", ["--rays", "10000000"], "--rays"),
        ("triplane", ["--to.resolution", "100000"], "--to.resolution"),
        ("gaussians", ["--to.count", "1000000000"], "--to.count"),
        ("surfels", ["--views", "1000000"], "--views"),
        ("mesh", ["--to.texture-px", "1000000"], "--to.resolution or --to.texture-px"),
        ("mesh", ["--size", "100000"], "--size"),
    ],
)
def test_the_flag_that_would_help_is_named(
    distill3d: Run, source: str, monkeypatch: pytest.MonkeyPatch, kind: str, flags: list[str], helps: str
) -> None:
    monkeypatch.setattr(machine, "free_bytes", lambda: 16_000_000_000)
    said = distill3d("convert", source, "--to", kind, *flags)
    assert said.code == 2 and not Path("runs").exists()
    assert said.err.strip().endswith(f"16.0 GB are free; ask for less with {helps}")


def test_the_same_kind_again_is_resized_and_says_so(distill3d: Run) -> None:
    """Fewer of the same without a word; as many with a note, because nobody would want that."""
    files.save(splats(), Path("splats.ply"))
    flags = [*FEW, "--to", "gaussians", "--route", "start"]
    said = distill3d("convert", "splats.ply", *flags, "--to.count", "100", "--out", "fewer")
    assert said.code == 0 and len(files.load("fewer").means) == 100
    assert "the same kind again, of which those that count most are kept" in said.out
    assert "gaussians to gaussians: 4200 to 1400 parameters" in said.out and "note:" not in said.out
    said = distill3d("convert", "splats.ply", *flags, "--out", "all")
    assert said.code == 0 and files.load("all").means.equal(files.load("splats.ply").means)
    assert "note: it is no smaller than its source; ask for less with --to.count" in said.out


def test_what_fits_into_its_own_kind_is_kept_as_it_is(distill3d: Run) -> None:
    """Nothing is learned unless it is asked for: that could only lose."""
    files.save(splats(), Path("splats.ply"))
    flags = ["--size", "24", "--resolution", "0", "--picture-size", "12", "--to", "gaussians"]
    said = distill3d("convert", "splats.ply", *flags, "--out", "kept")
    assert said.code == 0 and "by start: the same kind again with nothing to leave out" in said.out
    before, after = (files.load(name).state_dict() for name in ("splats.ply", "kept"))
    assert all(after[name].equal(value) for name, value in before.items())
    assert json.loads(Path("kept/report.json").read_text())["steps"] == 0
    again = ["convert", "--again", "kept/run.json", *flags]
    fewer = distill3d(*again, "--to.count", "100", "--steps", "2", "--out", "fewer")
    assert fewer.code == 0 and "by render: the same kind again, of which" in fewer.out
    asked = distill3d(*again, "--steps", "2", "--out", "asked")
    assert asked.code == 0 and "2 steps in" in asked.out and "by render" in asked.out


def test_a_field_of_the_same_kind_gets_another_size(distill3d: Run, source: str) -> None:
    flags = [*FEW, "--to", "voxels", "--to.resolution", "10", "--to.degree", "0", "--steps", "4"]
    said = distill3d("convert", source, *flags, "--out", "run")
    assert said.code == 0, said.err
    assert "voxels to voxels by volume: the same kind again, at the size that was asked for" in said.out
    assert files.load("run").raw_density.shape == (10, 10, 10) and "note:" not in said.out


def _write(name: str) -> str:
    """A file with nothing to convert in it."""
    line = trimesh.Trimesh([[0, 0, 0], [0.5, 0, 0], [0.2, 0, 0]], [[0, 1, 2]], process=False)
    if name == "line.obj":
        line.export(name)
    elif name == "far.obj":
        trimesh.creation.box((1e20, 1e20, 1e20)).export(name)
    else:
        cloud = splats()
        with torch.no_grad():
            if name == "transparent.ply":
                cloud.opacity_logits.fill_(-12.0)
            elif name == "infinite.ply":
                cloud.means.fill_(math.inf)
            elif name == "far.ply":
                cloud.means.mul_(1e30)
            else:
                cloud = type(cloud).from_state(cloud.state_dict() | _rows(cloud, 0))
        files.save(cloud, Path(name))
    return name


NOTHING = {
    "none.ply": "the scene has nothing in it to be seen",
    "transparent.ply": "the scene has nothing in it to be seen",
    "infinite.ply": "the scene has nothing in it to be seen",
    "far.ply": "the scene has no bounds that can be",
    "far.obj": "the scene has no bounds that can be",
    "line.obj": "the mesh has no surface",
}


@pytest.mark.parametrize("kind", ["vm", "gaussians", "mesh"])
@pytest.mark.parametrize("name", NOTHING)
def test_scenes_with_nothing_in_them_or_without_bounds_get_a_sentence(
    distill3d: Run, name: str, kind: str
) -> None:
    said = distill3d("convert", _write(name), "--to", kind)
    assert said.code == 2 and NOTHING[name] in said.err, said
    assert len(said.err.strip().splitlines()) == 1 and not Path("runs").exists()


def test_a_run_whose_source_is_gone_says_which(distill3d: Run, source: str) -> None:
    assert distill3d("convert", source, *TINY, "--out", "run").code == 0
    Path("run/report.json").unlink()
    Path(source).unlink()
    said = distill3d("convert", "--resume", "run")
    assert said.code == 2 and source in said.err and len(said.err.strip().splitlines()) == 1
    assert Path("run/checkpoint.pt").is_file()


@pytest.mark.parametrize(("made_from", "size"), [(48, 128), (200, 200), (800, 256), (None, 128)])
def test_pictures_are_as_large_as_those_that_a_source_was_made_from(
    made_from: int | None, size: int, tmp_path: Path
) -> None:
    if made_from is not None:
        (tmp_path / "run.json").write_text(json.dumps({"command": "fit", "options": {"size": made_from}}))
    assert _size_of(tmp_path) == size


def test_cameras_stand_where_those_of_the_source_s_photographs_stood(tmp_path: Path) -> None:
    def found(*flags: str) -> tuple[float, float]:
        chosen = _elevations(GRAMMAR.from_command_line([str(tmp_path), *flags]))
        return chosen["lowest_deg"], chosen["highest_deg"]

    assert found() == (-35.0, 80.0)
    (tmp_path / "report.json").write_text(json.dumps({"elevations_deg": [1.5, 71.0]}))
    assert found() == (1.5, 71.0)
    assert found("--lowest-deg", "-10") == (-10.0, 71.0)
