"""What a file says of each primitive goes where the primitive goes."""

from __future__ import annotations

import pytest
import torch

from distill3d.representations._extra import Extra
from tests.representations.small import kind_of, start


@pytest.mark.parametrize("kind", ["gaussians", "surfels"])
def test_primitives_that_grow_hand_it_on(kind: str) -> None:
    scene = start(kind)
    before = scene.means.detach().clone()
    scene.extra = Extra({"label": torch.arange(len(before))})
    scene.pull = torch.rand(len(before), generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(scene.param_groups())
    scene.grow(20, 100, optimizer, torch.Generator().manual_seed(0))
    after, labels = scene.means.detach(), scene.extra.state_dict()["label"]
    assert len(labels) == len(after) > len(before)
    shift = (after - before[labels]).norm(dim=1)
    assert (shift < 0.3).all() and (shift == 0).any() and (shift > 0).any()
    again = kind_of(kind).from_state(scene.state_dict())
    assert torch.equal(again.state_dict()["extra.label"], labels)
