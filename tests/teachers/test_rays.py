"""Rays to learn from: where they go, and that what was hardest comes again."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from distill3d.moment import Moment
from distill3d.rig import Rig
from distill3d.teachers.rays import CAMERAS, MOVED_RAD, Evenly, Hardest, Pool, Rays

EVENLY = Evenly(Rig(), views=4, rays=200, size=16)


def moments(count: int):
    generator = torch.Generator().manual_seed(0)
    return [Moment(i + 1, count, generator) for i in range(count)]


def test_rays_go_through_the_pictures_of_their_cameras():
    rays = EVENLY.draw(*moments(1))
    assert rays.origins.shape == rays.directions.shape == (200, 3)
    assert rays.camera.bincount().tolist() == [50] * 4
    cameras = rays.cameras[rays.camera]
    assert_close(rays.origins, cameras.centres)
    in_camera = (cameras.world_to_camera[:, :3, :3] @ rays.directions[..., None])[..., 0]
    assert_close(in_camera[:, 2], torch.ones(200))
    at = in_camera[:, :2] * cameras.intrinsics[:, :2] + cameras.intrinsics[:, 2:]
    assert at.min() > -1e-3 and at.max() < 16 + 1e-3
    assert (at.mean(0) - 8).abs().max() < 1.5, "evenly"


def test_a_pool_fills_then_gives_and_is_never_larger():
    pool, rows = Pool(torch.zeros(10, 2)), torch.arange(8.0).reshape(4, 2) + 1
    for i, moment in enumerate(moments(6)):
        places, taken = pool.take(4, moment)
        assert len(places) == (4, 4, 2, 4, 4, 4)[i] and len(taken) == (0, 0, 0, 4, 4, 4)[i]
        pool.put(places, rows[: len(places)] + 100 * i)
        assert len(pool.rows) == 10
    assert (pool.rows[:, 0] >= 300).sum() >= 4, "what is taken makes room"


def test_what_the_student_is_worst_at_comes_again():
    """Errors are large where the ray passes near a point: more and more rays do."""
    hard = torch.tensor([0.0, 0.4, 0.3])

    def near(rays: Rays) -> torch.Tensor:
        d = torch.nn.functional.normalize(rays.directions, dim=1)
        return (torch.linalg.cross(hard - rays.origins, d).norm(dim=1) < 0.25).float()

    source, shares = Hardest(EVENLY), []
    for moment in moments(80):
        rays = source.draw(moment)
        errors = near(rays)
        source.learned(rays, errors)
        shares.append(float(errors.mean()))
    assert len(rays.origins) == 220 and (rays.camera < 0).sum() == 20
    assert sum(shares[-20:]) > 1.5 * sum(shares[:20])


def test_cameras_come_again_a_little_turned():
    """Those from the right are hard: in the end more than a share of all are from there."""
    source, sides = Hardest(EVENLY), []
    for moment in moments(120):
        rays = source.draw(moment)
        right = rays.cameras.centres[:, 1] > 0.5
        source.learned(rays, torch.where(rays.camera >= 0, right[rays.camera.clamp_min(0)].float(), 0))
        sides.append(float(right.float().mean()))
        assert_close(rays.cameras.centres.norm(dim=1), torch.full((4,), 3.0), rtol=0, atol=1e-3)
    assert sum(sides[-40:]) > 1.2 * sum(sides[:30]) * 4 / 3
    poses = source._poses.rows.unflatten(1, (4, 4))
    assert len(poses) == CAMERAS and 0.1 < MOVED_RAD < 0.2


def test_the_state_of_what_was_hardest_is_all_there_is_to_it():
    one, other = Hardest(EVENLY), Hardest(EVENLY)
    for moment in moments(50):
        rays = one.draw(moment)
        one.learned(rays, rays.directions[:, 0])
    other.load_state_dict(one.state_dict())
    again = [source.draw(*moments(1)) for source in (one, other)]
    assert again[0].origins.equal(again[1].origins)
