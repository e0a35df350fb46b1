"""What a field of Instant-NGP's promises beyond the contract of scenes: where it stands changes nothing."""

import math

import pytest
import torch
from torch.testing import assert_close

from distill3d.representations._placed import EMPTY, Place
from distill3d.representations.instant_ngp import InstantNgp
from distill3d.rotation import matrix_from_wxyz

SMALL = {"levels": 3, "log2_entries": 8, "finest": 16, "width": 16, "samples": 24}


def points(count, seed=0):
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) - 0.5


def placed(place):
    whole = InstantNgp.start(seed=2, **SMALL)
    return InstantNgp(
        whole.table, list(whole.density), list(whole.colour), layout=whole.layout, samples=24, place=place
    )


def test_the_density_alone_is_that_of_the_query():
    scene, d = InstantNgp.start(seed=2, **SMALL), torch.nn.functional.normalize(points(50, 1), dim=-1)
    assert_close(scene.log_density(points(50)), scene.query(points(50), d)[0])
    with pytest.raises(ValueError, match="no directions"):
        scene.query(points(50), None)


def test_a_field_that_stands_elsewhere_is_the_same_seen_from_there():
    """Points and directions turn with it, and its density is as much greater as it is smaller."""
    rotation = matrix_from_wxyz(torch.nn.functional.normalize(torch.tensor([0.9, 0.1, -0.3, 0.2]), dim=0))
    shift, scale = torch.tensor([0.05, -0.1, 0.02]), 1.6
    moved = placed(Place(to_source=torch.cat([scale * rotation, shift[:, None]], 1)))
    still = placed(Place())
    x, d = 0.5 * points(60), torch.nn.functional.normalize(points(60, 1), dim=-1)
    here, colour, _ = moved.query(x, d)
    there, expected, _ = still.query(x @ (scale * rotation).T + shift, d @ rotation.T)
    assert_close(here, there + math.log(scale), rtol=0, atol=1e-4)
    assert_close(colour, expected, rtol=0, atol=1e-4)


def test_nothing_is_drawn_outside_its_box():
    box = torch.tensor([[-0.2, -0.5, -0.1], [0.1, 0.3, 0.4]])
    x = points(300)
    inside = ((x >= box[0]) & (x <= box[1])).all(1)
    found = placed(Place(drawn=box)).log_density(x)
    assert inside.any() and (found[~inside] == EMPTY).all() and (found[inside] > -5).all()
