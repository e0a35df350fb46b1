"""Writes docs/objectives.md, the methods as formulas with what a step costs: `python docs/objectives.py`.

The formulas are those at the head of each method's file; the costs are counted while the method runs, at the
settings of its paper. What was measured comes from the files of benchmarks in docs/measured, where they are:

    METHODS=$(cd distill3d/objectives && ls [a-z]*.py | sed s/.py// | paste -sd,)
    PLANE=$(echo $METHODS | sed 's/,jsd_joint//; s/,reward//')    # views and judges are of pictures
    distill3d bench modes --methods $PLANE --quick --out docs/measured
    distill3d bench janus --methods $METHODS --prompts "a cat" --seeds 2 --size 48 --resolution 24 --jobs 2 \
        --out docs/measured
    distill3d bench objectives --json docs/measured/objectives.json
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from distill3d import plugins
from distill3d.bench.modes import objective as in_the_plane
from distill3d.camera import turntable
from distill3d.moment import Moment
from distill3d.objective import Objective, Variational
from distill3d.prior import Prior
from distill3d.rendering import Rendering
from distill3d.statistics import rate

VIEWS = 4
FOLDER = Path(__file__).parent / "measured"
HEAD = """# Methods of score distillation

All of them move a picture x of the scene against a direction g. They differ in where the prior is asked and
what is taken off its answer: the noise that was added (SDS), the prediction of a model of the scene's own
pictures (VSD and its kin), or another prediction of the prior (CSD, ISM, CDS, ASD).

- x_t = α x + σ ε is the picture under noise of level t, from 0 to 1; y is the prompt.
- ε_c and ε_u are the prior's predictions of the noise with the prompt and with the null prompt, ε̂ the
  guided one, ε_u + s (ε_c - ε_u): s = 0 is without prompt and s = 1 without guidance, as in diffusers.
- ε_q is the prediction of a model of the scene's own pictures: `--method.fake own` takes the pictures
  themselves, `network` learns a small network, `lora` adapts the prior.

The columns count, for a picture and a step at the settings in the last column: evaluations of the prior,
evaluations of q (without its learning, which is one more and its derivative), and whether the derivative
goes through the prior, which doubles its memory. The settings are for priors such as Stable Diffusion:
those of the paper, where they are known. A method "after" a paper was written from less than its text: the
head of its file says from what, and what was inferred.

"""
FOUND = """\
Measured at the defaults, which suit the closed world and not large priors: the Janus rate of "a cat" when the
prior yields front views in 80 % of all answers (two seeds: only 0 beside 1 means anything; `esd` as `--preset
no-janus` has 0 in [16 runs](janus/janus.md)), and in two dimensions the variance of particles inside the
modes of a ring over the right one, and the error of the modes' weights. The commands are at the head of
[objectives.py](objectives.py).

"""
CHOICE = """
## Which one when

- **To begin**: `sds`. It asks the least, and with a prior that knows its views it finds the object. With
  the strong guidance that a weak prior needs, its colours go too far; `nfsd`, `csd` and `ism` ask for the
  same with less noise.
- **When faces appear on several sides**: `esd`, best as `--preset no-janus`. Its entropy term needs no
  network here, and works only while there is much noise: what it withstands grows with the steps that a run
  spends there. `jsd_joint` is for a prior of many views.
  `--method.perp-neg` pushes guidance off the words of the other views.
- **For variety and fine texture, with time to spare**: `vsd` with `--method.fake lora` or `network`; for
  one scene with an exact q it *is* `sds`, so that what it adds is what q has not learned yet. With
  `--particles 4` it makes as many scenes that keep apart, and an exact q is of use. `asd` has no
  q and costs one evaluation more than `sds`. `f_vsd` and `uni` weigh pictures by density, where densities
  are known.
- **For a direction without randomness**: `ism`, `csm` and `sdi` invert instead of drawing noise, at a few
  evaluations more; `cds` keeps one noise for the whole run.
- **When prompt and looks pull apart**: `bsd` never works against either.
- **When there is a picture of the object**: `csm --method.picture FILE` shows it to the prior beside the
  words; `c_sds --method.views FOLDER` shows it a few with their cameras, which the scene then has to look
  like. The closed world's prior recognises the object, a Stable Diffusion model needs an IP-Adapter.
- **When there is another judge**: `reward` adds any differentiable one to any method.

