"""View words partition the sphere."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill3d.world.views import VIEWS, in_view, view_word

azimuths = st.floats(-4 * math.pi, 4 * math.pi)
elevations = st.floats(-math.pi / 2, math.pi / 2)


@given(azimuths, elevations)
def test_every_direction_has_exactly_one_view(azimuth: float, elevation: float) -> None:
    a, e = torch.tensor([azimuth]), torch.tensor([elevation])
    assert sum(bool(in_view(word, a, e)) for word in VIEWS) == 1


@given(st.floats(-3, 3), elevations)
def test_left_and_right_have_the_same_view(azimuth: float, elevation: float) -> None:
    a, e = torch.tensor([azimuth]), torch.tensor([elevation])
    assert view_word(a, e) == view_word(-a, e)


@given(st.floats(-0.78, 0.78), st.floats(-1.5, 1.0))
def test_half_a_turn_swaps_front_and_back(azimuth: float, elevation: float) -> None:
    a, e = torch.tensor([azimuth], dtype=torch.float64), torch.tensor([elevation], dtype=torch.float64)
    assert in_view("front", a, e) and in_view("back", a + math.pi, e)


def test_shares_of_the_sphere() -> None:
    generator = torch.Generator().manual_seed(0)
    direction = torch.nn.functional.normalize(torch.randn(200_000, 3, generator=generator), dim=-1)
    words = view_word(torch.atan2(direction[:, 1], direction[:, 0]), direction[:, 2].asin())
    shares = torch.bincount(words, minlength=4) / len(words)
    overhead = (1 - math.sin(math.radians(60))) / 2
    around = (1 - overhead) / 4
    assert torch.allclose(shares, torch.tensor([around, 2 * around, around, overhead]), atol=0.005)


def test_an_unknown_view_is_a_sentence() -> None:
    with pytest.raises(ValueError, match='"left" is no view word; use one of front, side, back, overhead'):
        in_view("left", torch.zeros(1), torch.zeros(1))
