"""Benchmarks: what was measured is kept run by run and not measured again, whatever the jobs."""

from __future__ import annotations

import dataclasses
import json

import pytest

from distill3d.bench import _trial
from distill3d.bench._benchmark import Results
from distill3d.bench._trial import Outcome, Trial, outcomes
from distill3d.bench.kinds import Kinds
from distill3d.errors import UserError
from distill3d.objectives.esd import ESD
from distill3d.priors.exact import Exact
from distill3d.representations.voxels import Voxels
from distill3d.scene import Scene
from distill3d.world.metrics import WorldReport


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "renders"))


def report(trial: Trial) -> WorldReport:
    """Numbers made up from the trial, so that each can be told from the others."""
    faces = 1 + trial.seed % 2 if "robot" in trial.prompt else None
    return WorldReport(
        prompt=trial.prompt,
        psnr=20.0 + len(trial.prompt) + trial.seed,
        iou=0.5 + 0.1 * trial.seed,
        instance=0,
        rotation_deg=0.0,
        faces=faces,
        repeats=faces,
        janus=None if faces is None else faces > 1,
        pose_coherence=0.9,
        pose_entropy=2.0,
    )


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    """The trials that were run; they take no time."""
    trials: list[Trial] = []

    def run(trial: Trial) -> Outcome:
        trials.append(trial)
        if trial.seed == 13:
            return Outcome(1.0, None, "the scene has been empty for 25 steps")
        return Outcome(2.0, report(trial))

    monkeypatch.setattr(_trial, "run", run)
    return trials


TRIALS = [Trial("a mug", 0), Trial("a mug", 1), Trial("a robot", 0, ESD(), Exact(leak=0.5))]


def test_every_trial_is_kept_as_soon_as_it_is_measured(ran: list[Trial]) -> None:
    kept: list[int] = []
    found = outcomes(TRIALS, Results(keep=lambda records: kept.append(len(records))), jobs=1)
    for number, trial in enumerate(TRIALS, 1):
        assert next(found).report == report(trial)
        assert kept == list(range(1, number + 1)) and len(ran) == number


def test_what_was_measured_is_not_measured_again(ran: list[Trial]) -> None:
    """Also after a way through a file, and whatever the order."""
    results = Results()
    first = list(outcomes(TRIALS, results, jobs=1))
    ran.clear()
    again = Results(json.loads(json.dumps(results.records)))
    assert list(outcomes(TRIALS[::-1], again, jobs=1)) == first[::-1] and not ran
    changed = Trial("a mug", 0, steps=7)
    list(outcomes([*TRIALS, changed], again, jobs=1))
    assert ran == [changed] and len(again.records) == 4


def test_a_trial_is_told_from_another_by_all_that_its_outcome_depends_on() -> None:
    base = Trial("a mug", 0)
    others = [
        Trial("a red mug", 0),
        Trial("a mug", 1),
        Trial("a mug", 0, ESD()),
        Trial("a mug", 0, ESD(entropy=0.5)),
        Trial("a mug", 0, prior=Exact(leak=0.1)),
        Trial("a mug", 0, steps=9),
        Trial("a mug", 0, views=9),
        Trial("a mug", 0, size=9),
        Trial("a mug", 0, scene="voxels"),
    ]
    records = [json.dumps(trial.record(), sort_keys=True) for trial in [base, *others]]
    assert len(set(records)) == len(records)


def kinds(**options: object) -> list[str]:
    return list(Kinds(**options).lines())  # type: ignore[arg-type]


def test_kinds_gives_means_over_seeds_and_then_over_kinds(ran: list[Trial]) -> None:
    lines = kinds(kinds="robot, mug", seeds=2)
    assert [(t.prompt, t.seed) for t in ran] == [("a robot", 0), ("a robot", 1), ("a mug", 0), ("a mug", 1)]
    assert lines[2].split() == ["robot", "27.50", "0.550", "1.5", "2.0"]
    assert lines[3].split() == ["mug", "25.50", "0.550", "-", "2.0"]
    assert lines[4].startswith("PSNR dB: mean 26.500 [") and lines[4].endswith("kinds 1.414")
    assert lines[5] == "  worst: mug 25.500, robot 27.500"
    assert lines[6].startswith("IoU: mean 0.550 [0.550, 0.550]")


def test_kinds_takes_every_kind_with_its_article_or_in_one_colour(ran: list[Trial]) -> None:
    kinds()
    assert len(ran) > 40 and {t.prompt for t in ran} >= {"an airplane", "a robot"}
    ran.clear()
    kinds(kinds="pine", colour="green")
    assert [t.prompt for t in ran] == ["a green pine"]


def test_a_run_that_collapsed_is_said_and_left_out(ran: list[Trial], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = kinds(kinds="mug", seeds=14)
    assert lines[2].endswith("(1 of 14 collapsed)") and lines[2].split()[1] == "31.00"
    monkeypatch.setattr(_trial, "run", lambda trial: Outcome(1.0, None, "it was empty"))
    lines = kinds(kinds="mug")
    assert lines[2] == "mug collapsed: it was empty" and "no kind was made" in lines[3]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"kinds": "robot,mgu"}, 'unknown kind "mgu"; did you mean mug'),
        ({"colour": "rde"}, 'unknown colour "rde"; did you mean red'),
        ({"seeds": 0}, "seeds is 0; expected a whole number of at least 1"),
        ({"jobs": 0}, "jobs is 0; expected a whole number of at least 1"),
    ],
)
def test_mistakes_are_sentences(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises((UserError, ValueError), match=sentence):
        Kinds(**wrong)  # type: ignore[arg-type]


def tiny(seed: int) -> Trial:
    """A real one, as small as they come."""
    return Trial("a ball", seed, prior=Exact(instances=1, stations=4), steps=2, views=1, size=8)


def test_a_trial_is_a_run_from_a_prompt_to_its_report() -> None:
    outcome = _trial.run(tiny(0))
    assert outcome.report is not None and outcome.report.prompt == "a ball" and outcome.collapsed is None
    assert 0 < outcome.report.psnr < 100 and outcome.seconds > 0
    assert outcome.look is not None and outcome.look.gain is None and outcome.look.strip
    assert Outcome.from_record(json.loads(json.dumps(dataclasses.asdict(outcome)))) == outcome


def test_a_trial_leaves_its_objective_as_it_was_so_that_it_runs_the_same_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measured(student: Scene, trial: Trial, seconds: float) -> Outcome:
        assert type(student) is Voxels
        return Outcome(seconds, None, str([parameter.sum().item() for parameter in student.parameters()]))

    monkeypatch.setattr(_trial, "_measured", measured)
    trial = Trial(
        "a ball", 0, ESD(), Exact(instances=1, stations=4), steps=2, views=1, size=8, scene="voxels"
    )
    untouched = str(trial.objective.state_dict())
    first, again = _trial.run(trial), _trial.run(trial)
    assert first.collapsed == again.collapsed and str(trial.objective.state_dict()) == untouched


@pytest.mark.slow
def test_jobs_measure_the_same_in_the_same_order() -> None:
    trials = [tiny(seed) for seed in (3, 4, 3)]
    one, two = ([outcome.report for outcome in outcomes(trials, Results(), jobs=jobs)] for jobs in (1, 2))
    assert one[0] != one[1]
    for a, b in zip(one, two, strict=True):
        assert a is not None and b is not None
        assert (a.psnr, a.iou) == pytest.approx((b.psnr, b.iou), rel=1e-3)
