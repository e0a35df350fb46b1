"""The Stable Diffusion prior on a random-weight model on disk: its laws hold for any weights."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from distill3d.camera import orbit, turntable
from distill3d.distill import distill
from distill3d.errors import UserError
from distill3d.objectives.esd import ESD
from distill3d.objectives.sds import SDS
from distill3d.objectives.vsd import VSD
from distill3d.prior import Condition, Question, guided, per_picture
from distill3d.priors.stable_diffusion import StableDiffusion
from distill3d.representations.gaussians import Gaussians
from distill3d.rig import Rig
from distill3d.teachers.score import Score

from . import tiny_diffusion

PROMPT = "a red robot"
SIDE = tiny_diffusion.PIXELS // tiny_diffusion.PIXELS_PER_LATENT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_diffusion.write(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def loaded(folder: Path) -> StableDiffusion:
    prior = StableDiffusion(model=str(folder), device="cpu")
    assert prior.models.parametrisation == "epsilon"
    return prior


def speaking(prior: StableDiffusion, parametrisation: str, unet: nn.Module) -> StableDiffusion:
    """The prior with another U-Net in its place."""
    other = StableDiffusion(model=prior.model, device="cpu")
    other.__dict__["models"] = replace(prior.models, unet=unet, parametrisation=parametrisation)
    return other


class Translated(nn.Module):
    """A U-Net that says ε, in other words: the same function in another parametrisation."""

    def __init__(self, prior: StableDiffusion, words: Callable[..., Tensor]) -> None:
        super().__init__()
        self.prior, self.words, self.calls = prior, words, 0

    def forward(self, noisy: Tensor, steps: Tensor, **told: Any) -> SimpleNamespace:
        self.calls += 1
        said = self.prior.models.unet(noisy, steps, **told).sample
        alpha, sigma = (per_picture(a, noisy) for a in self.prior.alpha_sigma(steps / 999))
        return SimpleNamespace(sample=self.words(said, noisy, alpha, sigma))


def question(count: int = 3, prompt: str | None = PROMPT) -> Question:
    generator = torch.Generator().manual_seed(count)
    noisy = torch.randn(count, SIDE, SIDE, 4, generator=generator)
    t = torch.rand(count, generator=generator) * 0.9 + 0.05
    return Question(noisy, t, Condition(prompt, turntable(count, width=8, height=8)))


def asked(prior: StableDiffusion, q: Question) -> Tensor:
    with torch.no_grad():
        return prior.noise(q.noisy, q.t, q.condition)


@pytest.mark.parametrize(
    ("parametrisation", "words"),
    [
        ("v_prediction", lambda e, x_t, a, s: a * e - s * (x_t - s * e) / a),
        ("sample", lambda e, x_t, a, s: (x_t - s * e) / a),
    ],
)
def test_one_function_in_three_parametrisations_is_one_prior(
    loaded: StableDiffusion, parametrisation: str, words: Callable[..., Tensor]
) -> None:
    other = speaking(loaded, parametrisation, Translated(loaded, words))
    q = question()
    torch.testing.assert_close(asked(other, q), asked(loaded, q), atol=2e-5, rtol=1e-4)


def test_the_parametrisation_is_read_from_the_model(tmp_path: Path) -> None:
    folder = tiny_diffusion.write(tmp_path / "v", prediction_type="v_prediction")
    assert StableDiffusion(model=str(folder), device="cpu").models.parametrisation == "v_prediction"


def test_guidance_is_one_call_of_the_network_for_both_prompts(loaded: StableDiffusion) -> None:
    counting = Translated(loaded, lambda e, *_: e)
    prior, q = speaking(loaded, "epsilon", counting), question()
    with torch.no_grad():
        both = guided(prior, q.noisy, q.t, q.condition, 3.0)
    assert counting.calls == 1
    told, null = asked(loaded, q), asked(loaded, replace(q, condition=q.condition.without_prompt()))
    assert (told - null).abs().max() > 1e-4
    torch.testing.assert_close(both, null + 3 * (told - null), atol=1e-5, rtol=1e-4)


def test_guidance_of_0_and_1_ask_for_one_prompt_alone(loaded: StableDiffusion) -> None:
    q = question()
    with torch.no_grad():
        for scale, prompt in ((0.0, None), (1.0, PROMPT)):
            expected = asked(loaded, question(prompt=prompt))
            assert torch.equal(guided(loaded, q.noisy, q.t, q.condition, scale), expected)


def test_the_schedule_is_the_models_at_its_own_steps(loaded: StableDiffusion) -> None:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    steps = torch.tensor([0, 1, 500, 998, 999])
    expected = (1 - betas).cumprod(0).sqrt()[steps]
    alpha, sigma = loaded.alpha_sigma(steps.double() / 999)
    torch.testing.assert_close(alpha, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))
    between, _ = loaded.alpha_sigma(torch.linspace(0, 1, 5000))
    assert (between.diff() < 0).all() and between.diff().abs().max() < 1e-3


def test_gradients_come_through_the_encoder_to_the_pictures(loaded: StableDiffusion) -> None:
    """Along any direction, they are the difference that a small step makes."""
    generator = torch.Generator().manual_seed(0)
    rgb, direction = torch.rand(2, 2, 8, 8, 3, generator=generator)
    target = torch.randn(2, SIDE, SIDE, 4, generator=generator)
    rgb.requires_grad_()
    (gradient,) = torch.autograd.grad((loaded.encode(rgb) * target).sum(), rgb)
    step = 1e-2
    with torch.no_grad():
        ends = [(loaded.encode(rgb + s * direction) * target).sum() for s in (step, -step)]
    assert (gradient * direction).sum().item() == pytest.approx(
        (ends[0] - ends[1]).item() / 2 / step, rel=0.01
    )
    assert (gradient.abs().amax(-1) > 0).all()


def test_pictures_of_any_size_become_latents_of_one(loaded: StableDiffusion) -> None:
    grey = torch.full((1, 4, 4, 3), 0.3)
    latents = loaded.encode(grey)
    assert latents.shape == (1, SIDE, SIDE, 4)
    torch.testing.assert_close(loaded.encode(grey.expand(9, -1, -1, -1)), latents.expand(9, -1, -1, -1))
    torch.testing.assert_close(loaded.encode(torch.full((1, 40, 40, 3), 0.3)), latents)
    assert loaded.decode(latents).shape == (1, tiny_diffusion.PIXELS, tiny_diffusion.PIXELS, 3)


def test_cameras_give_the_prompt_their_view_words(loaded: StableDiffusion) -> None:
    azimuths, elevations = torch.tensor([0.0, math.pi / 2, math.pi, 1.0]), torch.tensor([0.1, 0.1, 0.1, 1.3])
    cameras = orbit(azimuths, elevations, width=8, height=8)
    q = replace(question(4), condition=Condition(PROMPT, cameras))
    plain = StableDiffusion(model=loaded.model, device="cpu", view_prompts=False)
    plain.__dict__["models"] = loaded.models
    words = ("front", "side", "back", "overhead")
    by_hand = [
        asked(plain, replace(q, condition=Condition(f"{PROMPT}, {word} view", cameras)))[i]
        for i, word in enumerate(words)
    ]
    torch.testing.assert_close(asked(loaded, q), torch.stack(by_hand), atol=1e-5, rtol=1e-4)
    assert len({round(float(row.sum()), 4) for row in by_hand}) == 4


def test_a_new_adapter_is_the_prior_and_shares_its_weights(loaded: StableDiffusion) -> None:
    adapter, q = loaded.adapter(2), question()
    with torch.no_grad():
        said = adapter(q.noisy, q.t, q.condition)
    torch.testing.assert_close(said, asked(loaded, replace(q, condition=q.condition.without_cameras())))
    frozen = {p.data_ptr() for p in adapter.parameters() if not p.requires_grad}
    assert frozen == {p.data_ptr() for p in loaded.models.unet.parameters()}


def test_only_what_the_adapter_adds_learns_and_the_prior_stays(loaded: StableDiffusion) -> None:
    q = question()
    before, was = asked(loaded, q), {k: v.clone() for k, v in loaded.models.unet.state_dict().items()}
    adapter = loaded.adapter(2)
    learnable = {name: p for name, p in adapter.named_parameters() if p.requires_grad}
    assert learnable and all("lora_" in name or "class_embedding" in name for name in learnable)
    optimizer = torch.optim.Adam(learnable.values(), lr=0.01)
    target = torch.zeros_like(q.noisy)
    errors = []
    for _ in range(8):
        error = (adapter(q.noisy, q.t, q.condition) - target).square().mean()
        errors.append(error.item())
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert errors[-1] < 0.9 * errors[0]
    assert all(p.grad is None for p in adapter.parameters() if not p.requires_grad)
    assert torch.equal(asked(loaded, q), before)
    assert all(torch.equal(was[name], value) for name, value in loaded.models.unet.state_dict().items())


def test_an_adapter_learns_cameras_apart_and_none_as_a_case_of_its_own(loaded: StableDiffusion) -> None:
    torch.manual_seed(0)
    adapter, q = loaded.adapter(2), question()
    with torch.no_grad():
        for parameter in adapter.parameters():
            if parameter.requires_grad:
                parameter += 0.3 * torch.randn_like(parameter)
        conditions = [q.condition, q.condition[torch.tensor([1, 2, 0])], q.condition.without_cameras()]
        said = [adapter(q.noisy, q.t, condition) for condition in conditions]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert (said[i] - said[j]).abs().amax((1, 2, 3)).min() > 1e-3


OBJECTIVES = {
    "sds": SDS,
    "vsd": partial(VSD, fake="lora"),
    "esd": partial(ESD, memory=4),
    "esd_lora": partial(ESD, fake="lora", entropy=0.5),
}


@pytest.mark.parametrize("method", OBJECTIVES)
def test_five_steps_move_a_scene_and_go_on_to_the_same_bits(loaded: StableDiffusion, method: str) -> None:
    run = partial(distill, steps=5, rig=Rig(), views=2, size=12, seed=1)
    scene = Gaussians.start(seed=0, count=50)
    before = scene.state_dict()["means"].clone()
    state = {}
    for step in run(scene, Score(loaded, OBJECTIVES[method](), PROMPT)):
        assert math.isfinite(step.loss) and step.parts["gradient"] > 0
        if step.number == 3:
            state = copy.deepcopy(step.state())
    after = scene.state_dict()["means"]
    assert (after - before).abs().max() > 1e-4
    other = Gaussians.from_state(state["student"])
    for _ in run(other, Score(loaded, OBJECTIVES[method](), PROMPT), state=state):
        pass
    assert torch.equal(other.state_dict()["means"], after)


def test_a_learned_fake_trains_its_adapter_alone(loaded: StableDiffusion) -> None:
    objective = VSD(fake="lora", fake_rate=0.01)
    was = {name: value.clone() for name, value in loaded.models.unet.state_dict().items()}
    states = [
        copy.deepcopy(objective.state_dict()["q"]["model"])
        for step in distill(
            Gaussians.start(seed=0, count=50),
            Score(loaded, objective, PROMPT),
            steps=3,
            rig=Rig(),
            views=2,
            size=12,
        )
    ]
    assert all(torch.equal(was[name], value) for name, value in loaded.models.unet.state_dict().items())
    moved = [name for name, value in states[0].items() if not torch.equal(value, states[-1][name])]
    assert any("lora_B" in name for name in moved) and any("class_embedding" in name for name in moved)
    assert all("lora_" in name or "class_embedding" in name for name in states[0])


def test_what_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.safetensors").write_bytes(b"not a model")
    for model, words in {
        str(tmp_path / "nothing"): ["which does not exist", "expected a folder in diffusers' layout"],
        str(tmp_path / "empty"): ["has no folder unet"],
        str(tmp_path / "model.ckpt"): ["is a pickle", ".safetensors"],
        str(tmp_path / "gone.safetensors"): ["there is no such file"],
        str(tmp_path / "no.safetensors"): ["cannot be read", "--prior.layout"],
        "runwayml/stable-diffusion-v1-5": [
            'no model "runwayml/stable-diffusion-v1-5"',
            "looked in ",
            "HF_HUB_OFFLINE is set",
            "was deleted",
            "hf download stable-diffusion-v1-5/stable-diffusion-v1-5",
        ],
    }.items():
        with pytest.raises(UserError) as refused:
            _ = StableDiffusion(model=model, device="cpu").models
        assert "\n" not in str(refused.value)
        for word in words:
            assert word in str(refused.value)


def test_a_model_of_another_kind_or_half_a_model_is_refused(tmp_path: Path) -> None:
    folder = tiny_diffusion.write(tmp_path / "m", prediction_type="flow_prediction")
    with pytest.raises(UserError, match="predicts flow_prediction; expected one of epsilon"):
        _ = StableDiffusion(model=str(folder), device="cpu").models
    config = folder / "vae" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"latent_channels": 8}))
    with pytest.raises(UserError, match="cannot be read"):
        _ = StableDiffusion(model=str(folder), device="cpu").models
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        _ = StableDiffusion(model=str(folder), device="cpu").models


def test_what_the_model_cannot_take_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prior = StableDiffusion(model=str(folder), device="cpu")
    with pytest.raises(UserError, match="tokens and the model reads 32"):
        prior.condition("x" * 60, turntable(1, width=8, height=8), torch.ones(1, 3))
    with pytest.raises(UserError, match="expected a multiple of 2,"):
        _ = StableDiffusion(model=str(folder), device="cpu", pixels=15).models
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch sees no CUDA device"):
        StableDiffusion(model=str(folder), device="cuda")
