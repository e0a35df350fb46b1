"""`bench modes`: its measures by hand, its prior against a sum, its claims at a small size, its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from distill3d.bench import _plane, modes
from distill3d.bench._plane import WORLDS, Plane, World, descended, spread_of, started
from distill3d.bench.modes import Modes, objective
from distill3d.errors import UserError
from distill3d.prior import Condition

TWO = World(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), torch.tensor([0.25, 0.75]), 0.1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_measures_of_four_particles_by_hand() -> None:
    x = torch.tensor([[-1.0, 0.1], [-1.0, -0.3], [1.2, 0.0], [0.2, 0.0]])
    found = spread_of(x, TWO)
    assert found.coverage == 1 and found.inliers == 0.75 and found.mass_error == pytest.approx(0.25)
    assert found.variance_ratio == pytest.approx((0.01 + 0.09 + 0.04) / 3 / 0.02)
    assert spread_of(x[:2], TWO).coverage == 0.5


@pytest.mark.parametrize("name", WORLDS)
def test_samples_of_a_world_measure_as_right(name: str) -> None:
    world, generator = WORLDS[name](), torch.Generator().manual_seed(0)
    n = 20000
    mode = torch.multinomial(world.shares, n, replacement=True, generator=generator)
    found = spread_of(world.centres[mode] + world.spread * torch.randn(n, 2, generator=generator), world)
    assert found.coverage == 1 and found.inliers > 0.99 and found.mass_error < 0.02
    assert found.variance_ratio == pytest.approx(1, abs=0.03)


def test_the_prior_is_the_score_of_the_noised_mixture() -> None:
    """ε = -σ ∇ log p_t, by automatic differentiation of its own log density."""
    prior = Plane(WORLDS["uneven"]())
    x = torch.randn(16, 1, 1, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    t = torch.linspace(0.2, 1, 16)
    for condition in (Condition("it"), Condition(None)):
        (score,) = torch.autograd.grad(prior.log_density(x, t, condition).sum(), x)
        _, sigma = prior.alpha_sigma(t)
        torch.testing.assert_close(
            prior.noise(x, t, condition).detach(), -sigma[:, None, None, None] * score, atol=2e-4, rtol=2e-3
        )


def after(label: str, world: str, start: str, *, count: int, steps: int) -> Tensor:
    there = WORLDS[world]()
    x = started(there, start, count, 0)
    return descended(
        objective(label, count), there, x, steps=steps, seed=0, one_scene=label.startswith("esd")
    )


@cache
def lying(label: str, start: str) -> _plane.Spread:
    return spread_of(after(label, "ring", start, count=128, steps=800), WORLDS["ring"]())


def test_vsd_finds_all_modes_as_wide_and_as_heavy_as_they_are() -> None:
    found = lying("vsd", "everywhere")
    assert found.coverage == 1 and found.inliers > 0.97
    assert 0.9 <= found.variance_ratio <= 1.15 and found.mass_error < 0.05


@pytest.mark.slow
def test_the_variance_that_is_kept_grows_with_lambda_from_sds_to_vsd() -> None:
    kept = [lying(label, "everywhere").variance_ratio for label in ("sds", "esd=0.5", "esd=0.9", "vsd")]
    assert kept == sorted(kept) and kept[2] - kept[1] > 0.2 and kept[3] - kept[2] > 0.1


def test_esd_at_the_ends_of_lambda_is_sds_and_vsd_with_an_exact_fake() -> None:
    for entropy, label in ((0.0, "sds"), (1.0, "vsd")):
        esd, other = (after(m, "ring", "everywhere", count=16, steps=5) for m in (f"esd={entropy}", label))
        torch.testing.assert_close(esd, other)


@pytest.mark.slow
def test_from_one_mode_sds_stays_and_vsd_spreads() -> None:
    assert lying("sds", "one mode").mass_error > 0.3
    assert lying("vsd", "one mode").mass_error < 0.15


def test_a_folder_holds_the_table_and_the_picture_and_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"methods": "sds,esd=0.5", "seeds": 2, "particles": 8, "steps": 3, "out": tmp_path / "m"}
    lines = list(Modes(**options).lines())
    records = json.loads((tmp_path / "m" / "modes.json").read_text())["results"]
    assert len(records) == 3 * 2 * 2 and len(records[0]["outcome"]["places"]) == 8
    table = (tmp_path / "m" / "modes.md").read_text().splitlines()
    assert len(table) == 2 + 3 * 2 and {line.count("|") for line in table} == {8}
    picture = Image.open(tmp_path / "m" / "modes.png")
    assert picture.width < picture.height and len(picture.getcolors(1 << 20)) > 3

    def again(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(modes, "_run", again)
    assert list(Modes(**options).lines()) == lines
    with pytest.raises(AssertionError, match="measured again"):
        list(Modes(**{**options, "seeds": 3}).lines())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"methods": "sds,vsdd"}, 'unknown method "vsdd"; did you mean vsd'),
        ({"methods": "sds=0.5"}, 'unknown method with an entropy "sds=0.5"'),
        ({"methods": "esd=much"}, 'entropy "much" in esd=much is no number'),
        ({"methods": "esd=2"}, "--method.entropy is 2; expected a number from 0 to 1"),
        ({"seeds": 0}, "seeds is 0; expected a whole number of at least 1"),
        ({"jobs": 2}, "jobs is 2; expected 1"),
        ({"methods": "sds,jsd_joint"}, "jsd_joint needs a prior of many views and plane knows single"),
    ],
)
def test_mistakes_are_sentences(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises((UserError, ValueError), match=sentence):
        Modes(**wrong)  # type: ignore[arg-type]
