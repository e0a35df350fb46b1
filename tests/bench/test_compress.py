"""`bench compress`: a row for each share, measured once; what is taught again is better than what is cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill3d import files
from distill3d.bench._benchmark import Results
from distill3d.bench.compress import Compress, measure
from distill3d.errors import UserError
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from tests.conversions.test_moved import scene

SCENES = Path(__file__).parents[2] / "scenes"


@pytest.fixture
def small(tmp_path: Path) -> str:
    files.save(scene(Gaussians), tmp_path / "small.ply")
    return str(tmp_path / "small.ply")


def test_each_share_is_a_row_and_is_measured_once(small):
    results = Results()
    bench = Compress(source=small, shares="1,0.25", degree=1, steps=2, size=32, results=results)
    lines = list(bench.lines())
    assert len(lines) == 5 and "40 Gaussians of degree 3" in lines[0]
    assert lines[2].split()[:3] == ["1.00", "40", "1"] and lines[3].split()[:3] == ["0.25", "10", "1"]
    whole, quarter = (record["outcome"] for record in results.records)
    assert quarter["bytes"]["ply"] < whole["bytes"]["ply"] and quarter["psnr_cut"] < whole["psnr_cut"]
    assert list(bench.lines()) == lines and len(results.records) == 2


def test_lessons_give_back_some_of_what_was_cut():
    owl = files.load(SCENES / "owl.ply")
    assert isinstance(owl, Gaussians)
    found = measure(owl, 0.1, degree=0, steps=60, size=64)
    assert found["count"] == 600 and found["psnr_taught"] > found["psnr_cut"] + 1


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"shares": "1,two"}, "numbers with commas"),
        ({"shares": "0.5,0"}, "each over 0"),
        ({"steps": 0}, "at least 1"),
        ({"jobs": 2}, "expected 1"),
    ],
)
def test_impossible_flags_are_sentences(flags, sentence):
    with pytest.raises(ValueError, match=sentence):
        Compress(**flags)


def test_other_scenes_are_refused(tmp_path):
    files.save(scene(Surfels), tmp_path / "flat.ply")
    with pytest.raises(UserError, match="holds surfels; expected gaussians"):
        list(Compress(source=str(tmp_path / "flat.ply")).lines())
