"""Fields looked up at the points of a grid: exact where they are such a grid, and near where they are not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d import sh
from distill3d.conversions._density_grid import FINEST, DensityGrid
from distill3d.conversions.inherited import look_into
from distill3d.conversions.resampled import DENSEST, FAINTEST, raw_densities, voxels_of
from distill3d.field import log_sharp
from distill3d.representations.voxels import Voxels
from tests.formula import Formula, fog, glossy, psnr, solid_ball, waves


def grid(resolution: int, degree: int = 0, coarser: int = 1) -> Voxels:
    """A ball with colours, and with harmonics that are as large; its empty cells are known."""
    scene = Voxels.start(resolution=resolution, degree=degree, coarser=coarser, samples=96)
    generator = torch.Generator().manual_seed(0)
    line = torch.linspace(-1, 1, resolution)
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    with torch.no_grad():
        scene.raw_density.copy_(((0.6 - torch.stack([x, y, z], -1).norm(dim=-1)) * 30).clamp(-6.5, 6))
        scene.base.copy_(torch.randn(scene.base.shape, generator=generator))
        if scene.higher is not None:
            scene.higher.copy_(0.5 * torch.randn(scene.higher.shape, generator=generator))
    look_into(scene)
    return scene


def full(scene: Voxels, resolution: int) -> Tensor:
    """Which points of a grid, axes z, y, x, lie in cells that are not empty."""
    line = torch.linspace(-1, 1, resolution)
    cell = ((line + 1) * 24).long().clamp_max(47)
    return scene.occupied[0][cell][:, cell][:, :, cell]


@pytest.mark.parametrize(("degree", "coarser"), [(0, 1), (1, 1), (2, 2)])
def test_a_grid_looked_up_on_its_own_lattice_is_itself(degree: int, coarser: int) -> None:
    """Wherever it is not empty, density and harmonics of degree 0 come back, and of 1 on if all lie there."""
    source = grid(20, degree, coarser)
    made = voxels_of(source, resolution=20, degree=degree, coarser=coarser, samples=96)
    there = full(source, 20) & (source.raw_density > -6)
    assert 1000 < there.sum() < there.numel() / 2
    assert_close(made.raw_density[there], source.raw_density[there], rtol=1e-3, atol=1e-3)
    if coarser == 1:
        assert_close(made.base[there], source.base[there], rtol=1e-3, atol=1e-3)
    if degree == 1:
        assert source.higher is not None and made.higher is not None
        assert_close(made.higher[there], source.higher[there], rtol=1e-3, atol=2e-3)


def test_a_finer_lattice_that_holds_the_coarse_one_changes_no_density_at_its_points() -> None:
    source = grid(17)
    made = voxels_of(source, resolution=33, degree=0, coarser=1, samples=96)
    there = full(source, 17) & (source.raw_density > -6)
    assert_close(made.raw_density[::2, ::2, ::2][there], source.raw_density[there], rtol=1e-3, atol=1e-3)


def test_densities_are_those_of_the_formula_between_the_limits() -> None:
    """Empty cells hold next to nothing, and what is denser than the grid can tell is opaque."""
    source = Formula(solid_ball(0.5), waves)
    found = log_sharp(raw_densities(source, 24).flatten()).exp()
    line = torch.linspace(-1, 1, 24)
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    truth = solid_ball(0.5)(torch.stack([x, y, z], -1).reshape(-1, 3)).clamp(FAINTEST, DENSEST)
    assert_close(found, truth, rtol=1e-3, atol=1e-4)


def test_finer_grids_come_nearer() -> None:
    source = Formula(fog, waves, samples=48)
    found = [
        psnr(voxels_of(source, resolution=n, degree=0, coarser=1, samples=48), source) for n in (10, 20, 40)
    ]
    assert found[1] > found[0] + 3 and found[2] > max(found[1], 35)


def test_harmonics_follow_what_depends_on_the_sight() -> None:
    """A colour whose logit is linear in the direction is held by degree 1 exactly, and not at all by 0."""

    def linear(x: Tensor, d: Tensor) -> Tensor:
        return (d @ torch.tensor([[1.0, 0, 0.5], [0, -1, 0.5], [0.3, 0, 1]])).sigmoid()

    source = Formula(solid_ball(0.5), linear, directional=True, samples=48)
    made = voxels_of(source, resolution=12, degree=1, coarser=1, samples=48)
    d = torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    x = 0.4 * d.roll(1, 0)
    assert_close(made.query(x, d)[1], linear(x, d), rtol=0, atol=1e-4)
    flat = voxels_of(source, resolution=12, degree=0, coarser=1, samples=48)
    assert_close(flat.query(x, None)[1], torch.full((50, 3), 0.5), rtol=0, atol=0.01)


def test_extreme_colours_stay_finite() -> None:
    made = voxels_of(
        Formula(solid_ball(0.5), lambda x: (x > 0).float()), resolution=12, degree=0, coarser=1, samples=24
    )
    logits = sh.DEGREE_0 * made.base
    assert logits.isfinite().all() and logits.abs().max() <= math.log(1 / 0.004) + 1e-3


def test_a_grid_of_density_alone_has_the_same_shape_and_no_colour() -> None:
    source = Formula(solid_ball(0.5), glossy, directional=True)
    made = DensityGrid.of(source, resolution=64)
    at = torch.rand(500, 3, generator=torch.Generator().manual_seed(2)) - 0.5
    far = (at.norm(dim=1) - 0.5).abs() > 0.06
    assert_close(made.log_density(at).exp()[far], source.log_density(at).exp()[far], rtol=0.02, atol=0.05)
    assert not made.query(at, None)[1].any()
    assert torch.equal(made.occupied, source.occupied)
    with pytest.MonkeyPatch.context() as patch:
        asked = []
        patch.setattr(
            "distill3d.conversions._density_grid.raw_densities",
            lambda source, resolution: asked.append(resolution) or torch.zeros(2, 2, 2),
        )
        DensityGrid.of(source, resolution=10 * FINEST)
    assert asked == [FINEST], "as large as memory is sure to hold"
