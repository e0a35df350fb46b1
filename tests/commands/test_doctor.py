"""`distill3d doctor`: every backend is tried or says why not, and a crash is a finding like any other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from distill3d.commands import _backend_check, doctor
from distill3d.ops.backends import ADAPTERS, NAMES, backends
from tests.commands.conftest import Said

Run = Callable[..., Said]


@pytest.fixture(scope="module")
def findings() -> dict[str, dict[str, Any]]:
    """Of one run in which only the quick ones are tried."""
    import contextlib
    import io

    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        tried = doctor._finding
        patch.setattr(
            doctor, "_finding", lambda name, state: tried(name, "slow" if name == "emulated" else state)
        )
        code = doctor.main(["--json"])
    found = {finding["backend"]: finding for finding in json.loads(out.getvalue())["backends"]}
    assert code == (0 if found["cpu"]["usable"] else 1)
    return found


def test_every_backend_is_listed_with_what_a_program_needs(findings: dict[str, dict[str, Any]]) -> None:
    assert list(findings) == list(NAMES)
    for finding in findings.values():
        assert {"usable", "reason", "max_error", "mend"} <= set(finding)
        assert bool(finding["reason"]) == bool(finding["mend"]) == (not finding["usable"])


def test_what_is_usable_has_tried_every_operation(findings: dict[str, dict[str, Any]]) -> None:
    assert findings["reference"]["usable"]
    for name, finding in findings.items():
        if finding["usable"] and name not in ADAPTERS:
            assert set(finding["errors"]) == set(_backend_check.EXAMPLES)
            assert finding["max_error"] == max(finding["errors"].values()) <= _backend_check.OURS


def test_what_is_not_usable_says_why_and_what_would_mend_it(findings: dict[str, dict[str, Any]]) -> None:
    for name, state in backends().items():
        if state != "usable" and name != "emulated":
            assert not findings[name]["usable"] and findings[name]["reason"] == state
            assert findings[name]["max_error"] is None and findings[name]["mend"]


@pytest.mark.parametrize(
    ("reason", "mend"),
    [
        ("the kernels are missing; build it with `make emulated` in the source folder", "make emulated"),
        ("the package gsplat is not installed; pip install gsplat", "pip install gsplat"),
        ("torch sees no CUDA device; install an NVIDIA driver", "install an NVIDIA driver"),
        ("nerfacc computes on CUDA devices only and torch sees none", "use a machine with an NVIDIA GPU"),
        ("splat is off by 0.3, at most 0.0005 was expected", doctor.REINSTALL),
    ],
)
def test_the_mend_is_taken_from_the_reason(reason: str, mend: str) -> None:
    assert doctor._finding("cpu", reason) == doctor.Finding("cpu", False, reason, None, mend)


def test_a_crash_is_blamed_on_the_operation_that_had_begun() -> None:
    said = [{"operation": "splat"}, {"operation": "splat", "error": 1e-7}, {"operation": "mesh"}]
    finding = doctor._judge("cpu", said, -11, "")
    assert not finding.usable and finding.reason == "mesh: was ended by signal 11"
    assert finding.max_error == 1e-7 and finding.mend == doctor.REINSTALL


def test_a_wrong_result_or_a_refusal_is_a_reason() -> None:
    said = [{"operation": "splat", "error": 0.2}, {"operation": "mesh", "refused": "there is no such thing"}]
    finding = doctor._judge("cpu", said, 0, "")
    assert not finding.usable and finding.max_error == 0.2
    assert finding.reason == "mesh: there is no such thing; splat is off by 0.2, at most 0.0005 was expected"


def test_other_peoples_kernels_may_differ_a_little_more() -> None:
    said = [{"operation": "splat", "error": 5e-3}]
    assert doctor._judge("gsplat", said, 0, "").usable and not doctor._judge("cuda", said, 0, "").usable


def test_a_process_that_cannot_begin_gives_its_last_words() -> None:
    finding = doctor._finding("nonsense", "usable")
    assert not finding.usable and "nonsense" in finding.reason and finding.max_error is None


def test_an_answer_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("check", doctor.SECONDS_ALLOWED)

    monkeypatch.setattr(subprocess, "run", never)
    assert "gave no answer within" in doctor._finding("cpu", "usable").reason


def test_a_person_reads_a_line_for_each(distill3d: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    usable = doctor.Finding("cpu", True, "", 3e-7, "", {"splat": 3e-7, "mesh": 1e-8})
    broken = doctor.Finding("cuda", False, "there is no device", None, "buy one")
    monkeypatch.setattr(doctor, "_finding", lambda name, state: usable if name == "cpu" else broken)
    said = distill3d("doctor")
    assert said.code == 0 and "cpu   usable: largest errors splat 3e-07, mesh 1e-08" in said.out
    assert "not usable: there is no device" in said.out and "to mend it: buy one" in said.out
    monkeypatch.setattr(
        doctor,
        "_finding",
        lambda name, state: (
            broken if name != "cpu" else doctor.Finding("cpu", False, "gone", None, "reinstall")
        ),
    )
    assert distill3d("doctor").code == 1