`--method NAME --help` lists the flags of each. The defaults suit the closed world; those for large priors
are the last column here, and `published()` of the class in Python.
"""


class Counting(Prior):
    """Pixels around grey; counts how many times each picture is looked at."""

    guidance_scale = 7.5
    negative_prompt = "a bad thing"

    def __init__(self) -> None:
        self.asked = 0
        self.through = False

    def noise(self, noisy, t, condition):
        self.asked += len(noisy)
        self.through |= noisy.requires_grad
        alpha, sigma = (a[:, None, None, None] for a in self.alpha_sigma(t))
        return sigma * noisy / (0.2 * alpha**2 + sigma**2)

    def joint_noise(self, noisy, t, condition):
        return self.noise(noisy, t, condition)

    def log_density(self, noisy, t, condition):
        return -noisy.square().flatten(1).sum(-1)


def page() -> str:
    """The whole document."""
    measured = [column for column in MEASURED if (FOLDER / column.file).exists()]
    rows = [_row(name, measured) for name in plugins.menu("objectives")]
    names = ["method", "g", "prior", "q", "through the prior", *(column.heading for column in measured)]
    names.append("settings for large priors")
    table = [names, ["---"] * len(names), *rows]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in table)
    return HEAD + (FOUND if measured else "") + lines + CHOICE


def _row(name: str, measured: list[Column]) -> list[str]:
    method = plugins.load("objectives", name, "method", "--help")
    text = (plugins.PACKAGE / "objectives" / f"{name}.py").read_text(encoding="utf-8")
    asked, of_q, through = _cost(method)
    settings = " ".join(
        f"`{key.replace('_', '-')} {_shown(value)}`" for key, value in method.PUBLISHED.items()
    )
    cost = [f"{asked:g}", f"{of_q:g}" if of_q else "", "yes" if through else ""]
    return [
        f"[`{name}`](../distill3d/objectives/{name}.py)<br>{_paper(text)}",
        _formula(text),
        *cost,
        *(column.cell(name) for column in measured),
        settings,
    ]


@dataclass(frozen=True)
class Column:
    """A number that a benchmark has measured, of each method at its defaults."""

    heading: str
    file: str
    said: Callable[[list[dict[str, Any]]], str]
    """From the method's records."""

    def cell(self, name: str) -> str:
        """Empty where the method was not measured."""
        records = json.loads((FOLDER / self.file).read_text(encoding="utf-8"))["results"]
        mine = [record for record in records if _is_plain(record["trial"], name)]
        return self.said([record["outcome"] for record in mine]) if mine else ""


def _is_plain(trial: dict[str, Any], name: str) -> bool:
    """Whether a trial is of this method with nothing changed, from everywhere."""
    if trial["method"].replace("_", "") != name.replace("_", ""):
        return False
    if (trial.get("world", "ring"), trial.get("start", "everywhere")) != ("ring", "everywhere"):
        return False
    if "settings" in trial:
        return trial["settings"] == _as_json(in_the_plane(name, trial["particles"]))
    plain = plugins.load("objectives", name, "method", "--help")()
    return trial.get("objective") is None or trial["objective"] == _as_json(plain)


def _as_json(method: Objective) -> dict[str, Any]:
    """The settings of a method as a file of results gives them back."""
    return json.loads(json.dumps(dataclasses.asdict(method)))


def _janus(outcomes: list[dict[str, Any]]) -> str:
    reports = [outcome["report"] for outcome in outcomes if outcome["report"]]
    return (
        str(rate(sum(bool(report["janus"]) for report in reports), len(reports))) if reports else "collapsed"
    )


def _mean_of(key: str, pattern: str, scale: float = 1.0) -> Callable[[list[dict[str, Any]]], str]:
    return lambda outcomes: pattern.format(scale * sum(o[key] for o in outcomes) / len(outcomes))


MEASURED = (
    Column("Janus rate", "janus.json", _janus),
    Column("in-mode variance", "modes.json", _mean_of("variance_ratio", "{:.2f}")),
    Column("mass error", "modes.json", _mean_of("mass_error", "{:.3f}")),
    Column("ms a step", "objectives.json", _mean_of("whole", "{:.0f}", 1e3)),
)


def _paper(text: str) -> str:
    """Authors, year and number, from the head of a file."""
    head = " ".join(text.split('"""')[1].split())
    number = re.search(r"\(arXiv ([\d.]+)\)", head)
    assert number is not None
    who = re.search(r"([A-Z]\w+) et al\. (\d{4})", head)
    assert who is not None
    return f"{'after ' if 'After' in head[: who.start()] else ''}{who[1]} {who[2]}, [{number[1]}](https://arxiv.org/abs/{number[1]})"


def _formula(text: str) -> str:
    """The line of the head that says what g is, or else all its indented lines."""
    lines = [line.strip() for line in text.split('"""')[1].splitlines()]
    said = [line for line in lines if line.startswith(("g =", "L =")) or ",   g = " in line]
    if not said:
        said = [line.strip() for line in text.split('"""')[1].splitlines() if line.startswith("    ")]
    return "<br>".join(f"`{re.sub(' +', ' ', line).replace('|', chr(92) + '|')}`" for line in said)


def _shown(value: object) -> str:
    return " ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else f"{value}"


def _cost(method: type[Objective]) -> tuple[float, float, bool]:
    """Evaluations of the prior and of q a picture, and whether the derivative goes through the prior."""
    settings = {k: v for k, v in method.PUBLISHED.items() if not k.startswith("fake")}
    objective, prior = method(**settings), Counting()
    cameras = turntable(VIEWS, width=4, height=4)
    condition = prior.condition("a thing", cameras, torch.ones(VIEWS, 3))
    rendering = Rendering(torch.rand(VIEWS, 4, 4, 3), torch.ones(VIEWS, 4, 4, 1))
    moment = Moment(1, 10, torch.Generator().manual_seed(0))
    asked_of_q = 0
    if isinstance(objective, Variational):
        answer = objective.q.noise

        def counted(*question):
            nonlocal asked_of_q
            asked_of_q += 1
            return answer(*question)

        objective.q.noise = counted  # type: ignore[method-assign]
    with torch.no_grad():
        objective.learn(rendering, prior, condition, moment)
        objective.gradient(prior.show(rendering, condition), prior, condition, moment)
    return prior.asked / VIEWS, asked_of_q, prior.through


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")
