"""What is generated in docs/ is up to date."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_of_methods_is_what_its_script_writes() -> None:
    written = (DOCS / "objectives.md").read_text(encoding="utf-8")
    fresh = runpy.run_path(str(DOCS / "objectives.py"))["page"]()
    assert fresh == written, "run: python docs/objectives.py"


def test_what_benchmarks_have_measured_becomes_columns(tmp_path: Path) -> None:
    trials = [
        {"world": "ring", "start": "everywhere", "method": "csds"},
        {"world": "ring", "start": "everywhere", "method": "csds"},
        {"world": "ring", "start": "one mode", "method": "csds"},
    ]
    outcomes = [{"variance_ratio": v, "mass_error": e} for v, e in ((0.9, 0.02), (1.1, 0.04), (7.0, 0.5))]
    records = [{"trial": t, "outcome": o} for t, o in zip(trials, outcomes, strict=True)]
    (tmp_path / "modes.json").write_text(json.dumps({"results": records}))
    page = runpy.run_path(str(DOCS / "objectives.py"))["page"]
    page.__globals__["FOLDER"] = tmp_path
    rows = [line.split(" | ") for line in page().splitlines() if line.startswith("| ")]
    at = rows[0].index("in-mode variance")
    assert rows[0][at + 1] == "mass error" and "Janus rate" not in rows[0]
    assert {row[at]: row[at + 1] for row in rows[2:] if "`c_sds`" in row[0]} == {"1.00": "0.030"}
    assert all(row[at] == "" for row in rows[2:] if "`c_sds`" not in row[0])


def test_a_method_at_other_settings_has_no_part_in_its_column(tmp_path: Path) -> None:
    """esd=0.9 is an esd too, and a Janus run with a changed option is not the method at its defaults."""
    script = runpy.run_path(str(DOCS / "objectives.py"))
    settings = [script["_as_json"](script["in_the_plane"](label, 8)) for label in ("esd", "esd=0.25")]
    trials = [{"method": "esd", "particles": 8, "settings": s} for s in settings]
    assert [script["_is_plain"](trial, "esd") for trial in trials] == [True, False]
    plain = script["_as_json"](script["plugins"].load("objectives", "csm", "method", "--help")())
    runs = [{"method": "csm", "objective": {**plain, "guidance": g}} for g in (plain["guidance"], 1.0)]
    assert [script["_is_plain"](run, "csm") for run in runs] == [True, False]
    assert not script["_is_plain"](runs[0], "csd")
