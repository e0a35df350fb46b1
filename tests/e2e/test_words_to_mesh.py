"""From words to a mesh in a file, through every command, as a person would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trimesh
from PIL import Image


def _distill3d(folder: Path, *arguments: object) -> str:
    command = [sys.executable, "-m", "distill3d", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["gaussians", "voxels"])
def test_a_red_robot(tmp_path: Path, scene: str) -> None:
    flags = ["--steps", 120, "--size", 32, "--picture-size", 64, "--prior.instances", 2, "--scene", scene]
    out = _distill3d(tmp_path, "generate", "a red robot", *flags)
    run = tmp_path / "runs" / "a-red-robot"
    report = json.loads((run / "report.json").read_text())
    assert "PSNR" in out and report["world"]["psnr"] > 17 and report["world"]["iou"] > 0.3
    with Image.open(run / "turntable.png") as sheet:
        assert sheet.width > 1000
    numbers = json.loads(_distill3d(tmp_path, "eval", run))
    saved = {k: v for k, v in report["world"].items() if k != "prompt"}
    assert {k: numbers[k] for k in saved} == pytest.approx(saved), (
        "the saved scene is the one that was measured"
    )
    _distill3d(tmp_path, "render", run, "--turntable", 3, "--size", 48, "--out", "frames")
    assert len(list((tmp_path / "frames").glob("*.png"))) == 3
    _distill3d(tmp_path, "export", run, "--out", "robot.glb", "--resolution", 48)
    mesh = trimesh.load(tmp_path / "robot.glb", force="mesh")
    height, width = mesh.extents[1], mesh.extents[2]
    assert mesh.is_watertight and height > width, "it stands upright in a world whose y is up"
