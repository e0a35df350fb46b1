"""A model on disk as --prior: its folder is enough, and what is missing is said first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import Said
from tests.priors import tiny_diffusion

Run = Callable[..., Said]

TINY = ["--steps", "3", "--size", "12", "--views", "2", "--picture-size", "16", "--scene.count", "40"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_diffusion.write(tmp_path_factory.mktemp("model") / "tiny")


@pytest.mark.parametrize("method", ["sds", "vsd", "esd"])
@pytest.mark.parametrize("joined", [False, True])
def test_a_folder_is_enough(distill3d: Run, model: Path, tmp_path: Path, method: str, joined: bool) -> None:
    prior = [f"--prior={model}"] if joined else ["--prior", model]
    fake = [] if method == "sds" else ["--method.fake", "lora"]
    said = distill3d(
        "generate", "a thing", *prior, "--method", method, *fake, *TINY, "--out", tmp_path / "out"
    )
    assert said.code == 0, said.err
    options = json.loads((tmp_path / "out" / "run.json").read_text())["options"]
    assert options["prior"] == "stable_diffusion" and options["prior_options"]["model"] == str(model)
    assert (tmp_path / "out" / "turntable.png").exists()


def test_a_model_that_is_not_there_is_one_sentence_and_leaves_nothing(
    distill3d: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for prior, words in {
        "./nowhere/at/all": "no model in nowhere/at/all, which does not exist",
        "nobody/has-this": 'no model "nobody/has-this": looked in ',
    }.items():
        said = distill3d("generate", "a thing", "--prior", prior, *TINY)
        assert said.code == 2 and words in said.err and "Traceback" not in said.err
    assert not (tmp_path / "runs").exists()


def test_a_word_that_is_neither_is_an_unknown_prior(distill3d: Run) -> None:
    said = distill3d("generate", "a thing", "--prior", "exakt", *TINY)
    assert said.code == 2 and 'unknown prior "exakt"; did you mean exact' in said.err
