"""Make a 3-D scene from words."""

from __future__ import annotations

import dataclasses
import platform
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill3d import __version__, plugins
from distill3d.commands import _flags
from distill3d.errors import Stopped, UserError, given_by_user

if TYPE_CHECKING:
    from distill3d.rig import Rig
    from distill3d.runs import Checkpoint, Run
    from distill3d.scene import Scene
    from distill3d.teachers.score import Score

HELP = "distill3d generate --help"
KINDS = {
    "method": ("objectives", "sds"),
    "scene": ("representations", "gaussians"),
    "prior": ("priors", "exact"),
}
NOT_STORED = ("out", "resume", "again", "overwrite")


@dataclass(frozen=True)
class Options:
    """Make a 3-D scene from words.

    A student scene is rendered from random cameras; a prior that knows pictures says, through a distillation
    method, how they should change. `distill3d world` lists the words that the default prior knows.
    """

    prompt: _flags.Words = ""
    """What to make, in quotes: "a red robot"."""
    steps: int = 400
    """How often the scene is rendered and improved."""
    views: int = 4
    """Pictures for each step."""
    size: int = 64
    """Side of these pictures in pixels."""
    seed: int = 0
    """Where all randomness starts: the same seed gives the same scene."""
    out: _flags.Folder = None
    """Folder for the results; by default runs/ and the prompt. A folder that is in use gets a number added."""
    overwrite: bool = False
    """Replace an earlier run in the folder instead."""
    resume: _flags.Folder = None
    """Go on with the run in this folder; takes no other flags."""
    again: _flags.File = None
    """Repeat the run described by this run.json; other flags change it."""
    checkpoint_every: int = 100
    """Steps between the states that --resume can go on from."""
    picture_size: int = 192
    """Side of the pictures of the result in pixels."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    folder = _flags.given(argv, "resume")
    if folder is not None:
        return _resume(Path(folder), argv)
    options = _parsed(argv)
    _check(options)

    from distill3d.runs import Run, slug

    parts = _build(options, None)
    wanted = options.out or Path("runs") / slug(options.prompt)
    run = Run.create(wanted, overwrite=options.overwrite)
    taken = "" if run.folder == wanted else f"  ({wanted} is taken)"
    print(f"writing to {run.folder}{taken}", flush=True)
    run.write_json("run.json", _description(options))
    return _train(options, run, parts, None)


def _parsed(argv: Sequence[str]) -> Options:
    """The options on the command line, on top of those of --again."""
    again = _flags.given(argv, "again")
    if again is None:
        return _flags.parse(_options_class({}, argv), argv, "generate")
    stored = _stored(Path(again))
    options_class = _options_class(stored, argv)
    return _flags.parse(options_class, argv, "generate", _restored(options_class, stored, Path(again)))


def _resume(folder: Path, argv: Sequence[str]) -> int:
    from distill3d.runs import Run

    if len(argv) > (1 if f"--resume={folder}" in argv else 2):
        raise UserError(
            "--resume takes everything from the run's folder; give no other flags, or use --again"
        )
    run = Run.open(folder)
    if run.finished:
        print(f"{folder} is finished; repeat it with --again {folder / 'run.json'}")
        return 0
    stored = _stored(run.path("run.json"))
    options = _restored(_options_class(stored, []), stored, run.path("run.json"))
    checkpoint = run.load_checkpoint()
    print(f"going on with {folder} after step {checkpoint.step if checkpoint else 0}", flush=True)
    return _train(options, run, _build(options, checkpoint), checkpoint)


def _options_class(stored: dict[str, Any], argv: Sequence[str]) -> type[Options]:
    """`Options` with the flags of the chosen method, scene and prior, which are read without importing them."""
    columns = []
    for name, (folder, default) in KINDS.items():
        kind = _flags.given(argv, name) or stored.get(name, default)
        path = plugins.find(folder, kind, name, HELP)
        flags = plugins.keywords(path, "start") if name == "scene" else plugins.fields(path)
        columns.append(_flags.choice(name, folder, default, f"one of the files in {folder}/:"))
        columns.append(_flags.group(flags, name, kind, f"of --{name} {kind}"))
    rig = plugins.fields(plugins.PACKAGE / "rig.py", "Rig")
    columns.append(_flags.group(rig, "rig", "rig", "how the cameras are drawn"))
    return dataclasses.make_dataclass(
        "GenerateOptions", columns, bases=(Options,), frozen=True, namespace={"__doc__": Options.__doc__}
    )


def _stored(path: Path) -> dict[str, Any]:
    """The options in a run.json."""
    from distill3d.runs import read_json

    options = read_json(path).get("options")
    if not isinstance(options, dict) or not all(isinstance(options.get(name), str) for name in KINDS):
        raise UserError(f"{path} holds no options; expected the run.json of a distill3d generate")
    return options


def _restored(options_class: type[Options], stored: dict[str, Any], path: Path) -> Options:
    """Options from JSON. Those of a method, scene or prior that is no longer chosen are left out."""
    defaults, values = options_class(), {}
    for name, value in stored.items():
        if not hasattr(defaults, name):
            raise UserError(f"{path}: unknown option {name}; the file was written by another version")
        current, role = getattr(defaults, name), name.removesuffix("_options")
        if not dataclasses.is_dataclass(current):
            values[name] = getattr(defaults, f"{name}_options").kind if name in KINDS else value
        elif current.kind == stored.get(role, current.kind):
            values[name] = _restored_group(current, value, f"{path}: {name}")
    return dataclasses.replace(defaults, **values)


def _restored_group(defaults: Any, stored: Any, where: str) -> Any:
    names = {field.name for field in dataclasses.fields(defaults)}
    if not isinstance(stored, dict) or set(stored) != names:
        raise UserError(
            f"{where} should hold {', '.join(sorted(names))}; the file was written by another version"
        )
    return type(defaults)(**{k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()})


def _check(options: Options) -> None:
    """Refuse numbers that mean nothing."""
    if not options.prompt.strip():
        raise UserError(
            'no prompt was given; expected words in quotes, such as distill3d generate "a red robot"'
        )
    for name in ("steps", "views", "size", "checkpoint_every", "picture_size"):
        if getattr(options, name) < 1:
            flag = f"--{name.replace('_', '-')}"
            raise UserError(f"{flag} is {getattr(options, name)}; expected a whole number of at least 1")


@dataclass(frozen=True)
class Parts:
    """What a run is made of."""

    student: Scene
    teacher: Score
    rig: Rig


def _build(options: Any, checkpoint: Checkpoint | None) -> Parts:
    """The parts that the options name; a prompt that the prior does not understand is refused here."""
    import torch

    from distill3d.camera import turntable
    from distill3d.rig import Rig
    from distill3d.teachers.score import Score

    kinds = {n: plugins.load(folder, getattr(options, n), n, HELP) for n, (folder, _) in KINDS.items()}
    with given_by_user():
        objective = kinds["method"](**dataclasses.asdict(options.method_options))
        prior = kinds["prior"](**dataclasses.asdict(options.prior_options))
        rig = Rig(**dataclasses.asdict(options.rig_options))
        prior.condition(
            options.prompt, turntable(1, width=options.size, height=options.size), torch.ones(1, 3)
        )
        if checkpoint is None:
            student = kinds["scene"].start(seed=options.seed, **dataclasses.asdict(options.scene_options))
        else:
            student = kinds["scene"].from_state(checkpoint.state["student"])
    return Parts(student, Score(prior, objective, options.prompt), rig)


def _description(options: Options) -> dict[str, Any]:
    """run.json: enough to repeat the run, and on what it ran."""
    import torch

    from distill3d.ops.backends import choose

    stored = {k: v for k, v in dataclasses.asdict(options).items() if k not in NOT_STORED}
    return {
        "command": "generate",
        "distill3d": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": "cpu",
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "backend": choose(torch.zeros(())),
        "seed": options.seed,
        "options": stored,
    }


def _train(options: Options, run: Run, parts: Parts, checkpoint: Checkpoint | None) -> int:
    from distill3d.commands._results import write_results

    try:
        seconds = _loop(options, run, parts, checkpoint)
        write_results(options, run, parts.student, parts.teacher.prior, seconds)
    except Stopped:
        raise
    except KeyboardInterrupt as interrupt:
        raise Stopped(f"stopped; go on with: distill3d generate --resume {run.folder}") from interrupt
    return 0


def _loop(options: Options, run: Run, parts: Parts, checkpoint: Checkpoint | None) -> float:
    """Take the steps that are left, with a line of metrics for each; returns the seconds of all of them."""
    from distill3d.commands._progress import progress
    from distill3d.distill import Collapsed, distill

    done, before, state = (
        (checkpoint.step, checkpoint.seconds, checkpoint.state) if checkpoint else (0, 0.0, None)
    )
    seconds = before
    steps = distill(
        parts.student,
        parts.teacher,
        steps=options.steps,
        rig=parts.rig,
        views=options.views,
        size=options.size,
        seed=options.seed,
        state=state,
    )
    try:
        with run.metrics(after=done) as metrics, progress(options.steps, done) as show, _patience() as asked:
            for step in steps:
                seconds = before + step.seconds
                metrics.add(step.number, loss=step.loss, **step.parts, seconds=seconds)
                show(step.number, step.loss, step.seconds)
                stop = asked.is_set()
                if stop or step.number % options.checkpoint_every == 0 or step.number == options.steps:
                    run.save_checkpoint(step.number, seconds, step.state())
                if stop:
                    raise Stopped(
                        f"stopped after step {step.number}; go on with: distill3d generate --resume {run.folder}"
                    )
    except Collapsed as collapse:
        raise UserError(str(collapse)) from collapse
    return seconds


@contextmanager
def _patience() -> Iterator[threading.Event]:
    """Let the first Ctrl-C wait for the end of the step, so that its state can be kept; the second does not wait."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(signum: int, frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, earlier)

    earlier = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, earlier)
