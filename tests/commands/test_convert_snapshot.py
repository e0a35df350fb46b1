"""A snapshot of instant-ngp through the command line: it opens, is seen by its own cameras, and converts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill3d import files
from tests.commands.conftest import Said
from tests.formats import ngp_definition as ngp
from tests.formats.packing import pack
from tests.formats.test_instant_ngp import CAMERAS, VALUES, content

Run = Callable[..., Said]
SMALL = {
    "hash_grid": [
        "--to.levels",
        "4",
        "--to.log2-entries",
        "10",
        "--to.finest",
        "24",
        "--to.samples",
        "64",
        "--steps",
        "200",
    ],
    "voxels": ["--to.resolution", "24", "--to.samples", "64", "--route", "start"],
    "mesh": ["--to.resolution", "48", "--to.texture-px", "64", "--to.triangles", "400"],
}
LEAST_DB = 15.0
"""To the source; grey would have about 8."""


def pictures(distill3d: Run, scene: str, folder: str) -> list[np.ndarray]:
    """What a scene shows from the snapshot's cameras over black, [H, W, 3] in 0 to 1."""
    flags = ["--cameras", "a.ingp", "--background", "black"]
    said = distill3d("render", scene, *flags, "--out", folder)
    assert said.code == 0, said.err
    assert "2 pictures of 12 x 10" in said.out
    found = []
    for path in sorted(Path(folder).glob("*.png")):
        with Image.open(path) as opened:
            found.append(np.asarray(opened.convert("RGB")) / 255)
    return found


def test_it_shows_from_its_own_cameras_what_instant_ngp_shows(distill3d: Run) -> None:
    Path("a.ingp").write_bytes(pack(content()))
    box = np.array([[0.2, 0.1, 0.3], [0.9, 0.8, 0.7]])
    for camera, shown in zip(CAMERAS, pictures(distill3d, "a.ingp", "frames"), strict=True):
        rgb, _ = ngp.picture(camera, 14.0, (12, 10), box, VALUES)
        assert rgb.std() > 0.02
        assert abs(shown - rgb).mean() < 5e-3


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind in ("hash_grid", "mesh"))) for kind in SMALL]
)
def test_it_becomes_other_kinds_in_the_same_place(distill3d: Run, kind: str) -> None:
    Path("a.ingp").write_bytes(pack(content()))
    flags = ["--rays", "500", "--views", "2", "--size", "24", "--picture-size", "16", "--resolution", "0"]
    said = distill3d("convert", "a.ingp", *flags, "--to", kind, *SMALL[kind], "--out", "run")
    assert said.code == 0, said.err
    assert f"instant_ngp to {kind} by" in said.out
    report = json.loads(Path("run/report.json").read_text())
    assert report["psnr_vs_source"] > LEAST_DB
    assert files.kind_of(files.load("run")) == kind
    ours, theirs = pictures(distill3d, "run", "ours"), pictures(distill3d, "a.ingp", "theirs")
    for mine, other in ((0, 1), (1, 0)):
        missed_by, elsewhere = (abs(ours[mine] - theirs[i]).mean() for i in (mine, other))
        assert missed_by < 0.7 * elsewhere
