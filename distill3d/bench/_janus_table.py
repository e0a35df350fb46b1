"""The columns of the Janus table: numbers of some runs of one method, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from distill3d.bench._look import Look
from distill3d.bench._trial import Outcome
from distill3d.statistics import mean, rate
from distill3d.world.metrics import WorldReport


@dataclass(frozen=True)
class Runs:
    """What came of one method under like conditions."""

    outcomes: Sequence[Outcome]
    known: int
    """How many identities the prior knows, of all the objects together."""

    @property
    def reports(self) -> list[WorldReport]:
        """Of those that did not collapse, as are `looks`."""
        return [run.report for run in self.outcomes if run.report is not None]

    @property
    def looks(self) -> list[Look]:
        """How the scenes look from all around."""
        return [run.look for run in self.outcomes if run.look is not None]

    @property
    def collapsed(self) -> int:
        """How many runs came to nothing."""
        return len(self.outcomes) - len(self.reports)


@dataclass(frozen=True)
class Column:
    """A heading and what stands under it."""

    heading: str
    cell: Callable[[Runs], str]
    printed: bool = False
    """Whether it is one of the few that a terminal has room for."""


def _mean(values: Sequence[float | int | None]) -> str:
    known = [float(v) for v in values if v is not None]
    return f"{mean(known):.2f}" if len(known) > 1 else f"{known[0]:.2f}"


def _janus_rate(runs: Runs) -> str:
    return str(rate(sum(bool(r.janus) for r in runs.reports), len(runs.reports)))


def _identities(runs: Runs) -> str:
    return f"{len({(r.prompt, r.instance) for r in runs.reports})} of {runs.known}"


COLUMNS = (
    Column("Janus rate", _janus_rate, printed=True),
    Column("faces", lambda runs: _mean([r.faces for r in runs.reports]), printed=True),
    Column("repeats", lambda runs: _mean([r.repeats for r in runs.reports])),
    Column("entropy", lambda runs: _mean([r.pose_entropy for r in runs.reports]), printed=True),
    Column("coherence", lambda runs: _mean([r.pose_coherence for r in runs.reports])),
    Column("PSNR dB", lambda runs: _mean([r.psnr for r in runs.reports]), printed=True),
    Column("IoU", lambda runs: _mean([r.iou for r in runs.reports]), printed=True),
    Column("quality IQ", lambda runs: _mean([seen.quality for seen in runs.looks])),
    Column("variety IV", lambda runs: _mean([seen.variety for seen in runs.looks])),
    Column("gain IG", lambda runs: _mean([seen.gain for seen in runs.looks]), printed=True),
    Column("identities", _identities),
    Column("saturation", lambda runs: _mean([seen.saturation for seen in runs.looks])),
    Column("seconds", lambda runs: _mean([run.seconds for run in runs.outcomes])),
)
WIDTH = 21
EXPLANATION = """\
Janus: two faces or more, or another side that is shown twice. A consistent object has 1 face and 1 repeat
(of the side that is shown most often), pose entropy, variety and gain of ln 12 = 2.48, coherence 1, quality
0 and saturation 1. PSNR and IoU are to the truth that fits best, over identities and rotations. Brackets
hold 95 % intervals: Wilson's of rates, Student's of means.
"""


def heading(label_width: int) -> str:
    """Of the printed table."""
    return f"{'method':{label_width}}" + "".join(f"{c.heading:>{WIDTH}}" for c in COLUMNS if c.printed)


def row(label: str, runs: Runs, label_width: int) -> str:
    """Of the printed table."""
    if not runs.reports:
        return f"{label:{label_width}} all {runs.collapsed} runs collapsed: {runs.outcomes[0].collapsed}"
    cells = "".join(f"{c.cell(runs):>{WIDTH}}" for c in COLUMNS if c.printed)
    return f"{label:{label_width}}{cells}" + (f"  ({runs.collapsed} collapsed)" if runs.collapsed else "")


def markdown(rows: Sequence[tuple[Sequence[str], Runs]], names: Sequence[str]) -> str:
    """A table of all the columns; the first ones, `names`, say what each row is about."""
    headings = [*names, *(column.heading for column in COLUMNS), "collapsed"]
    lines = [headings, ["---"] * len(headings)]
    for about, runs in rows:
        cells = [column.cell(runs) if runs.reports else "–" for column in COLUMNS]
        lines.append([*about, *cells, str(runs.collapsed)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
