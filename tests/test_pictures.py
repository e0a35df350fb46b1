"""Pictures say what they were made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from distill3d import pictures
from distill3d.camera import turntable
from distill3d.pictures import TILE, Row
from distill3d.rendering import Rendering
from distill3d.representations.gaussians import Gaussians


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_png_holds_the_bytes_it_was_given(tmp_path: Path, channels: int, mode: str) -> None:
    values = torch.randint(0, 256, (5, 7, channels), generator=torch.Generator().manual_seed(0))
    pictures.write_png(tmp_path / "a.png", values / 255, {"note": "words"})
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == mode and image.text == {"note": "words"}
        assert np.array_equal(np.asarray(image).reshape(5, 7, channels), values.numpy())


def test_values_beyond_the_range_are_clipped_and_others_rounded() -> None:
    assert pictures.to_bytes(torch.tensor([-1.0, 0.0, 0.5, 0.999, 2.0])).tolist() == [0, 0, 128, 255, 255]


def test_a_depth_png_counts_thousandths_and_zero_is_nothing(tmp_path: Path) -> None:
    depth = torch.tensor([[1.5, 3.0004, torch.inf], [-1.0, 65.535, 70.0]])[..., None]
    pictures.write_depth_png(tmp_path / "d.png", depth)
    with Image.open(tmp_path / "d.png") as image:
        assert np.asarray(image).tolist() == [[1500, 3000, 0], [0, 65535, 0]]
        assert "0.001 world units" in image.text["depth_unit"]


def test_a_gif_loops_and_no_frame_shows_through_another(tmp_path: Path) -> None:
    frames = torch.ones(6, 32, 32, 3)
    colours = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.6, 0.1], [0.1, 0.1, 0.9]]).repeat(2, 1)
    for i in range(6):
        frames[i, 4:28, 5 * i : 5 * i + 5] = colours[i]
    pictures.write_gif(tmp_path / "a.gif", frames, seconds_per_turn=0.6)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["loop"] == 0
        decoded = [np.asarray(f.convert("RGB"), np.float32) / 255 for f in ImageSequence.Iterator(image)]
        assert image.info["duration"] == 100
    assert len(decoded) == 6
    for frame, original in zip(decoded, frames.numpy(), strict=True):
        assert np.abs(frame - original).max() < 0.03


def _rendering(depth: torch.Tensor, alpha: torch.Tensor) -> Rendering:
    return Rendering(torch.zeros(*depth.shape[:-1], 3), alpha, depth * alpha)


def test_farther_is_darker_and_nothing_is_background() -> None:
    depth = torch.linspace(2, 4, 50)[None, :, None]
    alpha = torch.ones(1, 50, 1)
    alpha[0, -1] = 0
    coloured = pictures.colour_depth(_rendering(depth, alpha))
    brightness = coloured[0, :-1].mean(-1)
    assert (brightness.diff() <= 1e-6).all() and brightness[0] - brightness[-1] > 0.5
    assert torch.allclose(coloured[0, -1], torch.tensor(TILE))


def test_depth_of_an_empty_scene_is_background() -> None:
    empty = torch.zeros(2, 3, 1)
    assert torch.allclose(pictures.colour_depth(_rendering(empty, empty)), torch.tensor(TILE).expand(2, 3, 3))


def test_a_contact_sheet_shows_every_tile_where_it_belongs() -> None:
    shades = torch.tensor([0.2, 0.5, 0.8])
    row = shades[:, None, None, None].expand(3, 8, 8, 3)
    sheet = pictures.contact_sheet(
        [Row("up", row), Row("down", 1 - row)], title="a title", columns=("a", "b", "c"), tile_px=40
    )
    pixels = np.asarray(sheet)
    for r, first in enumerate((shades, 1 - shades)):
        top = sheet.height - pictures.MARGIN_PX - (2 - r) * (40 + pictures.CAPTION_PX) + pictures.CAPTION_PX
        for j, shade in enumerate(first.tolist()):
            left = pictures.MARGIN_PX + j * (40 + pictures.GAP_PX)
            tile = pixels[top : top + 40, left : left + 40]
            assert (tile == round(shade * 255)).all()
    assert (pixels[:30] < 128).any(), "the title is there"


def test_shooting_a_few_at_a_time_changes_nothing() -> None:
    scene = Gaussians.start(count=50, limit=50, seed=1)
    cameras = turntable(5, width=16, height=12)
    wanted = scene.render(cameras, want=("rgb", "alpha", "depth"))
    for at_once in (1, 2, 5, 9):
        shot = pictures.shoot(scene, cameras, ("rgb", "alpha", "depth"), at_once=at_once)
        assert not shot.rgb.requires_grad
        assert torch.allclose(shot.rgb, wanted.rgb, atol=1e-6)
        assert torch.allclose(shot.depth, wanted.depth, atol=1e-5)


def test_every_column_has_its_caption_within_its_width() -> None:
    """Also the first, beside the row's label, and one that is too long, of which the end is shown."""
    row = torch.ones(3, 8, 8, 3)

    def band(*columns: str) -> np.ndarray:
        sheet = pictures.contact_sheet([Row("a label", row)], title="t", columns=columns, tile_px=60)
        bottom = sheet.height - pictures.MARGIN_PX - 60
        return np.asarray(sheet)[bottom - pictures.CAPTION_PX - 12 : bottom - pictures.CAPTION_PX + 3]

    names = ("r_0.png", "a very long name of a folder/r_1.png", "r_2.png")
    inked = (band(*names) < 200).any((0, 2))
    for j in range(3):
        left = pictures.MARGIN_PX + j * (60 + pictures.GAP_PX)
        assert inked[left : left + 60].any()
        assert not inked[left + 60 : left + 60 + pictures.GAP_PX].any()
    assert not (band("", "", "") < 200).any()
