"""Judges tell the prompt's object from others, and their reward can be climbed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from distill3d.camera import turntable
from distill3d.errors import UserError
from distill3d.judge import Judge
from distill3d.judges import world
from distill3d.judges.vision_language import VisionLanguage
from distill3d.moment import Moment
from distill3d.objectives.reward import Reward
from distill3d.objectives.sds import SDS
from distill3d.prior import Condition
from distill3d.priors.blob import Blob
from distill3d.rendering import Rendering
from distill3d.teachers.score import Score
from distill3d.world.grammar import describe
from distill3d.world.model import instances


class Redness(Judge):
    def reward(self, pictures, prompt):
        return pictures[..., 0].sum((1, 2))


def test_the_penalty_is_minus_the_weighted_mean_reward() -> None:
    objective = Reward(weight=0.5)
    objective.who = Redness()
    pictures = torch.rand(3, 2, 2, 3, requires_grad=True)
    loss = objective.penalty(pictures, Condition("it"))
    (g,) = torch.autograd.grad(loss, pictures)
    assert torch.equal(g[..., 0], torch.full((3, 2, 2), -0.5 / 3)) and g[..., 1:].abs().max() == 0


def test_the_score_teacher_adds_it_to_the_methods_loss() -> None:
    rendering = Rendering(torch.full((2, 2, 2, 3), 0.3), torch.ones(2, 2, 2, 1))
    objective = Reward(weight=0.5)
    objective.who = Redness()
    with_reward, without = (
        Score(Blob(), o, "it", backgrounds=0.0)(
            turntable(2, width=2, height=2), rendering, Moment(1, 1, torch.Generator().manual_seed(0))
        )
        for o in (objective, SDS())
    )
    torch.testing.assert_close(with_reward.total, without.total - 0.5 * 4 * torch.tensor(0.3))
    assert "penalty" in with_reward.parts and "penalty" not in without.parts


def test_a_reward_on_a_reward_and_an_unknown_base_are_refused() -> None:
    with pytest.raises(UserError, match=r"--method.base is reward itself"):
        Reward(base="reward")
    with pytest.raises(UserError, match=r'unknown --method.base "sdss"; did you mean'):
        Reward(base="sdss")


def test_a_folder_without_a_model_is_refused_before_the_run(tmp_path: Path) -> None:
    for folder in ("", str(tmp_path), str(tmp_path / "missing")):
        with pytest.raises(UserError, match=r"--method.model is .* has no config.json.*hf download"):
            Score(Blob(), Reward(judge="vision_language", model=folder), "it")


@pytest.mark.slow
def test_the_worlds_judge_knows_unseen_instances_of_its_prompt_from_other_things() -> None:
    judge, cameras = world.World(), turntable(8, width=48, height=48)

    def seen(prompt: str, index: int) -> torch.Tensor:
        model = instances(describe(prompt), index + 1)[index]
        return judge.reward(model.render(cameras, want=("rgb", "alpha")).over((1.0, 1.0, 1.0)), "a red robot")

    own, others = seen("a red robot", 7), torch.cat([seen(p, 0) for p in ("a blue mug", "a green tree")])
    assert (own > 0).float().mean() >= 0.75 and (others < 0).float().mean() >= 0.75
    assert own.mean() > others.mean() + 2


def tiny_clip(folder: Path) -> None:
    """A random model with two encoders, in transformers' layout."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    words = ["<|startoftext|>", "<|endoftext|>", "a</w>", "r", "e", "d</w>", "red</w>", "re"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\nr e\nre d</w>\n")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {
        **sizes,
        "vocab_size": len(words),
        "max_position_embeddings": 8,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    config = CLIPConfig(
        text_config=text, vision_config={**sizes, "image_size": 16, "patch_size": 8}, projection_dim=8
    )
    CLIPModel(config).save_pretrained(folder)
    CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=8).save_pretrained(
        folder
    )
    CLIPImageProcessor(size={"shortest_edge": 16}).save_pretrained(folder)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_real_models_reward_reaches_the_pictures_and_can_be_climbed(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    tiny_clip(tmp_path / "clip")
    judge = VisionLanguage(model=str(tmp_path / "clip"))
    judge.check()
    pictures = torch.rand(2, 24, 24, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    before = judge.reward(pictures, "a red")
    (g,) = torch.autograd.grad(before.sum(), pictures)
    assert g.abs().max() > 0
    after = judge.reward(pictures.detach() + 1e-2 * g / g.abs().max(), "a red")
    assert (after > before).all()
