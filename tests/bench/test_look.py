"""What a scene looks like all around: inception numbers by hand and of the truth, saturation, the strip."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from distill3d.bench._look import FRAMES, STRIP_FRAMES, STRIP_PX, Look, inception, look, strip_image
from distill3d.camera import Cameras, turntable
from distill3d.rendering import Rendering
from distill3d.world.grammar import describe
from distill3d.world.metrics import Renderer, turned
from distill3d.world.model import Model, instances

ROBOTS = tuple(instances(describe("a red robot"), 2))
SIZE = 32


def seen(render: Renderer, models: tuple[Model, ...] = ROBOTS, rotation_rad: float = 0.0) -> Look:
    return look(render, models, instance=0, rotation_rad=rotation_rad, size=SIZE)


def all_around_the_front(cameras: Cameras) -> Rendering:
    """A robot that turns to whoever looks at it."""
    front = turntable(1, elevation_rad=0.3, width=cameras.width, height=cameras.height)
    return ROBOTS[0].render(
        dataclasses.replace(cameras, world_to_camera=front.world_to_camera.expand(len(cameras), 4, 4))
    )


@pytest.mark.parametrize(
    ("p", "quality", "variety"),
    [
        (torch.eye(12).repeat(3, 1), 0.0, math.log(12)),
        (torch.eye(12)[:1].repeat(36, 1), 0.0, 0.0),
        (torch.full((36, 12), 1 / 12), math.log(12), math.log(12)),
        (torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]), math.log(2), math.log(4)),
    ],
)
def test_inception_by_hand(p: torch.Tensor, quality: float, variety: float) -> None:
    found = inception(p)
    assert found == pytest.approx((quality, variety, variety - quality), abs=1e-5)


def test_the_truth_shows_every_side_clearly_and_once() -> None:
    found = seen(ROBOTS[0].render)
    assert found.quality is not None and found.variety is not None and found.gain is not None
    assert found.quality < 0.2 and found.variety > math.log(12) - 0.05
    assert found.gain > math.log(12) - 0.2
    assert found.saturation == pytest.approx(1.0)


def test_an_object_that_is_a_face_all_around_has_no_gain() -> None:
    found = seen(all_around_the_front)
    assert found.variety is not None and found.variety < 0.05 and found.gain == pytest.approx(0, abs=0.05)


def test_nothing_has_neither_sides_nor_colour() -> None:
    def nothing(cameras: Cameras) -> Rendering:
        shape = (len(cameras), cameras.height, cameras.width)
        return Rendering(torch.zeros(*shape, 3), torch.zeros(*shape, 1))

    found = seen(nothing)
    assert found.gain == pytest.approx(0, abs=1e-4) and found.saturation == 0


def test_sides_are_told_apart_however_the_object_is_turned() -> None:
    """By whole frames of the turntable the numbers stay; the strip shows the front first all the same."""
    rotation_rad = 2 * math.pi * 9 / FRAMES

    def render(cameras: Cameras) -> Rendering:
        return ROBOTS[0].render(turned(cameras, rotation_rad))

    straight, rotated = seen(ROBOTS[0].render), seen(render, rotation_rad=rotation_rad)
    assert rotated.gain == pytest.approx(straight.gain, abs=1e-3)
    first, second = (_pixels(found.strip) for found in (straight, rotated))
    assert (first - second).abs().mean() < 0.01
    assert (first - _pixels(seen(render).strip)).abs().mean() > 0.02


def test_grey_halves_have_half_the_saturation() -> None:
    """Mixing a colour evenly with grey of its own brightness halves (max - min) / max."""

    def paler(cameras: Cameras) -> Rendering:
        shown = ROBOTS[0].render(cameras)
        grey = shown.rgb.amax(-1, keepdim=True).expand_as(shown.rgb)
        return Rendering((shown.rgb + grey) / 2, shown.alpha)

    assert seen(paler).saturation == pytest.approx(0.5, abs=0.01)


def test_kinds_without_a_front_have_colour_alone() -> None:
    balls = tuple(instances(describe("a red ball"), 1))
    found = seen(balls[0].render, balls)
    assert (found.quality, found.variety, found.gain) == (None, None, None) and found.saturation == 1.0


def test_the_strip_is_a_row_of_pictures_in_few_bytes() -> None:
    strip = seen(ROBOTS[0].render).strip
    assert strip_image(strip).size == (STRIP_FRAMES * STRIP_PX, STRIP_PX) and len(strip) < 6000


def _pixels(strip: str) -> torch.Tensor:
    image = strip_image(strip)
    flat = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return flat.reshape(image.height, image.width, 3) / 255
