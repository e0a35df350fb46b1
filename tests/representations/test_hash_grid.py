"""What a hash grid promises beyond the contract of scenes."""

import pytest
import torch

from distill3d.camera import orbit
from distill3d.representations.hash_grid import HashGrid

SMALL = {"levels": 3, "log2_entries": 8, "finest": 16, "width": 16, "samples": 24}
CAMERAS = orbit(torch.tensor([0.2, 2.5]), 0.3, width=10, height=8)


def points(count):
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) - 0.5


def test_the_density_alone_is_that_of_the_query():
    scene = HashGrid.start(seed=2, **SMALL)
    torch.testing.assert_close(scene.log_density(points(50)), scene.query(points(50), None)[0])


def test_the_levels_go_from_the_coarsest_to_the_finest():
    layout = HashGrid.start(levels=5, coarsest=8, finest=128).layout
    assert layout.base_resolution == 8 and layout.growth == pytest.approx(2.0)


def test_colours_follow_the_direction_of_sight_only_if_asked_to():
    d = torch.nn.functional.normalize(points(40), dim=-1)
    plain, directional = HashGrid.start(**SMALL), HashGrid.start(**SMALL, directional=True)
    assert not plain.directional and directional.directional
    first, second = (directional.query(points(40), sign * d) for sign in (1, -1))
    assert torch.equal(first[0], second[0]) and (first[1] - second[1]).abs().max() > 1e-3
    again = HashGrid.from_state(directional.state_dict())
    assert torch.equal(again.render(CAMERAS).rgb, directional.render(CAMERAS).rgb)


def test_features_and_normals_are_drawn():
    picture = HashGrid.start(**SMALL).render(CAMERAS, want=("rgb", "alpha", "features", "normal"))
    assert picture.features.shape == (2, 8, 10, 15)
    assert picture.normal.isfinite().all() and picture.normal.norm(dim=-1).max() <= 1 + 1e-5


def test_a_grid_that_no_table_can_have_is_refused():
    with pytest.raises(ValueError, match="log2_entries 30; expected 3 to 24"):
        HashGrid.start(log2_entries=30)
