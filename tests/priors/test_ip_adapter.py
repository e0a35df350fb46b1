"""A Stable Diffusion that is shown pictures through an IP-Adapter, both of random weights on disk."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distill3d.camera import turntable
from distill3d.distill import distill
from distill3d.errors import UserError
from distill3d.objectives.csm import CSM
from distill3d.prior import Condition, Question, guided
from distill3d.priors.stable_diffusion import StableDiffusion
from distill3d.representations.gaussians import Gaussians
from distill3d.rig import Rig
from distill3d.teachers.score import Score
from distill3d.visual_prompt import VisualPrompt

from . import tiny_diffusion

PROMPT = "a red robot"
SIDE = tiny_diffusion.PIXELS // tiny_diffusion.PIXELS_PER_LATENT
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_diffusion.write(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def plain(folder: Path) -> StableDiffusion:
    return StableDiffusion(model=str(folder), device="cpu")


@pytest.fixture(scope="module", params=[False, True], ids=["vector", "patches"])
def adapter(request, plain: StableDiffusion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("adapter")
    return tiny_diffusion.write_ip_adapter(path, plain.models.unet, by_patch=request.param)


@pytest.fixture(scope="module")
def shown(folder: Path, adapter: Path) -> StableDiffusion:
    return StableDiffusion(model=str(folder), ip_adapter=str(adapter), device="cpu")


def pictures(count: int, seed: int = 0) -> VisualPrompt:
    return VisualPrompt(torch.rand(count, 10, 12, 3, generator=torch.Generator().manual_seed(seed)))


def question(visual: VisualPrompt | None = None) -> Question:
    generator = torch.Generator().manual_seed(0)
    noisy = torch.randn(2, SIDE, SIDE, 4, generator=generator)
    condition = Condition(PROMPT, turntable(2, width=8, height=8), visual=visual)
    return Question(noisy, torch.tensor([0.3, 0.7]), condition)


def asked(prior: StableDiffusion, q: Question) -> torch.Tensor:
    with torch.no_grad():
        return prior.noise(q.noisy, q.t, q.condition)


def test_what_is_shown_changes_what_is_seen(shown: StableDiffusion) -> None:
    answers = [asked(shown, question(visual)) for visual in (None, pictures(1, 1), pictures(1, 2))]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert (answers[i] - answers[j]).abs().amax((1, 2, 3)).min() > 1e-4


def test_guidance_goes_from_nothing_shown_to_the_picture(shown: StableDiffusion) -> None:
    """The null prompt is without words and without picture."""
    q = question(pictures(1))
    null = asked(shown, replace(q, condition=Condition(None, q.condition.cameras)))
    with torch.no_grad():
        both = guided(shown, q.noisy, q.t, q.condition, 3.0)
    torch.testing.assert_close(both, null + 3 * (asked(shown, q) - null), atol=1e-4, rtol=1e-3)


def test_several_pictures_have_one_say_in_whichever_order(shown: StableDiffusion) -> None:
    some = pictures(3)
    turned = VisualPrompt(some.rgb.flip(0))
    torch.testing.assert_close(asked(shown, question(some)), asked(shown, question(turned)))
    twice = VisualPrompt(some.rgb[[0, 0]])
    one = VisualPrompt(some.rgb[:1])
    torch.testing.assert_close(asked(shown, question(twice)), asked(shown, question(one)))


def test_an_adapter_without_weight_leaves_the_model_as_it_was(
    shown: StableDiffusion, plain: StableDiffusion
) -> None:
    pipeline = shown.models.ip_adapter.pipeline  # type: ignore[union-attr]
    pipeline.set_ip_adapter_scale(0.0)
    torch.testing.assert_close(asked(shown, question(pictures(1))), asked(plain, question()))
    pipeline.set_ip_adapter_scale(1.0)


def test_a_fake_that_learns_is_shown_the_same(shown: StableDiffusion) -> None:
    q = question(pictures(1))
    with torch.no_grad():
        said = shown.adapter(2)(q.noisy, q.t, q.condition)
    torch.testing.assert_close(said, asked(shown, replace(q, condition=q.condition.without_cameras())))
    assert not any(p.requires_grad for p in shown.models.unet.parameters())


def test_csm_with_a_picture_moves_a_scene(shown: StableDiffusion) -> None:
    scene = Gaussians.start(seed=0, count=30)
    teacher = Score(shown, CSM(picture=str(DOCS / "chair.png"), hops=1), PROMPT)
    steps = list(distill(scene, teacher, steps=2, rig=Rig(), views=2, size=12))
    assert steps[-1].parts["gradient"] > 0


def test_without_an_adapter_a_picture_is_refused_wherever_it_comes_from(plain: StableDiffusion) -> None:
    with pytest.raises(UserError, match=r"through an IP-Adapter and has none.*--prior.ip-adapter"):
        Score(plain, CSM(picture=str(DOCS / "chair.png")), PROMPT)
    with pytest.raises(UserError, match="through an IP-Adapter and has none"):
        asked(plain, question(pictures(1)))


def test_what_is_no_adapter_is_one_sentence(folder: Path, adapter: Path, tmp_path: Path) -> None:
    several, alone, broken = (tmp_path / name for name in ("several", "alone", "broken"))
    for path in (several, broken):
        shutil.copytree(adapter, path)
    shutil.copy(adapter / "ip-adapter.safetensors", several / "ip-adapter-plus.safetensors")
    alone.mkdir()
    shutil.copy(adapter / "ip-adapter.safetensors", alone)
    (broken / "ip-adapter.safetensors").write_bytes(b"nothing")
    for path, words in {
        tmp_path / "gone": "no IP-Adapter in .*gone; expected a .safetensors file",
        tmp_path: "no IP-Adapter in",
        several: r"holds several IP-Adapters \(ip-adapter-plus.safetensors, ip-adapter.safetensors\); give",
        alone: "has no folder image_encoder beside it",
        broken: r"cannot be put on this model \(",
    }.items():
        with pytest.raises(UserError, match=words) as refused:
            _ = StableDiffusion(model=str(folder), ip_adapter=str(path), device="cpu").models
        assert "\n" not in str(refused.value)
