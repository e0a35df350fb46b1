"""LPIPS: zero for equal pictures, the formula for others, and only files that are what they should be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from distill3d import lpips
from distill3d.errors import UserError
from distill3d.lpips import CHANNELS, FOLDER, NETWORK, WEIGHTS, Lpips

PLAN = (64, 64, "halve", 128, 128, "halve", 256, 256, 256, "halve", 512, 512, 512, "halve", 512, 512, 512)


def vgg16() -> nn.Sequential:
    """VGG-16 up to its last convolution, with torchvision's places."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    inputs = 3
    for what in PLAN:
        if isinstance(what, int):
            layers += [nn.Conv2d(inputs, what, 3, padding=1), nn.ReLU()]
            inputs = what
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def states() -> tuple[nn.Sequential, dict[str, Tensor], dict[str, Tensor]]:
    network = vgg16()
    torch.manual_seed(1)
    weights = {f"lin{i}.model.1.weight": torch.rand(1, n, 1, 1) for i, n in enumerate(CHANNELS)}
    return network, {f"features.{name}": value for name, value in network.state_dict().items()}, weights


def test_the_distance_is_that_of_the_formula() -> None:
    network, state, weights = states()
    x, x0 = torch.rand(2, 2, 37, 33, 3).unbind(0)
    expected = torch.zeros(2)
    with torch.no_grad():
        y, y0 = (
            (2 * p.movedim(-1, 1) - 1 - torch.tensor([-0.030, -0.088, -0.188])[:, None, None])
            / torch.tensor([0.458, 0.448, 0.450])[:, None, None]
            for p in (x, x0)
        )
        layer = 0
        for place, module in enumerate(network):
            y, y0 = module(y), module(y0)
            if place in (3, 8, 15, 22, 29):
                a, b = (f / f.square().sum(1, keepdim=True).sqrt() for f in (y, y0))
                expected += ((a - b) ** 2 * weights[f"lin{layer}.model.1.weight"]).sum(1).mean((1, 2))
                layer += 1
    assert layer == 5
    torch.testing.assert_close(Lpips(state, weights)(x, x0), expected, rtol=1e-4, atol=1e-6)


def test_equal_pictures_are_no_distance_apart_and_either_may_come_first() -> None:
    _, state, weights = states()
    distance = Lpips(state, weights)
    x, x0 = torch.rand(2, 1, 20, 16, 3).unbind(0)
    assert float(distance(x, x)) == 0
    assert float(distance(x, x0)) > 0
    torch.testing.assert_close(distance(x, x0), distance(x0, x))


def test_a_picture_of_which_nothing_would_be_left_is_refused() -> None:
    _, state, weights = states()
    with pytest.raises(ValueError, match="15 x 20, expected sides of 16"):
        Lpips(state, weights)(torch.rand(1, 20, 15, 3), torch.rand(1, 20, 15, 3))


def test_files_on_disk_are_found_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, state, weights = states()
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(UserError, match=f"no {NETWORK} nor {WEIGHTS}"):
        lpips.on_disk()
    torch.save(state, tmp_path / NETWORK)
    torch.save(weights, tmp_path / WEIGHTS)
    x, x0 = torch.rand(2, 1, 16, 16, 3).unbind(0)
    found = lpips.on_disk()
    assert found is not None
    torch.testing.assert_close(found(x, x0), Lpips(state, weights)(x, x0))
    (tmp_path / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot be read"):
        lpips.on_disk()
    torch.save({"other": torch.zeros(1)}, tmp_path / WEIGHTS)
    with pytest.raises(UserError, match=r"not VGG-16 and its layers .*lin0"):
        lpips.on_disk()


def test_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert lpips.on_disk() is None
