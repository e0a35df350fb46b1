"""Another program, the npm package splat-transform, reads what is written here, and is read here.

Skipped where there is no npm, or where it cannot fetch the package.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from torch import Tensor

from distill3d import files
from distill3d.camera import turntable
from distill3d.conversions.moved import moved, turn
from distill3d.formats import ply_gaussians
from distill3d.representations.gaussians import Gaussians
from tests.formats.test_gaussian_formats import matched, state, within

PACKAGE = "@playcanvas/splat-transform"
VERSION = "2.7.1"
RENDERED = ("means", "wxyz", "log_scales", "opacity_logits", "sh")

SAME = (1e-6, 1e-3, 1e-6, 0.5 / 255 + 1e-6, 1e-6, 1e-6)
"""Opacities of 0 and 255 of 255, whose logits are infinite, are half a step inside here."""
SPLAT = (1e-6, 0.02, 1e-6, 1e-6, 1e-6, 1e-6)
"""Its zero of rotations is 127.5 where it is 128 in the program that the format comes from."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, installed in pytest's cache if there is one."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("npm or node is not installed")
    cache = getattr(request.config, "cache", None)
    name = f"splat-transform-{VERSION}"
    folder = cache.mkdir(name) if cache is not None else tmp_path_factory.mktemp(name)
    program = folder / "node_modules" / PACKAGE / "bin" / "cli.mjs"
    if not program.is_file():
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
        found = subprocess.run(
            [*command, f"{PACKAGE}@{VERSION}"], capture_output=True, text=True, timeout=250
        )
        if found.returncode or not program.is_file():
            pytest.skip(f"npm cannot install {PACKAGE} {VERSION}: {found.stderr[-200:]}")
    return program


def transform(program: Path, source: Path, target: Path, *flags: str) -> Path:
    command = ["node", str(program), "-q", "-w", "-g", "cpu", "--max-workers", "0", str(source), str(target)]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr[-500:]
    return target


def psnr(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Between pictures of two scenes, in decibels."""
    cameras = turntable(3, width=48, height=48)
    with torch.no_grad():
        pictures = [Gaussians(*[s[name] for name in RENDERED]).render(cameras).rgb for s in (one, other)]
    assert pictures[0].std() > 0.05
    return -10 * math.log10(float((pictures[0] - pictures[1]).square().mean().clamp_min(1e-20)))


def of_a_few_looks(count: int) -> dict[str, Tensor]:
    """Gaussians within sight of a turntable, whose higher coefficients fit any palette."""
    scene = state(count)
    scene["means"] *= 0.4
    scene["sh"][:, 1:] = state(40, seed=1)["sh"][torch.arange(count) % 40, 1:]
    return scene


@pytest.mark.parametrize("suffix", ["ply", "compressed.ply", "spz", "sog", "splat"])
def test_it_reads_what_is_written_here(program: Path, tmp_path: Path, suffix: str) -> None:
    files.save(Gaussians(**of_a_few_looks(300)), tmp_path / f"ours.{suffix}")
    ours = dict(files.load(tmp_path / f"ours.{suffix}").named_parameters())
    seen = transform(program, tmp_path / f"ours.{suffix}", tmp_path / "seen.ply")
    theirs = ply_gaussians.read(seen.read_bytes())
    assert set(theirs) == set(RENDERED)
    within(ours, matched(ours, theirs), SAME if suffix != "splat" else SPLAT)
    assert psnr(ours, theirs) > (40 if suffix == "splat" else 60)


@pytest.mark.parametrize(
    ("suffix", "flags"),
    [
        ("ply", []),
        ("compressed.ply", []),
        ("spz", ["--spz-version", "3"]),
        ("spz", ["--spz-version", "4"]),
        ("sog", []),
    ],
)
def test_what_it_writes_is_read_as_it_reads_it(
    program: Path, tmp_path: Path, suffix: str, flags: list[str]
) -> None:
    before = of_a_few_looks(300)
    files.save(Gaussians(**before), tmp_path / "ours.ply")
    written = transform(program, tmp_path / "ours.ply", tmp_path / f"theirs.{suffix}", *flags)
    after = dict(files.load(written).named_parameters())
    theirs = ply_gaussians.read(transform(program, written, tmp_path / "seen.ply").read_bytes())
    within(theirs, matched(theirs, after), SAME)
    assert psnr(before, after) > (30 if suffix != "ply" else 100)


def test_glb_that_it_writes_is_read(program: Path, tmp_path: Path) -> None:
    """It cannot read them. Its worlds are half a turn around z from those of its PLY, glTF's +y up."""
    before = of_a_few_looks(300)
    files.save(Gaussians(**before), tmp_path / "ours.ply")
    written = transform(program, tmp_path / "ours.ply", tmp_path / "theirs.glb")
    after = files.load(written)
    half_turn = torch.diag(torch.tensor([-1.0, -1, 1, 1], dtype=torch.float64))
    expected = moved(Gaussians(**before), turn("y-up", "z-up") @ half_turn)
    ours, theirs = dict(expected.named_parameters()), dict(after.named_parameters())
    within(ours, matched(ours, theirs), (1e-5, 1e-3, 1e-5, 1e-5, 1e-5, 1e-5))
