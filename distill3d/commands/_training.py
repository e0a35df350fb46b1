"""What all commands that train share: their run's folder, its description, and the loop with its end."""

from __future__ import annotations

import dataclasses
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from distill3d import __version__, machine
from distill3d.commands import _device, _flags, _live, _options
from distill3d.commands._options import Grammar
from distill3d.errors import Stopped, UserError

if TYPE_CHECKING:
    from distill3d.distill import Lesson, Step
    from distill3d.runs import Checkpoint, Run
    from distill3d.scene import Scene


@runtime_checkable
class Work(Protocol):
    """What a run does, step by step."""

    @property
    def student(self) -> Scene:
        """What becomes of the scene, as it is now."""
        ...

    def begin(self, run: Run) -> None:
        """Write to the run's folder what is known from the beginning."""
        ...

    def steps(self, options: Any, state: dict[str, Any] | None) -> Iterator[Step]:
        """The steps that are left after `state`, that of an earlier step."""
        ...


@dataclass(frozen=True)
class Parts:
    """What most runs are made of: a student and how it is looked at."""

    student: Scene
    lesson: Lesson

    def begin(self, run: Run) -> None:
        """Nothing."""

    def steps(self, options: Any, state: dict[str, Any] | None) -> Iterator[Step]:
        from distill3d.distill import learn

        return learn(self.student, self.lesson, steps=options.steps, seed=options.seed, state=state)


@dataclass(frozen=True)
class Command:
    """A command that trains: how it reads its flags, builds its parts, and writes its results."""

    grammar: Grammar
    resolve: Callable[[Any], Any]
    """The options with all that was left open filled in; a `UserError` if they mean nothing."""
    folder_name: Callable[[Any], str]
    """What the run's folder in runs/ is called."""
    build: Callable[[Any, Checkpoint | None], Work]
    finish: Callable[[Any, Run, Any, float], None]
    """Writes the results of a run that took so many seconds."""

    def main(self, argv: Sequence[str]) -> int:
        """Run the command; returns the exit code."""
        folder = _flags.given(argv, "resume")
        if folder is not None:
            return self._resume(Path(folder), argv)
        options = self.resolve(self.grammar.from_command_line(argv))
        if options.control and not options.view:
            raise UserError("--control steers a run from the page that --view opens; give both")

        from distill3d.runs import Run

        wanted = options.out or Path("runs") / self.folder_name(options)
        _flags.check_can_write(wanted)
        parts = self.build(options, None)
        run = Run.create(wanted, overwrite=options.overwrite)
        taken = "" if run.folder == wanted else f"  ({wanted} is taken)"
        print(f"writing to {run.folder}{taken}", flush=True)
        run.write_json("run.json", self._description(options))
        return self._train(options, run, parts, None)

    def _resume(self, folder: Path, argv: Sequence[str]) -> int:
        """Go on with an interrupted run: its options, its last checkpoint, the same result."""
        from distill3d.runs import Run

        rest = [word for word in argv if word not in ("--view", "--control")]
        if len(rest) > (1 if f"--resume={folder}" in argv else 2):
            raise UserError(
                "--resume takes all its options from the folder; give no other flags but --view and "
                "--control, or use --again"
            )
        run = Run.open(folder)
        if run.finished:
            print(f"{folder} is finished; repeat it with --again {run.path('run.json')}")
            return 0
        looking = {"view": "--view" in argv, "control": "--control" in argv}
        options = dataclasses.replace(self.grammar.from_run(run.path("run.json")), **looking)
        checkpoint = run.load_checkpoint()
        print(f"going on with {folder} after step {checkpoint.step if checkpoint else 0}", flush=True)
        _same_threads(run)
        return self._train(options, run, self.build(options, checkpoint), checkpoint)

    def _description(self, options: Any) -> dict[str, Any]:
        """run.json: enough to repeat the run, and on what it ran."""
        import torch

        from distill3d.ops.backends import choose

        device = _device.device(options.device)
        return {
            "command": self.grammar.command,
            "distill3d": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            **machine.about(device),
            "backend": choose("splat", torch.zeros((), device=device)),
            "seed": options.seed,
            "options": _options.to_run(options),
        }

    def _train(self, options: Any, run: Run, parts: Work, checkpoint: Checkpoint | None) -> int:
        try:
            parts.begin(run)
            with _live.looked_at(options, run) as onlooker:
                seconds = self._loop(options, run, parts, checkpoint, onlooker)
                self.finish(options, run, parts, seconds)
                onlooker.finished()
        except Stopped:
            raise
        except KeyboardInterrupt as interrupt:
            raise self._stopped("between steps", run) from interrupt
        return 0

    def _loop(
        self, options: Any, run: Run, parts: Work, checkpoint: Checkpoint | None, onlooker: _live.Onlooker
    ) -> float:
        """Take the steps that are left, with a line of metrics for each; the seconds of all of them."""
        from distill3d.commands._progress import progress
        from distill3d.distill import Collapsed

        done = checkpoint.step if checkpoint else 0
        onlooker.begin(run, options.steps, done)
        before = seconds = checkpoint.seconds if checkpoint else 0.0
        steps = parts.steps(options, checkpoint.state if checkpoint else None)
        every = options.checkpoint_every
        try:
            with (
                run.metrics(after=done) as metrics,
                progress(self.grammar.command, options.steps, done) as show,
                _patience() as asked,
            ):
                for step in steps:
                    seconds = before + step.seconds
                    metrics.add(step.number, loss=step.loss, **step.parts, seconds=seconds)
                    show(step.number, step.loss, step.seconds)
                    stop = onlooker.after(step.number, parts.student, asked.is_set) or asked.is_set()
                    if stop or step.number % every == 0 or step.number == options.steps:
                        run.save_checkpoint(step.number, seconds, step.state())
                    if stop:
                        raise self._stopped(f"after step {step.number}", run)
        except Collapsed as collapse:
            raise UserError(str(collapse)) from collapse
        return seconds

    def _stopped(self, when: str, run: Run) -> Stopped:
        return Stopped(f"stopped {when}; go on with: distill3d {self.grammar.command} --resume {run.folder}")


def _same_threads(run: Run) -> None:
    """Sums depend on how they are split, so a run goes on with as many threads as it began with."""
    import torch

    threads = run.read_json("run.json").get("threads")
    if isinstance(threads, int) and threads > 0:
        torch.set_num_threads(threads)


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
