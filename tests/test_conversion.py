"""Conversion: what is taught from small pictures is right in large ones."""

from __future__ import annotations

import pytest
import torch

from distill3d import conversion
from distill3d.camera import turntable
from distill3d.conversion import Pace, Source
from distill3d.conversions.routes import route
from distill3d.distill import learn
from distill3d.representations.gaussians import Gaussians
from distill3d.rig import Rig
from distill3d.targets.gaussians import ToGaussians
from distill3d.targets.vm import ToVm
from distill3d.teachers.rays import Evenly
from distill3d.teachers.scene import SceneTeacher
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


@pytest.mark.parametrize("way", ["volume", "render"])
def test_a_source_is_looked_at_from_where_its_rig_stands(way: str, monkeypatch: pytest.MonkeyPatch):
    """Whatever is compared: from below, say, nobody may have seen it."""
    stood = list[torch.Tensor]()
    through, shot = Evenly.through, SceneTeacher._shot

    def seen(cameras):
        stood.append(cameras.centres)
        return cameras

    monkeypatch.setattr(Evenly, "through", lambda self, cameras, moment: through(self, seen(cameras), moment))
    monkeypatch.setattr(
        SceneTeacher, "_shot", lambda self, cameras, errors: shot(self, seen(cameras), errors)
    )
    source = Source(Formula(solid_ball(0.6), waves, samples=20), Rig(20.0, 30.0))
    copy = conversion.start(source, ToVm(resolution=16), "vm", seed=0)
    lesson = conversion.lesson(source, copy, route("hash_grid", "vm", way), Pace(rays=64, views=2, size=16))
    for _ in learn(copy, lesson, steps=2):
        pass
    elevations = torch.nn.functional.normalize(torch.cat(stood), dim=-1)[:, 2].asin().rad2deg()
    assert len(elevations) >= 4 and elevations.min() > 19.99 and elevations.max() < 30.01
