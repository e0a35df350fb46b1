"""Which backends work on this machine, which do not, and what would mend them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from distill3d.commands import _flags
from distill3d.plugins import PACKAGE

SECONDS_ALLOWED = 120
REINSTALL = "pip install --force-reinstall --no-deps ."


@dataclass(frozen=True)
class Options:
    """Which backends work on this machine, which do not, and what would mend them.

    Each is tried in a process of its own: every operation that it has computes a small example, whose numbers
    and gradients are compared with the definition in plain torch. The exit code is 0 if the backend that CPU
    tensors get by default works, and 1 otherwise.
    """

    json: bool = False
    """Print the findings as JSON."""


@dataclass(frozen=True)
class Finding:
    """What was seen of one backend."""

    backend: str
    usable: bool
    reason: str
    """Why it cannot be used; empty where it can."""
    max_error: float | None
    """The largest of `errors`; None where nothing was computed."""
    mend: str
    """The command that would mend it, or what else would; empty where nothing is broken."""
    errors: dict[str, float] = field(default_factory=dict)
    """By operation, the largest difference from the definition."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = _flags.parse(Options, argv, "doctor")

    from distill3d.ops.backends import backends

    findings = [_finding(name, state) for name, state in backends().items()]
    if options.json:
        print(json.dumps({"backends": [asdict(f) for f in findings]}, indent=2))
    else:
        _print(findings)
    return 0 if all(f.usable for f in findings if f.backend == "cpu") else 1


def _finding(name: str, state: str) -> Finding:
    """Try a backend that says it is usable; take the word of one that says why it is not."""
    if state != "usable":
        return Finding(name, False, state, None, _mend(state))
    command = [sys.executable, "-m", "distill3d.commands._backend_check", name]
    try:
        done = subprocess.run(
            command, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=SECONDS_ALLOWED, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding(name, False, f"gave no answer within {SECONDS_ALLOWED} s", None, "repeat it when idle")
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return _judge(name, said, done.returncode, done.stderr)


def _judge(name: str, said: Sequence[dict[str, Any]], code: int, complaint: str) -> Finding:
    """From what the process said, operation by operation, and how it ended."""
    from distill3d.commands._backend_check import OTHERS, OURS
    from distill3d.ops.backends import ADAPTERS

    allowed = OTHERS if name in ADAPTERS else OURS
    errors = {words["operation"]: words["error"] for words in said if "error" in words}
    reasons = [f"{words['operation']}: {words['refused']}" for words in said if "refused" in words]
    reasons += [
        f"{operation} is off by {error:.2g}, at most {allowed:g} was expected"
        for operation, error in errors.items()
        if error > allowed
    ]
    if code != 0:
        ended = (
            f"was ended by signal {-code}" if code < 0 else (complaint.strip().splitlines() or ["failed"])[-1]
        )
        reasons.append(f"{said[-1]['operation']}: {ended}" if said else ended)
    reason = "; ".join(reasons)
    return Finding(
        name,
        not reasons,
        reason,
        max(errors.values(), default=None),
        _mend(reason) if reasons else "",
        errors,
    )


def _mend(reason: str) -> str:
    """The command that a reason names, or its last clause if that says what to do, or a new installation."""
    if "`" in reason:
        return reason.split("`")[1]
    _, _, what_to_do = reason.rpartition("; ")
    if what_to_do.startswith(("pip ", "install ", "use ")):
        return what_to_do
    return "use a machine with an NVIDIA GPU" if "CUDA devices only" in reason else REINSTALL


def _print(findings: list[Finding]) -> None:
    import torch

    print(f"python {sys.version.split()[0]}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    width = max(len(f.backend) for f in findings)
    for finding in findings:
        errors = ", ".join(f"{operation} {error:.1g}" for operation, error in finding.errors.items())
        if finding.usable:
            print(f"{finding.backend:{width}}  usable: largest errors {errors}")
        else:
            print(f"{finding.backend:{width}}  not usable: {finding.reason}")
            print(f"{'':{width}}  to mend it: {finding.mend}")
