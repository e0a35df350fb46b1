"""The exact prior against the mixture that it is, summed in double precision over renders on backgrounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from distill3d.camera import Cameras, azimuth_elevation, orbit
from distill3d.prior import Condition, clean_from_noise, guided
from distill3d.priors.exact import FRONT_CONCENTRATION, Exact
from distill3d.world import bank
from distill3d.world.bank import Bank, bank_of, everything
from distill3d.world.grammar import UnknownWord, describe
from distill3d.world.views import in_view

PROMPT = "a red robot"
SIZE = 16
INSTANCES, STATIONS = 2, 24


@pytest.fixture(scope="module", autouse=True)
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Renders of their own folder, and two kinds for everything there is."""
    everything.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(bank, "vocabulary", lambda: {"kind": ["robot", "mug"]})
        yield
    everything.cache_clear()


def exact(**options: float) -> Exact:
    return Exact(instances=INSTANCES, stations=STATIONS, **options)  # type: ignore[arg-type]


@cache
def known() -> Bank:
    return bank_of(describe(PROMPT), INSTANCES, STATIONS, width=SIZE, height=SIZE)


def composited(renders: Bank, background: Tensor) -> Tensor:
    """The renders in front of one colour, in [-1, 1], each as a row."""
    rgba = renders.rgba.double() / 255
    return (2 * (rgba[..., :3] + (1 - rgba[..., 3:]) * background.double()) - 1).flatten(1)


def near(renders: Bank, azimuth_rad: float, elevation_rad: float, within_deg: float) -> Tensor:
    """Which renders were taken within an angle of a direction; the nearest if none was."""
    azimuths, elevations = azimuth_elevation(renders.cameras)
    cosine = elevations.sin() * math.sin(elevation_rad)
    cosine += elevations.cos() * math.cos(elevation_rad) * (azimuths - azimuth_rad).cos()
    angle = cosine.clamp(-1, 1).acos().rad2deg()
    return angle <= max(within_deg, angle.min().item() + 0.02)


def weights(prior: Exact, renders: Bank, condition: Condition, row: int) -> Tensor:
    """π of every render, as the docstring of the prior defines it."""
    azimuths, elevations = azimuth_elevation(renders.cameras)
    front = (FRONT_CONCENTRATION * azimuths.double().cos()).exp()
    pi = (1 - prior.bias) / len(azimuths) + prior.bias * front / front.sum()
    if condition.prompt is None:
        return pi
    word = describe(condition.prompt).view
    if word is not None:
        meant, leaked = (in_view(w, azimuths, elevations) for w in (word, "front"))
    elif prior.view_prompts and condition.cameras is not None:
        azimuth, elevation = (v[row].item() for v in azimuth_elevation(condition.cameras))
        meant = near(renders, azimuth, elevation, prior.view_deg)
        leaked = near(renders, 0.0, elevation, prior.view_deg)
    else:
        return pi
    return (1 - prior.leak) * pi * meant / pi[meant].sum() + prior.leak * pi * leaked / pi[leaked].sum()


