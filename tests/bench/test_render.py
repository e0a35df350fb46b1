"""`bench render`: yardsticks, targets and curves; the numbers themselves depend on the machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from distill3d import plugins
from distill3d.bench import _curves, _stopwatch, render
from distill3d.bench._benchmark import Results
from distill3d.bench._case import AXES, Case, Measured, Operation, Target, Work, times_the_definition
from distill3d.bench.render import OPERATIONS, Render
from distill3d.errors import UserError
from distill3d.ops import backends

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Yardsticks that take no time."""
    monkeypatch.setattr(_stopwatch, "MATRIX", {"cpu": 32, "cuda": 32})
    monkeypatch.setattr(_stopwatch, "COPIED", {"cpu": 1024, "cuda": 1024})
    monkeypatch.setattr(_stopwatch, "MOST_ROUNDS", 3)


def squares(count: int, *, target: Target | None = None, at: int = 0) -> Case:
    """An operation that takes 4 bytes for each number and keeps them."""

    def prepare(device: torch.device) -> Work:
        x = torch.ones(count, device=device, requires_grad=True)
        return Work([x], lambda: [x * x], 2.0 * count, 4.0 * count, beside=lambda: x.sum())

    return Case("squares", f"{count}", prepare, targets=() if target is None else (target,), at=at)


class Squares:
    """A file of operations."""

    def cases(self) -> list[Case]:
        return [squares(1000, target=Target("at least nothing", lambda m: 0.0, least=1.0))]

    def sweep(self, axis: str) -> list[Case]:
        return [squares(n, at=n) for n in (10, 100, 1000)] if axis == "primitives" else []


@pytest.fixture
def only_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_load", lambda name: Squares())


def measured(**changes: float) -> Measured:
    numbers = {"forward": 0.1, "both": 0.5, "flops_per_second": 100.0, "bytes_per_second": 10.0}
    return Measured(**(numbers | {"flops": 5.0, "bytes": 1.0, "peak_bytes": 8} | changes))  # type: ignore[arg-type]


def test_a_case_is_measured_with_its_yardsticks() -> None:
    found = _stopwatch.measure(squares(4096), CPU, 0.0)
    assert found.forward > 0 and found.both > 0 and found.definition is not None and found.beside
    assert found.flops_per_second > 0 and found.bytes_per_second > 0 and found.rivals == {}
    # the product, its cotangent's two uses and their sum
    assert 2 * 4 * 4096 <= found.peak_bytes <= 6 * 4 * 4096


def test_the_limit_is_the_slower_of_arithmetic_and_memory() -> None:
    assert measured().limit == pytest.approx(0.1)
    assert measured(flops=20.0).limit == pytest.approx(0.2)


def test_targets_are_judged_as_they_are() -> None:
    target = times_the_definition(3)
    assert target.met(target.ratio(measured(definition=1.5)))
    assert not target.met(target.ratio(measured(definition=1.4)))
    assert not target.met(target.ratio(measured()))
    assert not Target("little", lambda m: m.both, most=0.4).met(0.5)


def test_the_table_says_what_was_missed(only_squares: None) -> None:
    lines = list(Render(operations="ssim", seconds=0.0, table_only=True).lines())
    assert lines[2].split()[:2] == ["squares", "1000"]
    assert lines[-1] == "MISSED  squares 1000: 0, expected at least nothing"


def test_what_was_measured_is_kept_and_not_measured_again(
    only_squares: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Render(operations="ssim", seconds=0.0)
    lines = list(first.lines())
    records = json.loads(json.dumps(first.results.records))
    assert [r["trial"].get("axis") for r in records] == [None, *["primitives"] * 3]
    assert records[0]["outcome"]["targets"][0]["met"] is False
    monkeypatch.setattr(_stopwatch, "measure", None)
    monkeypatch.setattr(_stopwatch, "quick", None)
    assert list(Render(operations="ssim", seconds=0.0, results=Results(records)).lines()) == lines


def test_the_curves_are_drawn(only_squares: None, tmp_path: Path) -> None:
    lines = list(Render(operations="ssim", seconds=0.0, out=tmp_path / "new").lines())
    assert any("10: " in line and "1k: " in line for line in lines)
    picture = Image.open(tmp_path / "new" / render.PICTURE)
    assert picture.width > picture.height > 400
    assert len(picture.getcolors(1 << 20) or []) > 50


def test_curves_stand_where_their_numbers_are() -> None:
    scale = _curves.Scale(1.0, 100.0, 0.0, 10.0)
    assert [scale.at(value) for value in (1.0, 10.0, 100.0)] == pytest.approx([0, 5, 10])
    assert scale.decades() == [1.0, 10.0, 100.0]
    assert [_curves.short(value) for value in (64, 3e3, 65536, 2e6)] == ["64", "3k", "65.5k", "2M"]


def operations() -> Iterator[Operation]:
    yield from (render._load(name) for name in plugins.menu(OPERATIONS))


def test_every_operation_has_cases_and_some_axis() -> None:
    for operation in operations():
        assert isinstance(operation, Operation)
        assert operation.cases()
        assert any(operation.sweep(axis) for axis in AXES)


def test_sizes_are_told_apart_and_rise_along_an_axis() -> None:
    for operation in operations():
        sizes = [case.size for case in operation.cases()]
        assert len(set(sizes)) == len(sizes)
        for axis in AXES:
            sizes = [case.size for case in operation.sweep(axis)]
            assert len(set(sizes)) == len(sizes)
            places = [case.at for case in operation.sweep(axis)]
            assert places == sorted(set(places))
            assert all(place > 0 for place in places)


@pytest.mark.parametrize("name", plugins.menu(OPERATIONS))
def test_the_smallest_case_of_an_operation_runs(name: str) -> None:
    case = min(render._load(name).sweep("views") or render._load(name).cases(), key=lambda case: case.at)
    with backends.use("cpu"):
        work = case.prepare(CPU)
        assert work.flops > 0 and work.bytes > 0
        _stopwatch.Passes(work).both()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"operations": "splat,mehs"}, 'unknown operation "mehs"; did you mean mesh'),
        ({"jobs": 2}, "jobs is 2; expected 1"),
        ({"seconds": -1.0}, "seconds is -1.0; expected at least 0"),
    ],
)
def test_mistakes_are_sentences(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises((UserError, ValueError), match=sentence):
        Render(**wrong)  # type: ignore[arg-type]
