"""How often does a method grow a second face, when the prior prefers fronts?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Annotated, NamedTuple

from distill3d import atomic, plugins
from distill3d.bench import _janus_table as table
from distill3d.bench import _labels, _strips
from distill3d.bench._benchmark import Benchmark, kept_in
from distill3d.bench._janus_table import Runs
from distill3d.bench._strips import Panel
from distill3d.bench._trial import Outcome, Trial, outcomes
from distill3d.errors import UserError
from distill3d.recipe import SCENE, SIZE, STEPS, VIEWS
from distill3d.world.grammar import describe
from distill3d.world.kinds import kinds
from distill3d.world.metrics import FRAMES

QUICK_METHODS, QUICK_SEEDS, QUICK_SIZE = "sds,vsd+fake=own,esd=0.5,esd", 4, 64
QUICK_RESOLUTION = 40


class Case(NamedTuple):
    """What the methods are compared on."""

    prompt: str
    scene: str
    setting: str


Measured = dict[tuple[Case, str], Runs]
"""By case and method."""


@dataclass
class Janus(Benchmark):
    """Janus rates of methods whose prior prefers fronts, with 95 % intervals over seeds."""

    methods: Annotated[
        str, "with commas between them, such as esd=0.5, vsd+fake=own and the preset no-janus"
    ] = "sds,esd"
    prompts: Annotated[str, "what to make, with commas between; its kind needs a front"] = "a red robot"
    settings: Annotated[str, "of the prior, with commas between them: leak=0.8,leak=0.4+bias=0.5"] = (
        "leak=0.8"
    )
    scenes: Annotated[str, "kinds of scene, with commas between them: gaussians,voxels"] = SCENE
    seeds: Annotated[int, "runs for each method on each object"] = 8
    steps: Annotated[int, "steps of each run; no-janus takes twice as many"] = STEPS
    views: Annotated[int, "pictures for each step"] = VIEWS
    size: Annotated[int, "side of the pictures in pixels"] = SIZE
    resolution: Annotated[int, "voxels a side for the IoU, on which much of the time goes"] = 64
    quick: Annotated[bool, "four methods, four seeds, pictures of 64 px and 40 voxels a side"] = False
    out: Annotated[Path | None, "folder for janus.json, .md and .png; a later run goes on"] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.quick:
            self.methods, self.seeds, self.size = QUICK_METHODS, QUICK_SEEDS, QUICK_SIZE
            self.resolution = QUICK_RESOLUTION
        for name in ("seeds", "steps", "views", "size", "resolution"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a whole number of at least 1")
        for prompt in _labels.words(self.prompts):
            _check_front(prompt)
        for scene in _labels.words(self.scenes):
            plugins.find("representations", scene, "scene", _labels.HELP)
        for method, setting in product(_labels.words(self.methods), _labels.words(self.settings)):
            _labels.objective(method).check(_labels.prior(setting))

    def lines(self) -> Iterator[str]:
        """A row for each method on each case, when its seeds are measured; then the folder's files."""
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            self.results = kept_in(self.out / "janus.json", self.results)
        methods, cases = _labels.words(self.methods), self._cases()
        width = max(8, *map(len, methods))
        yield f"{self.seeds} seeds, {self.steps} steps of {self.views} pictures of {self.size} px"
        trials = [
            self._trial(case, method, seed)
            for case, method, seed in product(cases, methods, range(self.seeds))
        ]
        found = outcomes(trials, self.results, jobs=self.jobs)
        measured: Measured = {}
        for case in cases:
            yield f'"{case.prompt}", {case.scene}, {case.setting}'
            yield table.heading(width)
            for method in methods:
                runs = Runs(list(islice(found, self.seeds)), _labels.prior(case.setting).instances)
                measured[case, method] = runs
                yield table.row(method, runs, width)
        pooled = _pooled(measured)
        for (case, method), runs in pooled.items():
            if method == methods[0]:
                yield f"{case.prompt}, {case.scene}, {case.setting}"
            yield table.row(method, runs, width)
        yield table.EXPLANATION.rstrip()
        if self.out is not None:
            self._write(self.out, measured, pooled)
            yield f"written: {self.out}/janus.json, janus.md, janus.png"

    def _cases(self) -> list[Case]:
        lists = (_labels.words(text) for text in (self.prompts, self.scenes, self.settings))
        return [Case(*words) for words in product(*lists)]

    def _trial(self, case: Case, method: str, seed: int) -> Trial:
        return Trial(
            case.prompt,
            seed,
            _labels.objective(method),
            _labels.prior(case.setting),
            steps=_labels.steps(method, self.steps),
            views=self.views,
            size=self.size,
            scene=case.scene,
            resolution=self.resolution,
        )

    def _write(self, folder: Path, measured: Measured, pooled: Measured) -> None:
        """The table with all its columns, and the worst run of each method beside the others'."""
        title = f"{self.seeds} seeds, {self.steps} steps of {self.views} pictures of {self.size} px."
        rows = [((*case, method), runs) for (case, method), runs in {**measured, **pooled}.items()]
        text = table.markdown(rows, ("object", "scene", "prior", "method"))
        atomic.write(folder / "janus.md", f"{title}\n\n{text}\n{table.EXPLANATION}".encode())
        methods = _labels.words(self.methods)
        panels = [[_worst(case, measured[case, method]) for method in methods] for case in self._cases()]
        _strips.save(folder / "janus.png", panels, headings=methods)


def _check_front(prompt: str) -> None:
    """Raise if `prompt` means nothing, or something that looks the same from all sides."""
    things = describe(prompt).things
    if not any(kinds()[thing.kind].has_front for thing in things):
        raise UserError(
            f'"{prompt}" has no front that could be seen twice; expected a kind with one, such as "a robot"'
        )


def _pooled(measured: Measured) -> Measured:
    """The runs of several objects together, where there are several."""
    prompts = {case.prompt for case, _ in measured}
    together: Measured = {}
    for (case, method), runs in measured.items() if len(prompts) > 1 else ():
        key = case._replace(prompt=f"all {len(prompts)} objects"), method
        before = together.get(key, Runs((), 0))
        together[key] = Runs([*before.outcomes, *runs.outcomes], before.known + runs.known)
    return together


def _worst(case: Case, runs: Runs) -> Panel:
    """The run with the most faces and, among those, the least PSNR; one that collapsed is worse still."""

    def goodness(numbered: tuple[int, Outcome]) -> tuple[int, float]:
        report = numbered[1].report
        return (-(report.faces or 0), report.psnr) if report else (-FRAMES, 0.0)

    seed, worst = min(enumerate(runs.outcomes), key=goodness)
    about = f"{case.prompt}, {case.scene}, {case.setting}\nseed {seed}: "
    if worst.report is None or worst.look is None:
        return Panel(about + "collapsed", None)
    return Panel(f"{about}{worst.report.faces} faces, {worst.report.psnr:.1f} dB", worst.look.strip)
