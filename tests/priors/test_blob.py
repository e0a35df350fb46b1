"""The one-Gaussian prior: its closed form, and what makes a noise prediction the best one."""

from __future__ import annotations

import pytest
import torch

from distill3d.camera import orbit
from distill3d.prior import Condition
from distill3d.priors.blob import Blob

IT = Condition("it")


def mean(blob: Blob) -> torch.Tensor:
    """μ in the prior's space."""
    return torch.tensor([blob.red, blob.green, blob.blue]) * 2 - 1


@pytest.mark.parametrize("t", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0])
def test_noise_is_the_closed_form(t: float, spread: float) -> None:
    blob, times = Blob(spread=spread), torch.full((3,), t)
    x = torch.randn(3, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    alpha, sigma = (v[0] for v in blob.alpha_sigma(times))
    expected = sigma * (x - alpha * mean(blob)) / (alpha**2 * spread**2 + sigma**2)
    torch.testing.assert_close(blob.noise(x, times, IT), expected, atol=1e-5, rtol=1e-4)


def test_no_noise_is_predicted_better() -> None:
    """ε̂ = E[ε | x_t], so what it misses is uncorrelated with every function of x_t: E[ε ε̂] = E[ε̂²]."""
    blob, n = Blob(), 40_000
    generator = torch.Generator().manual_seed(1)
    clean = mean(blob) + blob.spread * torch.randn(n, 1, 1, 3, generator=generator)
    noise = torch.randn(clean.shape, generator=generator)
    t = torch.full((n,), 0.5)
    alpha, sigma = (v[:, None, None, None] for v in blob.alpha_sigma(t))
    found = blob.noise(alpha * clean + sigma * noise, t, IT)
    predicted = found.square().mean().item()
    assert (found * noise).mean().item() == pytest.approx(predicted, rel=0.02)
    assert predicted == pytest.approx(0.5 / (0.5 * blob.spread**2 + 0.5), rel=0.02)


def test_every_picture_has_its_own_noise_level() -> None:
    blob = Blob()
    x = torch.randn(2, 4, 4, 3, generator=torch.Generator().manual_seed(2))
    t = torch.tensor([0.2, 0.8])
    together = blob.noise(x, t, IT)
    for row in range(2):
        torch.testing.assert_close(
            blob.noise(x[row : row + 1], t[row : row + 1], IT), together[row : row + 1]
        )


def test_the_mean_itself_has_no_noise() -> None:
    blob, t = Blob(red=0.1, green=0.6, blue=0.9), torch.tensor([0.3])
    alpha, _ = blob.alpha_sigma(t)
    found = blob.noise(alpha * mean(blob).expand(1, 3, 3, 3), t, IT)
    torch.testing.assert_close(found, torch.zeros(1, 3, 3, 3), atol=1e-6, rtol=0)


def test_any_words_will_do_and_no_camera_is_special() -> None:
    blob = Blob()
    cameras = orbit(torch.zeros(1), 0.0, width=4, height=4)
    assert blob.condition("colourless green ideas", cameras, torch.ones(1, 3)).prompt
    assert blob.stations_at(4, 4) is None
