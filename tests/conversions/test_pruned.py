"""What is seen least goes first, and what cannot be seen goes without a change."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from distill3d import files, sh
from distill3d.conversions.between_primitives import to_surfels
from distill3d.conversions.moved import moved
from distill3d.conversions.pruned import of_degree, pruned, significance
from distill3d.representations._extra import Extra
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.survey import surround
from tests.conversions.test_moved import scene
from tests.formula import held_out, psnr

SCENES = Path(__file__).parents[2] / "scenes"
AROUND = surround(12, size_px=64, lowest_elevation_rad=-1.2)


@pytest.mark.parametrize("kind", [Gaussians, Surfels])
def test_what_nobody_sees_goes_first_and_nothing_changes(kind):
    source = scene(kind)
    source.opacity_logits.data[::2] = -20
    after = pruned(source, count=20, cameras=AROUND)
    assert torch.equal(after.means, source.means[1::2]) and type(after) is kind
    with torch.no_grad():
        assert_close(after.render(held_out()).rgb, source.render(held_out()).rgb)


def test_half_of_a_fitted_scene_is_not_missed():
    source = files.load(SCENES / "castle.ply")
    assert isinstance(source, Gaussians)
    assert psnr(pruned(source, count=len(source.means) // 2), source) > 45


def test_significance_is_the_share_of_pictures_times_a_power_of_the_volume():
    """Without the power, all splats together are all that is seen; twice as opaque a fog is twice of it."""
    source = scene(Gaussians)
    found = significance(source, AROUND, power=0.0)
    with torch.no_grad():
        assert_close(found.sum(), source.render(AROUND).alpha.sum(), rtol=1e-3, atol=0)
    ratio = significance(source, AROUND, power=0.3) / found
    assert ratio.max() <= 1.0001 and ratio.argmin() == source.log_scales.sum(-1).argmin()
    volume = source.log_scales.sum(-1).sort().values
    assert_close(ratio.min(), (0.3 * (volume[0] - volume.quantile(0.9))).exp(), rtol=1e-3, atol=0)


def test_fewer_are_always_those_that_more_have_kept():
    source = scene(Gaussians)
    ranks = [
        set(map(tuple, pruned(source, count=n, cameras=AROUND).means.tolist())) for n in (5, 10, 30, 40, 99)
    ]
    assert [len(kept) for kept in ranks] == [5, 10, 30, 40, 40]
    assert all(few <= more for few, more in itertools.pairwise(ranks))


def test_all_that_is_known_of_a_splat_goes_with_it():
    source = scene(Gaussians, extra=Extra({"label": torch.arange(40)}))
    source.scene_transform[0, 3] = 7
    after = pruned(source, count=11, cameras=AROUND).state_dict()
    rows = after["extra.label"]
    for name in ("means", "wxyz", "log_scales", "opacity_logits", "sh"):
        assert torch.equal(after[name], getattr(source, name)[rows])
    assert int(after["limit"]) == 11 and len(after["pull"]) == 11 and after["scene_transform"][0, 3] == 7


def test_the_world_that_a_scene_is_in_does_not_matter():
    source, similarity = scene(Gaussians), torch.eye(4, dtype=torch.float64)
    similarity[:3, :3] *= 0.4
    smaller = moved(source, similarity)
    cameras = surround(12, size_px=64, extent=0.4, lowest_elevation_rad=-1.2)
    assert_close(significance(smaller, cameras), significance(source, AROUND), rtol=0.01, atol=0.05)


def test_harmonics_of_a_higher_degree_go_and_the_rest_stays():
    source = to_surfels(scene(Gaussians))
    for degree in (0, 1, 2, 3):
        cut = of_degree(source, degree)
        assert cut.sh.shape[1] == (degree + 1) ** 2
        assert torch.equal(cut.sh, source.sh[:, : (degree + 1) ** 2])
        assert torch.equal(cut.means, source.means)
    knot = files.load(SCENES / "knot.ply")
    assert isinstance(knot, Gaussians)
    scores = [psnr(of_degree(knot, degree), knot) for degree in (0, 1, 2)]
    assert scores == sorted(scores)


def test_impossible_counts_and_degrees_are_sentences():
    with pytest.raises(ValueError, match="expected 1 or more splats"):
        pruned(scene(Gaussians), count=0)
    with pytest.raises(ValueError, match=f"expected 0 to {sh.MAX_DEGREE}"):
        of_degree(scene(Gaussians), 4)