def brute_force(prior: Exact, renders: Bank, noisy: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """σ times minus the gradient of log Σ_k π_k N(x_t; α c_k, α² s² + σ²), picture by picture, in float64."""
    scale = 16 / SIZE
    rows = []
    for row in range(len(noisy)):
        alpha, sigma = (v.item() for v in prior.alpha_sigma(t[row : row + 1].double()))
        centres = alpha * scale * composited(renders, condition.background[row])  # type: ignore[index]
        variance = (alpha * scale * prior.spread) ** 2 + sigma**2
        x = noisy[row].double().flatten().requires_grad_()
        squared = (x - centres).square().sum(-1)
        logits = weights(prior, renders, condition, row).log() - squared / (2 * variance)
        (score,) = torch.autograd.grad(logits.logsumexp(0), x)
        rows.append((-sigma * score).reshape(noisy[row].shape))
    return torch.stack(rows).float()


def question(seed: int, t: float, count: int = 4) -> tuple[Tensor, Tensor, Condition]:
    """Noised renders with cameras and backgrounds from anywhere."""
    generator = torch.Generator().manual_seed(seed)
    azimuths = torch.rand(count, generator=generator) * 2 * math.pi
    elevations = torch.rand(count, generator=generator) * 1.4 - 0.2
    condition = Condition(
        PROMPT,
        orbit(azimuths, elevations, width=SIZE, height=SIZE),
        torch.rand(count, 3, generator=generator),
    )
    renders = known()
    chosen = torch.randint(len(renders.rgba), (count,), generator=generator)
    clean = torch.stack(
        [composited(renders, b)[k] for k, b in zip(chosen, condition.background, strict=True)]  # type: ignore[arg-type]
    ).reshape(count, SIZE, SIZE, 3)
    times = torch.full((count,), t)
    alpha, sigma = (v[:, None, None, None] for v in exact().alpha_sigma(times))
    noisy = alpha * clean.float() + sigma * torch.randn(clean.shape, generator=generator)
    return noisy, times, condition


def agree(prior: Exact, renders: Bank, seed: int, t: float, condition: Condition | None = None) -> None:
    noisy, times, drawn = question(seed, t)
    condition = drawn if condition is None else condition
    ours = prior.noise(noisy, times, condition)
    torch.testing.assert_close(
        ours, brute_force(prior, renders, noisy, times, condition), atol=2e-3, rtol=1e-3
    )


@pytest.mark.parametrize("t", [0.5, 0.85, 0.97])
@pytest.mark.parametrize(
    "options",
    [{}, {"leak": 0.4}, {"bias": 0.7}, {"leak": 0.8, "bias": 0.5, "spread": 0.3}, {"view_prompts": False}],
    ids=str,
)
def test_noise_is_the_score_of_the_mixture(options: dict[str, float], t: float) -> None:
    agree(exact(**options), known(), 3, t)


@pytest.mark.parametrize("options", [{}, {"bias": 0.7}, {"leak": 1.0}], ids=str)
def test_what_a_view_excludes_stays_excluded_however_clearly_it_is_seen(options: dict[str, float]) -> None:
    agree(exact(**options), known(), 3, 0.15)


@pytest.mark.parametrize("word", ["front", "side", "back", "overhead"])
def test_a_view_word_in_the_prompt_means_its_part_of_the_sphere(word: str) -> None:
    """It wins over the camera."""
    noisy, times, condition = question(5, 0.9)
    asked = Condition(f"{PROMPT}, {word} view", condition.cameras, condition.background)
    agree(exact(leak=0.3), known(), 5, 0.9, asked)
    assert not torch.allclose(exact().noise(noisy, times, asked), exact().noise(noisy, times, condition))


def test_the_null_prompt_is_one_of_every_kind_from_everywhere() -> None:
    null = question(7, 0.9)[2].without_prompt()
    renders = everything(width=SIZE, height=SIZE)
    assert len(renders.rgba) == 2 * bank.VIEWS_OF_EVERYTHING
    agree(exact(leak=0.5), renders, 7, 0.9, null)


@pytest.mark.parametrize("scale", [0.0, 1.0, 7.5])
def test_guidance_goes_from_the_null_prompt_to_the_prompt_and_beyond(scale: float) -> None:
    noisy, times, condition = question(9, 0.8)
    prior = exact()
    c = brute_force(prior, known(), noisy, times, condition)
    null = condition.without_prompt()
    u = brute_force(prior, everything(width=SIZE, height=SIZE), noisy, times, null)
    ours = guided(prior, noisy, times, condition, scale)
    torch.testing.assert_close(ours, u + scale * (c - u), atol=2e-2, rtol=1e-3)


def seen_from_behind(prior: Exact, k: int) -> int:
    """The render that the prior believes to see when shown render k as a back view, with some noise."""
    renders, white, t = known(), torch.ones(1, 3), torch.tensor([0.4])
    alpha, sigma = prior.alpha_sigma(t)
    noise = torch.randn(1, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(k))
    noisy = alpha * composited(renders, white[0])[k].reshape(noise.shape).float() + sigma * noise
    behind = Condition(PROMPT, orbit(torch.tensor([math.pi]), 0.4, width=SIZE, height=SIZE), white)
    clean = clean_from_noise(prior.noise(noisy, t, behind), noisy, alpha, sigma)
    return int((composited(renders, white[0]) - clean.flatten().double()).square().sum(-1).argmin())


def test_leak_decides_whether_a_back_view_shows_fronts() -> None:
    """Leak 0 takes a front for a back, leak 1 a back for a front, and in between each for what it is."""
    back, front = (near(known(), azimuth, 0.4, 30.0).nonzero()[:, 0].tolist() for azimuth in (math.pi, 0.0))
    assert back and front and not set(back) & set(front)
    never, always, sometimes = exact(leak=0.0), exact(leak=1.0), exact(leak=0.5)
    assert all(seen_from_behind(never, k) in back for k in front)
    assert all(seen_from_behind(always, k) in front for k in back)
    assert [seen_from_behind(sometimes, k) for k in front + back] == front + back


def test_bias_draws_what_is_uncertain_to_the_front() -> None:
    """Under noise that hides nearly all, what is seen without view words is the mean of π."""
    noisy, _, condition = question(11, 0.99, count=1)
    t = torch.tensor([0.999])
    cosine = azimuth_elevation(known().cameras)[0].cos()
    fronts = composited(known(), condition.background[0])[cosine > 0.7].mean(0)  # type: ignore[index]
    apart = []
    for bias in (0.0, 0.5, 1.0):
        prior = exact(bias=bias, view_prompts=False)
        alpha, sigma = prior.alpha_sigma(t)
        clean = clean_from_noise(prior.noise(noisy, t, condition), noisy, alpha, sigma)
        apart.append((clean.flatten() - fronts).norm().item())
    assert apart[0] > apart[1] > apart[2]


def test_a_render_with_little_noise_is_pointed_back_to() -> None:
    """ε̂ is the noise that was added, but for what fits into the spread."""
    prior, white = exact(), torch.ones(1, 3)
    renders = known()
    k = 5
    t = torch.tensor([0.25])
    alpha, sigma = prior.alpha_sigma(t)
    clean = composited(renders, white[0])[k].reshape(1, SIZE, SIZE, 3).float()
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = alpha * clean + sigma * noise
    found = prior.noise(noisy, t, Condition(PROMPT, renders.cameras[k : k + 1], white))
    shrunk = sigma**2 / (alpha**2 * prior.spread**2 + sigma**2)
    torch.testing.assert_close(found, shrunk * noise, atol=2e-3, rtol=1e-3)


def test_no_background_is_white() -> None:
    noisy, times, condition = question(13, 0.6)
    bare = Condition(PROMPT, condition.cameras)
    white = Condition(PROMPT, condition.cameras, torch.ones(4, 3))
    torch.testing.assert_close(exact().noise(noisy, times, bare), exact().noise(noisy, times, white))


@pytest.mark.parametrize("finer", [2, 3])
def test_the_energy_of_a_picture_does_not_depend_on_its_resolution(finer: int) -> None:
    rgb = torch.rand(2, 8, 12, 3, generator=torch.Generator().manual_seed(0))
    fine = rgb.repeat_interleave(finer, 1).repeat_interleave(finer, 2)
    coarse, fine = (exact().encode(p).square().sum((1, 2, 3)) for p in (rgb, fine))
    torch.testing.assert_close(coarse, fine)


def test_the_stations_are_those_of_the_renders() -> None:
    stations = exact().stations_at(SIZE, SIZE)
    assert isinstance(stations, Cameras) and len(stations) == STATIONS
    ours, renders = stations.world_to_camera, known().cameras.world_to_camera
    torch.testing.assert_close(ours.repeat(INSTANCES, 1, 1), renders)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"leak": 2.0}, r"prior.leak is 2; expected a number from 0 to 1"),
        ({"bias": -0.5}, r"prior.bias is -0.5; expected a number from 0 to 1"),
        ({"instances": 0}, r"prior.instances is 0; expected a whole number from 1"),
        ({"stations": 0}, r"prior.stations is 0; expected a whole number from 1"),
    ],
)
def test_impossible_options_are_refused_with_a_sentence(option: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Exact(**option)  # type: ignore[arg-type]


def test_an_unknown_word_is_refused_before_anything_is_rendered(tmp_path: Path) -> None:
    cameras = orbit(torch.zeros(1), 0.0, width=SIZE, height=SIZE)
    with pytest.raises(UnknownWord, match="robt"):
        exact().condition("a red robt", cameras, torch.ones(1, 3))
