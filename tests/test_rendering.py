"""Pictures and their backgrounds."""

import pytest
import torch

from distill3d.rendering import Rendering, concatenate


def random_rendering(batch=3):
    generator = torch.Generator().manual_seed(0)
    alpha = torch.rand(batch, 4, 5, 1, generator=generator)
    return Rendering(torch.rand(batch, 4, 5, 3, generator=generator) * alpha, alpha, depth=2.5 * alpha)


def test_a_background_shows_exactly_where_nothing_is():
    picture = random_rendering()
    a, b = torch.rand(3), torch.rand(3, 3)
    torch.testing.assert_close(picture.over((0.0, 0.0, 0.0)), picture.rgb)
    halfway = 0.5 * (picture.over(a) + picture.over(b))
    torch.testing.assert_close(picture.over(0.5 * (a + b)), halfway)
    torch.testing.assert_close(picture.over(b)[2], picture[2].over(b[2]))


def test_mean_depth_divides_by_alpha_and_is_infinite_where_nothing_is():
    alpha = torch.tensor([0.0, 0.5]).reshape(1, 2, 1)
    depth = Rendering(torch.zeros(1, 2, 3), alpha, depth=3 * alpha).mean_depth()
    assert depth.flatten().tolist() == [float("inf"), 3.0]
    with pytest.raises(ValueError, match="no depth"):
        Rendering(torch.zeros(1, 2, 3), alpha).mean_depth()


def test_batches_come_apart_and_together():
    picture = random_rendering()
    again = concatenate([picture[:1], picture[1:]])
    torch.testing.assert_close(again.rgb, picture.rgb)
    assert again.normal is None and torch.equal(again.depth, picture.depth)
    assert concatenate([picture, Rendering(picture.rgb, picture.alpha)]).depth is None
