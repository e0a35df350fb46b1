"""Make a 3-D scene from words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill3d import plugins
from distill3d.commands import _device, _flags, _generate_preset, _generate_recipe
from distill3d.commands._options import Grammar
from distill3d.commands._training import Command, Parts
from distill3d.errors import UserError, given_by_user
from distill3d.recipe import METHOD, PRIOR, SCENE, SIZE, STEPS, VIEWS

if TYPE_CHECKING:
    from distill3d.runs import Checkpoint, Run
    from distill3d.scene import Scene


@dataclass(frozen=True)
class Options:
    """Make a 3-D scene from words.

    A student scene is rendered from random cameras; a prior that knows pictures says, through a distillation
    method, how they should change. `distill3d world` lists the words that the default prior knows. --prior
    also takes the hub id, folder or .safetensors file of a Stable Diffusion model, which knows many more.
    --recipe NAME makes it in several stages instead, and has flags of its own: --recipe NAME --help.
    """

    prompt: _flags.Words = ""
    """What to make, in quotes: "a red robot"."""
    recipe: _generate_recipe.Recipe = ""
    preset: _generate_preset.Preset = ""
    steps: int = STEPS
    """How often the scene is rendered and improved."""
    views: int = VIEWS
    """Pictures for each step."""
    size: int = SIZE
    """Side of these pictures in pixels; a run begins with smaller ones."""
    particles: int = 1
    """Scenes that are made together, each from so many views: vsd, esd and their kin keep them apart."""


MODELS = "stable_diffusion"
"""The kind of prior that --prior means when it is given a model and not the name of a kind."""
GRAMMAR = Grammar(
    "generate",
    Options,
    {
        "method": ("objectives", METHOD),
        "scene": ("representations", SCENE),
        "prior": ("priors", PRIOR),
    },
    {
        "rig": ("rig.py", "Rig", "how the cameras are drawn"),
        "regularise": ("regularised.py", "Regularise", "weights of regularisers, 0 is without"),
    },
)


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    words = _with_model(argv)
    if _generate_recipe.meant(words):
        return _generate_recipe.main(words)
    return Command(GRAMMAR, _resolve, _folder_name, _build, _finish).main(_generate_preset.expanded(words))


def _with_model(argv: Sequence[str]) -> list[str]:
    """`--prior FOLDER`, `--prior FILE` and `--prior HUB/ID` as the flags that they are short for."""
    given = _flags.given(argv, "prior")
    if given is None or given in plugins.menu("priors"):
        return list(argv)
    if "/" not in given and not Path(given).exists():
        return list(argv)
    meant = ["--prior", MODELS, f"--prior.model={given}"]
    words, at = list(argv), next(i for i, word in enumerate(argv) if word in ("--prior", f"--prior={given}"))
    return words[:at] + meant + words[at + (2 if words[at] == "--prior" else 1) :]


def _folder_name(options: Any) -> str:
    from distill3d.runs import slug

    return slug(options.prompt)


def _resolve(options: Any) -> Any:
    if not options.prompt.strip():
        raise UserError('no prompt was given; expected words in quotes: distill3d generate "a red robot"')
    for name in ("steps", "views", "size", "particles", "checkpoint_every", "picture_size"):
        _flags.at_least(1, name, getattr(options, name))
    return options


def _build(options: Any, checkpoint: Checkpoint | None) -> Parts:
    """The parts that the options name; a prompt that the prior does not understand is refused here."""
    import torch

    from distill3d.camera import turntable
    from distill3d.distill import Pictures
    from distill3d.particles import Particles, Repeated
    from distill3d.regularised import Regularise
    from distill3d.rig import Rig
    from distill3d.teachers.photographed import beside_photographs
    from distill3d.teachers.score import Score

    kinds = {
        name: plugins.load(folder, getattr(options, name), name, GRAMMAR.help)
        for name, (folder, _) in GRAMMAR.kinds.items()
    }
    device = _device.device(options.device)
    with given_by_user():
        objective = kinds["method"](**dataclasses.asdict(options.method_options))
        prior = kinds["prior"](**dataclasses.asdict(options.prior_options))
        rig = Rig(**dataclasses.asdict(options.rig_options))
        source = rig.among(prior.stations_at)
        regularise = Regularise(**dataclasses.asdict(options.regularise_options))
        camera = turntable(1, width=options.size, height=options.size)
        prior.condition(options.prompt, camera, torch.ones(1, 3))
        scenes = [
            regularise.of(scene.to(device))
            for scene in _scenes(kinds["scene"], options, checkpoint and checkpoint.state["student"])
        ]
    teacher = Score(prior, objective, options.prompt)
    pictures = Pictures(teacher, Repeated(source, len(scenes)), options.views, options.size)
    lesson = beside_photographs(pictures, objective)
    return Parts(scenes[0] if len(scenes) == 1 else Particles(scenes), lesson)


def _scenes(kind: Any, options: Any, state: dict[str, Any] | None) -> list[Scene]:
    """Fresh scenes, one for each particle, or those of a run's state."""
    from distill3d.particles import states

    if state is None:
        flags = dataclasses.asdict(options.scene_options)
        return [kind.start(seed=options.seed + i, **flags) for i in range(options.particles)]
    return [kind.from_state(each) for each in (states(state) if options.particles > 1 else [state])]


def _finish(options: Any, run: Run, parts: Parts, seconds: float) -> None:
    from distill3d.commands._generate_results import write_all
    from distill3d.particles import Particles
    from distill3d.wrapped import bare

    scenes = list(parts.student) if isinstance(parts.student, Particles) else [parts.student]
    made = [bare(scene) for scene in scenes]
    write_all(options, run, made, parts.lesson.teacher.prior, seconds)  # type: ignore[attr-defined]
