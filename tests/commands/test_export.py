"""export changes the format and nothing else."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from distill3d import files, plugins
from distill3d.commands.export import main
from distill3d.errors import UserError
from distill3d.formats import ply_gaussians
from distill3d.representations.mesh import Mesh
from tests.formats.test_ply import OTHERS, state
from tests.representations.small import start


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Gaussians of another program, which keeps more about them."""
    path = tmp_path / "source.ply"
    path.write_bytes(ply_gaussians.write(state(3, 16) | OTHERS))
    return path


def same(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    return set(before) == set(after) and all(torch.equal(v, after[name]) for name, v in before.items())


def test_lossless_formats_come_back_to_the_last_bit(source: Path, tmp_path: Path) -> None:
    through = [source, tmp_path / "a.ply", tmp_path / "b.safetensors", tmp_path / "c.ply"]
    for before, after in itertools.pairwise(through):
        assert main([str(before), "--out", str(after)]) == 0
    assert through[1].read_bytes() == source.read_bytes()
    assert same(ply_gaussians.read(source.read_bytes()), ply_gaussians.read(through[3].read_bytes()))


@pytest.mark.filterwarnings("ignore::distill3d.errors.Lost")
@pytest.mark.parametrize("suffix", ["compressed.ply", "spz", "sog", "splat"])
def test_a_small_format_holds_what_its_writer_gives(source: Path, tmp_path: Path, suffix: str) -> None:
    assert main([str(source), "--out", str(tmp_path / f"a.{suffix}")]) == 0
    files.save(files.load(source), tmp_path / f"b.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_a_file_in_another_frame_comes_back_into_ours(source: Path, tmp_path: Path) -> None:
    turned, back = tmp_path / "turned.ply", tmp_path / "back.ply"
    main([str(source), "--out", str(turned), "--frame", "y-down"])
    main([str(turned), "--out", str(back), "--scene-frame", "y-down"])
    before, there, after = (ply_gaussians.read(path.read_bytes()) for path in (source, turned, back))
    assert torch.equal(there["means"][:, 1], -before["means"][:, 2]), "what pointed up along z does along -y"
    for name in ("means", "sh", "log_scales", "opacity_logits"):
        torch.testing.assert_close(after[name], before[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "out", "flags", "sentence"),
    [
        (
            "voxels",
            "a.splat",
            [],
            r"a scene of voxels and \.splat holds Gaussians only.*use \.glb.*\.safetensors",
        ),
        ("surfels", "a.spz", [], r"a scene of surfels and \.spz holds Gaussians only.*use \.ply or \.safe"),
        ("mesh", "a.compressed.ply", [], r"a scene of mesh and \.compressed\.ply holds Gaussians only"),
        ("mesh", "a.glb", ["--frame", "y-down"], r"frame is y-down, and \.glb is turned to \+y up anyway"),
        ("mesh", "a.ply", ["--scene-frame", "y-down"], r"holds neither Gaussians nor surfels"),
        (
            "mesh",
            "a.ply",
            ["--texture", "64"],
            r"texture is 64, and this \.ply would hold none; use \.glb",
        ),
        ("gaussians", "a.ply", ["--texture", "64"], r"this \.ply would hold none"),
        ("voxels", "a.glb", ["--texture", "4"], r"a texture of 4 pixels a side; expected 8 or more, and 32"),
        (
            "mesh",
            "a.obj",
            ["--texture", "64", "--triangles", "3"],
            r"given 3 triangles .* expected 8 or",
        ),
    ],
)
def test_what_a_format_cannot_hold_is_said_and_nothing_is_written(
    tmp_path: Path, kind: str, out: str, flags: list[str], sentence: str
) -> None:
    files.save(start(kind), tmp_path / "scene.safetensors")
    with pytest.raises(UserError, match=sentence):
        main([str(tmp_path), "--out", str(tmp_path / out), *flags])
    assert [path.name for path in tmp_path.iterdir()] == ["scene.safetensors"]


@pytest.mark.parametrize("kind", ["mesh", "gaussians"])
def test_a_texture_comes_with_few_triangles_from_any_scene(tmp_path: Path, kind: str) -> None:
    """The grey balls that scenes start as."""
    flags = {"gaussians": {"opacity": 0.95, "count": 600, "limit": 600, "radius": 0.5}}.get(kind, {})
    scene = plugins.load("representations", kind, "kind", "").start(**flags)
    files.save(scene, tmp_path / "scene.safetensors")
    out = tmp_path / "a.glb"
    detail = ["--texture", "64", "--triangles", "100", "--resolution", "24"]
    assert main([str(tmp_path), "--out", str(out), *detail]) == 0
    mesh = files.load(out)
    assert isinstance(mesh, Mesh)
    assert 90 < len(mesh.faces) <= 110
    assert mesh.colour_logits.shape == (64, 64, 3)
    assert 0.4 < mesh.vertices().norm(dim=-1).median() < 0.6
    assert abs(mesh.colour_logits.sigmoid().median().item() - 0.5) < 0.1
