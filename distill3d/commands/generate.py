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

from distill3d import __version__, machine, plugins
from distill3d.commands import _flags, _options
from distill3d.commands._options import HELP, KINDS, Options
from distill3d.errors import Stopped, UserError, given_by_user

if TYPE_CHECKING:
    from distill3d.distill import CameraSource
    from distill3d.runs import Checkpoint, Run
    from distill3d.scene import Scene
    from distill3d.teachers.score import Score


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    folder = _flags.given(argv, "resume")
    if folder is not None:
        return _resume(Path(folder), argv)
    options = _options.from_command_line(argv)

    from distill3d.runs import Run, slug

    parts = _build(options, None)
    wanted = options.out or Path("runs") / slug(options.prompt)
    run = Run.create(wanted, overwrite=options.overwrite)
    taken = "" if run.folder == wanted else f"  ({wanted} is taken)"
    print(f"writing to {run.folder}{taken}", flush=True)
    run.write_json("run.json", _description(options))
    return _train(options, run, parts, None)


def _resume(folder: Path, argv: Sequence[str]) -> int:
    """Go on with an interrupted run: its options, its last checkpoint, the same result."""
    from distill3d.runs import Run

    if len(argv) > (1 if f"--resume={folder}" in argv else 2):
        raise UserError("--resume takes all its options from the folder; give no other flags, or use --again")
    run = Run.open(folder)
    if run.finished:
        print(f"{folder} is finished; repeat it with --again {run.path('run.json')}")
        return 0
    options = _options.from_run(run.path("run.json"))
    checkpoint = run.load_checkpoint()
    print(f"going on with {folder} after step {checkpoint.step if checkpoint else 0}", flush=True)
    _same_threads(run)
    return _train(options, run, _build(options, checkpoint), checkpoint)


@dataclass(frozen=True)
class Parts:
    """What a run is made of."""

    student: Scene
    teacher: Score
    rig: CameraSource


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
        source = rig.among(prior.stations_at)
        camera = turntable(1, width=options.size, height=options.size)
        prior.condition(options.prompt, camera, torch.ones(1, 3))
        if checkpoint is None:
            student = kinds["scene"].start(seed=options.seed, **dataclasses.asdict(options.scene_options))
        else:
            student = kinds["scene"].from_state(checkpoint.state["student"])
    return Parts(student, Score(prior, objective, options.prompt), source)


def _description(options: Options) -> dict[str, Any]:
    """run.json: enough to repeat the run, and on what it ran."""
    import torch

    from distill3d.ops.backends import choose

    return {
        "command": "generate",
        "distill3d": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": "cpu",
        "processor": machine.processor(),
        "threads": torch.get_num_threads(),
        "backend": choose("splat", torch.zeros(())),
        "seed": options.seed,
        "options": _options.to_run(options),
    }


def _same_threads(run: Run) -> None:
    """Sums depend on how they are split, so a run goes on with as many threads as it began with."""
    import torch

    threads = run.read_json("run.json").get("threads")
    if isinstance(threads, int) and threads > 0:
        torch.set_num_threads(threads)


def _train(options: Options, run: Run, parts: Parts, checkpoint: Checkpoint | None) -> int:
    from distill3d.commands._results import write_results

    try:
        seconds = _loop(options, run, parts, checkpoint)
        write_results(options, run, parts.student, parts.teacher.prior, seconds)
    except Stopped:
        raise
    except KeyboardInterrupt as interrupt:
        raise _stopped("between steps", run) from interrupt
    return 0


def _loop(options: Options, run: Run, parts: Parts, checkpoint: Checkpoint | None) -> float:
    """Take the steps that are left, with a line of metrics for each; returns the seconds of all of them."""
    from distill3d.commands._progress import progress
    from distill3d.distill import Collapsed, distill

    done = checkpoint.step if checkpoint else 0
    before = seconds = checkpoint.seconds if checkpoint else 0.0
    steps = distill(
        parts.student,
        parts.teacher,
        steps=options.steps,
        rig=parts.rig,
        views=options.views,
        size=options.size,
        seed=options.seed,
        state=checkpoint.state if checkpoint else None,
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
                    raise _stopped(f"after step {step.number}", run)
    except Collapsed as collapse:
        raise UserError(str(collapse)) from collapse
    return seconds


def _stopped(when: str, run: Run) -> Stopped:
    return Stopped(f"stopped {when}; go on with: distill3d generate --resume {run.folder}")


@contextmanager
def _patience() -> Iterator[threading.Event]:
    """Let the first Ctrl-C wait for the end of the step, to keep its state; a second one does not wait."""
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
