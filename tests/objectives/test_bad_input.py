"""Settings that cannot work: one sentence that names the option, before anything is begun."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from distill3d import plugins
from distill3d.camera import turntable
from distill3d.distill import Collapsed
from distill3d.errors import UserError
from distill3d.fakes._learned import Learned
from distill3d.moment import Moment
from distill3d.objective import Objective
from distill3d.objectives.c_sds import CSDS
from distill3d.objectives.cds import CDS
from distill3d.objectives.csd import CSD
from distill3d.objectives.esd import ESD
from distill3d.objectives.f_vsd import FVSD
from distill3d.objectives.jsd_joint import JSDJoint
from distill3d.objectives.nfsd import NFSD
from distill3d.objectives.sdi import SDI
from distill3d.objectives.sds import SDS
from distill3d.objectives.vsd import VSD
from distill3d.prior import Prior
from distill3d.priors.blob import Blob
from distill3d.priors.exact import Exact
from distill3d.rendering import Rendering
from distill3d.teachers.score import Score

from .particles import Line, as_rendering, gradient_of, one_scene


class Single(Prior):
    """A prior without a null prompt."""

    null_prompt = False

    def noise(self, noisy, t, condition):
        return noisy


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: SDS(t_first=(0.1, 0.2), t_last=(0.5, 0.6)),
            "--method.t-last 0.5 0.6 is above --method.t-first",
        ),
        (lambda: SDS(t_first=(0.9, 0.5)), "--method.t-first is 0.9 0.5.*lower one first"),
        (lambda: SDS(t_last=(-0.1, 0.2)), "--method.t-last is -0.1 0.2"),
        (lambda: SDS(clip=(0.0, 1.0)), "--method.clip is 0 1"),
        (lambda: SDS(rescale=2.0), "--method.rescale is 2; expected a number from 0 to 1"),
        (lambda: ESD(entropy=1.5), "--method.entropy is 1.5; expected a number from 0 to 1"),
        (lambda: ESD(entropy=-0.1), "--method.entropy is -0.1"),
        (lambda: ESD(memory=0), "--method.memory is 0"),
        (lambda: VSD(fake_rate=0.0), "--method.fake-rate is 0"),
        (lambda: VSD(fake_steps=0), "--method.fake-steps is 0"),
        (lambda: CSD(share=(1.0, 1.2)), "--method.share is 1.2"),
        (lambda: CDS(gap=(0.3, 0.1)), "--method.gap is 0.3 0.1"),
        (lambda: NFSD(threshold=3.0), "--method.threshold is 3"),
        (lambda: SDI(hops=0), "--method.hops is 0"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(make, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


def test_an_unknown_fake_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r'unknown --method.fake "netwrk"; did you mean network'):
        VSD(fake="netwrk")


@pytest.mark.parametrize("name", sorted({*plugins.menu("objectives")} - {"reward"}))
def test_guidance_with_a_prior_without_a_null_prompt_is_refused_before_the_run(name: str) -> None:
    method = plugins.load("objectives", name, "method", "--help")
    objective = method(guidance=7.5) if "guidance" in method.__dataclass_fields__ else method()
    with pytest.raises(
        UserError, match=r"single has no null prompt.*--method.guidance 1|needs a prior of many"
    ):
        Score(Single(), objective, "it")


@pytest.mark.parametrize(
    ("objective", "option"),
    [
        (CSD(negative="a blurry xylophage"), "negative"),
        (NFSD(negative="a blurry xylophage"), "negative"),
        (CSDS(category="xylophage"), "category"),
    ],
)
def test_words_that_the_prior_cannot_read_are_refused_before_the_run(objective, option: str) -> None:
    with pytest.raises(UserError, match=rf"--method.{option}: unknown word"):
        Score(Exact(), objective, "a red robot")


def test_without_guidance_such_a_prior_is_welcome() -> None:
    Score(Single(), SDS(), "it")
    Score(Single(), ESD(), "it")


def test_lora_beside_a_prior_without_weights_is_refused_before_the_run() -> None:
    with pytest.raises(UserError, match=r"--prior blob has no weights to adapt.*--method.fake network"):
        Score(Blob(), VSD(fake="lora"), "it")


def test_a_joint_prior_is_asked_for_before_the_run() -> None:
    with pytest.raises(UserError, match=r"jsd_joint needs a prior of many views and blob knows single"):
        Score(Blob(), JSDJoint(), "it")


def test_a_ratio_without_densities_names_what_has_them() -> None:
    x = torch.linspace(-1, 1, 3)
    with pytest.raises(UserError, match=r"--method.fake network has no density.*--method.fake own"):
        gradient_of(FVSD(fake="network"), x, Line(), one_scene(3))


@dataclass
class Frozen(Learned):
    """A learned fake that cannot learn."""

    def model_for(self, x, prior):
        return torch.nn.Linear(1, 1).requires_grad_(False)


def test_a_learned_fake_whose_parameters_are_frozen_is_refused() -> None:
    with pytest.raises(UserError, match=r"--method.fake frozen: all parameters of the model are frozen"):
        Frozen().learn(as_rendering(torch.zeros(2)), Line(), one_scene(2), Moment(1, 1, torch.Generator()))


class Overflowing(Objective):
    def gradient(self, x, prior, condition, moment):
        return x / 0


@pytest.mark.parametrize(
    ("precision", "advice"), [("float32", "--method.guidance"), ("float16", "--prior.precision float32")]
)
def test_a_gradient_that_is_not_finite_ends_the_run_and_is_not_taken_for_zero(precision, advice) -> None:
    prior = Blob()
    prior.precision = precision
    rendering = Rendering(torch.zeros(1, 2, 2, 3), torch.ones(1, 2, 2, 1))
    teacher = Score(prior, Overflowing(), "it", backgrounds=0.0)
    moment = Moment(7, 9, torch.Generator())
    with pytest.raises(Collapsed, match=rf"overflowing is not finite at step 7.*{advice}"):
        teacher(turntable(1, width=2, height=2), rendering, moment)


@pytest.mark.parametrize("prompt", ["a red robot, back view", "Side view of a red robot"])
def test_a_prompt_with_a_view_of_its_own_has_no_other_views_to_be_negative(prompt: str) -> None:
    with pytest.raises(UserError, match=rf'--method.perp-neg names the views itself, and "{prompt}" says'):
        Score(Exact(), SDS(perp_neg=1.0), prompt)
    Score(Exact(), SDS(), prompt)
    Score(Exact(), SDS(perp_neg=1.0), "a red robot with a reviewed face")


DOCS = Path(__file__).parents[2] / "docs"
COMMAND = ["generate", "a red robot", "--steps", "2", "--size", "8", "--views", "1", "--picture-size", "16"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--method", "csd", "--method.guidance", "3"], 'unknown flag "--method.guidance"'),
        (["--method", "sds", "--method.entropy", "0.5"], 'unknown flag "--method.entropy"'),
        (
            ["--method.t-first", "0.1", "0.2", "--method.t-last", "0.3", "0.4"],
            "--method.t-last 0.3 0.4 is above",
        ),
        (
            ["--method", "esd", "--method.entropy", "1.5"],
            "--method.entropy is 1.5; expected a number from 0 to 1",
        ),
        (["--method", "vsd", "--method.fake", "lora"], "has no weights to adapt"),
        (["--method", "csm", "--method.picture", "gone.png"], "no picture gone.png: there is no such file"),
        (
            ["--method", "c_sds", "--method.views", "gone"],
            "gone is not a folder; expected a dataset's folder",
        ),
        (["--method", "c_sds", "--method.views", str(DOCS)], "docs is no dataset; expected transforms.json"),
        (
            ["--method", "csm", "--method.picture", str(DOCS / "objectives.md")],
            "objectives.md is not a picture that can be read",
        ),
        (
            ["--method", "csm", "--method.picture", str(DOCS / "chair.png")],
            "exact expects a square one",
        ),
        (
            ["--method", "csm", "--method.picture", str(DOCS / "chair.png"), "--prior", "blob"],
            "blob reads words only and cannot be shown a picture; use --prior exact",
        ),
        (
            ["--method", "sds", "--method.perp-neg", "1", "--prior", "blob", "--method.rescale", "2"],
            "--method.rescale",
        ),
    ],
)
def test_the_command_says_it_in_a_sentence_and_leaves_nothing(
    flags: list[str], sentence: str, tmp_path, monkeypatch, capsys
) -> None:
    from distill3d.__main__ import main

    monkeypatch.chdir(tmp_path)
    assert main([*COMMAND, *flags]) == 2
    said = capsys.readouterr()
    assert sentence in said.err and said.err.count("\n") == 1 and not said.out
    assert not list(tmp_path.iterdir())
