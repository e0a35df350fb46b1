"""The world's labels as features: what is said, what goes wrong on purpose, and how that is judged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from distill3d import files
from distill3d.conversions.moved import moved
from distill3d.errors import Lost, UserError
from distill3d.extractor import Extractor, FeatureMaps
from distill3d.extractors.parts import PartMaps, Parts
from distill3d.lift.lifting import Lifting
from distill3d.representations._primitives import Primitives
from distill3d.representations.gaussians import Gaussians

CASTLE = Path(__file__).parents[2] / "scenes" / "castle.ply"


def castle(**settings: Any) -> PartMaps:
    views, size = settings.pop("views", 4), settings.pop("size", 32)
    known = Parts(prompt="a castle", instance=0, **settings)
    return known.maps(files.load(CASTLE), views=views, size=size, seed=settings.get("seed", 0))


def mean_angle_deg(maps: PartMaps, exact: PartMaps) -> float:
    pairs = [(maps[i], exact[i]) for i in range(len(exact.cameras))]
    angles = [
        (a.vectors * b.vectors).sum(-1)[b.believed[..., 0] > 0].clamp(-1, 1).acos().mean() for a, b in pairs
    ]
    return float(torch.stack(angles).mean().rad2deg())


def test_parts_point_apart_and_a_map_is_the_same_every_time() -> None:
    for maps in (castle(), castle(channels=32)):
        assert isinstance(maps, FeatureMaps)
        assert_close(maps.codes.norm(dim=1), torch.ones(9))
        assert list(maps.words) == list(maps.model.labels)
        assert torch.equal(maps[2].vectors, maps[2].vectors)
        assert maps[2].vectors.shape == (32, 32, maps.channels)
        assert set(maps[2].vectors.norm(dim=-1).round(decimals=3).unique().tolist()) == {0.0, 1.0}
    assert castle().channels == 9 and torch.equal(castle().codes, torch.eye(9))


def test_noise_has_the_length_that_was_asked_for() -> None:
    """Of D directions nearly all are across: a length r turns a vector by the angle atan r."""
    exact = castle(channels=256)
    for what in ("noise", "bias"):
        found = mean_angle_deg(castle(channels=256, **{what: 0.5}), exact)
        assert found == pytest.approx(math.degrees(math.atan(0.5)), abs=2.5)


def test_a_bias_is_one_views_and_noise_is_each_vectors() -> None:
    maps, exact = castle(channels=64, bias=0.5), castle(channels=64)
    wrong = [maps[i].vectors[exact[i].believed[..., 0] > 0.99] for i in (0, 1)]
    right = [exact[i].vectors[exact[i].believed[..., 0] > 0.99] for i in (0, 1)]
    shift = [(w - (w * r).sum(1, keepdim=True) * r).mean(0) for w, r in zip(wrong, right, strict=True)]
    assert torch.nn.functional.cosine_similarity(*shift, dim=0) < 0.5


def test_in_swapped_views_every_part_is_taken_for_another() -> None:
    exact, wrong = castle(), castle(swapped=1.0)
    pure = exact[0].vectors.amax(-1) > 0.999
    a, b = (maps[0].vectors[pure].argmax(-1) for maps in (exact, wrong))
    assert pure.sum() > 50 and (a != b).all()
    assert torch.equal(castle(swapped=0.0)[0].vectors, exact[0].vectors)


def test_patches_mix_what_is_in_them() -> None:
    maps = castle(patch=8)
    assert maps[0].vectors.shape == (4, 4, 9) and maps.cameras.width == 32
    assert (maps[0].vectors > 0.2).sum(-1).max() >= 2


def test_truth_lifts_to_the_truth_and_what_is_wrong_shows() -> None:
    scores = {}
    for name, settings in {"exact": {}, "swapped": {"swapped": 1.0}}.items():
        maps = castle(views=8, size=64, **settings)
        lifting = Lifting(maps.scene, maps, refine=0, damping=0.3)  # pyright: ignore[reportArgumentType]
        list(lifting.steps())
        scores[name] = maps.judge(lifting.features, lifting.evidence.mass)
    assert scores["exact"]["part_accuracy"] > 0.95 and scores["exact"]["angle_deg"] < 8
    assert 0.6 < scores["exact"]["part_miou"] < scores["exact"]["part_accuracy"]
    assert scores["exact"]["part_miou_of_maps"] == 1 and scores["exact"]["angle_deg_of_maps"] < 10
    assert scores["swapped"]["part_accuracy"] < 0.5 and scores["swapped"]["angle_deg"] > 40


def test_a_scene_that_is_turned_has_its_parts_turned() -> None:
    scene = files.load(CASTLE)
    assert isinstance(scene, Primitives)
    cos, sin = math.cos(0.6), math.sin(0.6)
    turn = torch.tensor(
        [[cos, -sin, 0, 0], [sin, cos, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=torch.float64
    )
    still = Parts(prompt="a castle", instance=0).maps(scene, views=2, size=16, seed=0)
    turned = Parts(prompt="a castle", instance=0, turned_deg=math.degrees(0.6)).maps(
        moved(scene, turn), views=2, size=16, seed=0
    )
    same = still.parts_of_primitives() == turned.parts_of_primitives()
    assert same.float().mean() > 0.999
    wrong = Parts(prompt="a castle", instance=0).maps(moved(scene, turn), views=2, size=16, seed=0)
    assert (still.parts_of_primitives() == wrong.parts_of_primitives()).float().mean() < 0.9


@pytest.mark.slow
def test_a_scene_is_recognised_among_variations() -> None:
    found = Parts(prompt="a castle").maps(files.load(CASTLE), views=2, size=16, seed=0)
    assert found.model.index == 0 and abs(found.rotation_rad) < 0.02
    with pytest.warns(Lost, match="if it shows something else, its parts are nonsense"):
        Parts(prompt="a mug").maps(files.load(CASTLE), views=2, size=16, seed=0)


@pytest.mark.parametrize(
    "settings",
    [{"noise": -1.0}, {"bias": math.nan}, {"swapped": 2.0}, {"patch": 0}, {"channels": -1}, {"instance": -2}],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="parts with"):
        Parts(**settings)


def test_what_cannot_be_said_is_a_sentence() -> None:
    scene = Gaussians.start(count=3)
    with pytest.raises(UserError, match=r"nothing says what the scene shows; expected --features\.prompt"):
        Parts().maps(scene, views=2, size=16, seed=0)
    with pytest.raises(UserError, match="--size 16 is not made of patches of 7 pixels"):
        Parts(prompt="a mug", patch=7).maps(scene, views=2, size=16, seed=0)
    with pytest.raises(ValueError, match="submarine"):
        Parts(prompt="a submarine").maps(scene, views=2, size=16, seed=0)
    with pytest.raises(TypeError, match="says nothing"):
        Extractor().maps(scene, views=2, size=16, seed=0)
    assert Parts().views(7) == 7
