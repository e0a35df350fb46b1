"""Conversion: what is taught from small pictures is right in large ones."""

from __future__ import annotations

import torch

from distill3d import conversion
from distill3d.camera import turntable
from distill3d.conversion import Pace, Source
from distill3d.conversions.routes import route
from distill3d.distill import learn
from distill3d.representations.gaussians import Gaussians
from distill3d.targets.gaussians import ToGaussians
from tests.formula import Formula, solid_ball, waves

LEARNED_PX, SEEN_PX = 32, 256


def share_of_the_silhouette(*, antialiased: bool) -> float:
    """How much a copy covers of what its source does, seen eight times as large as in its lessons."""
    source = Source(Formula(solid_ball(0.6), waves, samples=40))
    copy = conversion.start(source, ToGaussians(count=400), "gaussians", seed=0)
    assert isinstance(copy, Gaussians) and copy.antialiased
    copy.antialiased.fill_(antialiased)
    lesson = conversion.lesson(source, copy, route("hash_grid", "gaussians"), Pace(size=LEARNED_PX))
    for _ in learn(copy, lesson, steps=60):
        pass
    cameras = turntable(1, elevation_rad=0.2, width=SEEN_PX, height=SEEN_PX)
    with torch.no_grad():
        ours, theirs = (scene.render(cameras).alpha.sum() for scene in (copy, source.scene))
    return float(ours / theirs)


def test_a_copy_made_of_gaussians_does_not_shrink_when_it_is_seen_from_near():
    """Where a pixel's blur adds to them they do, since they have learned to be thinner."""
    shares = {antialiased: share_of_the_silhouette(antialiased=antialiased) for antialiased in (True, False)}
    assert shares[True] > 0.92 and shares[False] < shares[True] - 0.03, shares
