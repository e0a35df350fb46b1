"""What a perceptron promises beyond the contract of scenes."""

import math

import torch

from distill3d.representations.mlp import Mlp, waves


def test_waves_are_sines_and_cosines_of_octaves():
    x = torch.tensor([[0.25, -0.5, 1.0]])
    seen = waves(x, 2)
    expected = [x, *[f(math.pi * 2**k * x) for f in (torch.sin, torch.cos) for k in (0, 1)]]
    torch.testing.assert_close(seen, torch.cat(expected, 1))


def test_without_waves_only_the_coordinates_are_seen():
    assert torch.equal(waves(torch.ones(2, 3), 0), torch.ones(2, 3))


def test_the_number_of_frequencies_is_read_from_the_weights():
    scene = Mlp.start(frequencies=4, width=16, layers=1)
    assert Mlp.from_state(scene.state_dict()).frequencies == scene.frequencies == 4
