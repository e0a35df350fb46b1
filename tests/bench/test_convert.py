"""`bench convert` and `bench lessons`: what is measured, kept and judged; numbers depend on the machine."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from distill3d import plugins
from distill3d.bench import _digest, _matrix, convert
from distill3d.bench._benchmark import Record, Results
from distill3d.bench.convert import KINDS, Convert, judgements
from distill3d.bench.lessons import LESSONS, Lessons
from distill3d.commands.bench import options_class
from distill3d.errors import UserError


def record(psnr: float, seconds: float = 5.0) -> Record:
    return {"psnr_vs_source": psnr, "seconds": seconds, "route": "volume"}


def test_a_cell_is_measured_once_and_written(tmp_path: Path) -> None:
    bench = Convert(kinds="hash_grid", steps=2, size=16, out=tmp_path)
    lines = list(bench.lines())
    (found,) = bench.results.records
    assert found["trial"]["pace"]["steps"] == 2 and found["outcome"]["route"] == "volume"
    assert lines[1].startswith("hash_grid") and f"{found['outcome']['psnr_vs_source']:.1f}" in lines[1]
    assert {path.name for path in tmp_path.iterdir()} == {"convert.json", "convert.md", "convert.png"}
    again = Convert(kinds="hash_grid", steps=2, size=16, out=tmp_path)
    again._converted = None  # type: ignore[assignment]  # what is there is not repeated
    assert list(again.lines())[:3] == lines[:3]


def test_all_kinds_have_a_source() -> None:
    assert set(convert.SHIPPED) | set(convert.MADE_OF) == set(KINDS)
    assert set(convert.MADE_OF.values()) <= set(convert.SHIPPED)
    assert all((convert.HERE / name).is_file() for name in convert.SHIPPED.values())


def test_a_record_of_other_settings_or_of_other_code_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps, the target's sizes, what made the source, and the code: a change of each is another trial."""
    bench = Convert(kinds="mlp,vm")
    known = [bench._trial("mlp", "vm")]
    known.append(Convert(kinds="mlp,vm", steps=7)._trial("mlp", "vm"))
    known.append(Convert(kinds="mlp,vm", quick=True)._trial("mlp", "vm"))
    with monkeypatch.context() as changed:
        preset = convert._preset
        changed.setattr(convert, "_preset", lambda kind: preset(kind) | {"samples": 99})
        known.append(bench._trial("mlp", "vm"))
    with monkeypatch.context() as changed:
        changed.setattr(
            convert, "_preset", lambda kind: preset(kind) | ({"width": 48} if kind == "mlp" else {})
        )
        known.append(bench._trial("mlp", "vm"))
    with monkeypatch.context() as changed:
        changed.setattr(convert._digest, "of_code", lambda *names: "other")
        known.append(bench._trial("mlp", "vm"))
    assert all(a != b for a, b in itertools.combinations(known, 2))
    assert bench._trial("mlp", "vm") == known[0]


def test_the_digest_of_code_is_that_of_what_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "PACKAGE", tmp_path)
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "code.py"

    def digest(text: str) -> str:
        file.write_text(text)
        _digest.of_code.cache_clear()
        return _digest.of_code("folder")

    first = digest('"""Words."""\nA = 1\n"""More."""\n\ndef f():\n    """Of f."""\n    return "a"\n')
    assert digest('# None\nA = 1\ndef f():\n    return "a"\n') == first
    assert digest('A = 2\ndef f():\n    return "a"\n') != first
    assert digest('A = 1\ndef f():\n    return "b"\n') != first
    (tmp_path / "folder" / "more.py").write_text("")
    assert digest('A = 1\ndef f():\n    return "a"\n') != first
    _digest.of_code.cache_clear()


def test_quick_is_quicker_and_what_learns_nothing_stays_so() -> None:
    quick, whole = Convert(quick=True), Convert()
    for kind in KINDS:
        assert quick._pace(kind)["steps"] <= whole._pace(kind)["steps"]
    assert Convert(steps=7)._pace("vm")["steps"] == 7 and Convert(steps=7)._pace("mesh")["steps"] == 0


def test_targets_are_judged_among_fields_only() -> None:
    table = {("vm", "mlp"): record(29.0, 95.0), ("mlp", "vm"): record(40.0), ("mesh", "vm"): record(10.0)}
    found = list(judgements(table))
    assert [line.split()[0] for line in found] == ["MISSED", "MISSED"] and "29.0 dB from vm to mlp" in found[
        0
    ]
    assert [line.split()[0] for line in judgements({("mlp", "vm"): record(31.0)})] == ["met", "met"]
    assert list(judgements({("mesh", "vm"): record(10.0)})) == []


def test_better_copies_are_greener() -> None:
    low, middle, high = (_matrix.colour(psnr) for psnr in (10.0, 32.0, 60.0))
    assert low == _matrix.LOW and high == _matrix.HIGH and low[0] > middle[0] > high[0]
    table = {(a, b): record(30.0) for a in "ab" for b in "ab"}
    assert _matrix.draw("ab", table).getpixel((_matrix.LEFT + 3, _matrix.TOP + 3)) == _matrix.colour(30.0)
    assert _matrix.markdown("ab", table).count("30.0 (5 s)") == 4


def test_lessons_are_put_beside_each_other() -> None:
    results = Results()
    bench = Lessons(kinds="vm", steps=2, rays=64, seeds=1, size=12, results=results)
    lines = list(bench.lines())
    assert [line.split("  ")[0] for line in lines[2:]] == list(LESSONS)
    assert "(+0.00)" in lines[2] and len(results.records) == len(LESSONS)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [({"jobs": 2}, "jobs is 2"), ({"steps": -1}, "steps is -1"), ({"size": 2}, "size is 2")],
)
def test_wrong_flags_are_named(flags: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Convert(**flags)


def test_wrong_words_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='unknown kind of scene "voxel"; did you mean voxels'):
        Convert(kinds="voxel")
    with pytest.raises(UserError, match="no folder"):
        Convert(scenes=tmp_path / "none")
    with pytest.raises(ValueError, match="seeds 0"):
        Lessons(seeds=0)


def test_their_flags_are_read_without_running_them() -> None:
    assert options_class("convert")().quick is False  # pyright: ignore[reportAttributeAccessIssue]
    assert options_class("lessons")().steps == 300  # pyright: ignore[reportAttributeAccessIssue]
