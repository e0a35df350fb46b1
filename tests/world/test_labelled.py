"""Pictures of labels against the pictures and the geometry of the same model."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from distill3d.camera import turntable
from distill3d.world import describe, instance
from distill3d.world.labelled import labels_seen


def test_labels_share_what_is_seen() -> None:
    """Their sum is alpha, and each is what the whole picture has of it."""
    model, cameras = instance(describe("a mug"), 0), turntable(3, width=20, height=12)
    shares = labels_seen(model, cameras)
    assert shares.shape == (3, 12, 20, len(model.labels)) and (shares >= 0).all()
    assert_close(shares.sum(-1, keepdim=True), model.render(cameras, want=("rgb", "alpha")).alpha)
    assert (shares.amax((0, 1, 2)) > 0).any()


def test_a_label_is_seen_where_its_part_is_nearest() -> None:
    """Rays to the depth that is seen end at the part of the label."""
    model, cameras = instance(describe("a castle"), 0), turntable(2, width=40, height=40)
    shares = labels_seen(model, cameras, supersample=1)
    depth = model.render(cameras, want=("rgb", "alpha", "depth"), supersample=1).depth
    assert depth is not None
    origins, directions = cameras.rays()
    seen = shares.sum(-1) > 0
    at = (origins + depth * directions)[seen]
    agree = model.part_at(at) == shares[seen].argmax(-1)
    assert agree.float().mean() > 0.97
    assert len(torch.unique(shares[seen].argmax(-1))) > 5
