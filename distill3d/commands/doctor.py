"""Which backends work on this machine, which do not, and what would mend them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from distill3d.commands import _flags
from distill3d.plugins import PACKAGE

SECONDS_ALLOWED = 120


@dataclass(frozen=True)
class Options:
    """Which backends work on this machine, which do not, and what would mend them.

    Each is tried in a process of its own, on a small picture whose pixels are compared with the definition in
    plain torch. The exit code is 0 if the backend that CPU tensors get by default works, and 1 otherwise.
    """

    json: bool = False
    """Print the findings as JSON."""


@dataclass(frozen=True)
class Finding:
    """What was seen of one backend."""

    backend: str
    works: bool
    detail: str
    """The largest difference from the definition, or the reason why it does not work."""
    mend: str
    """The command that would mend it; empty where nothing is broken."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = _flags.parse(Options, argv, "doctor")

    from distill3d.ops.backends import backends

    findings = [_finding(name, state) for name, state in backends().items()]
    if options.json:
        print(json.dumps({"backends": [asdict(f) for f in findings]}, indent=2))
    else:
        _print(findings)
    return 0 if all(f.works for f in findings if f.backend == "cpu") else 1


def _finding(name: str, state: str) -> Finding:
    """Try a backend that says it is usable; take the word of one that says why it is not."""
    if state != "usable":
        return Finding(name, False, state, "pip install --force-reinstall --no-deps .")
    command = [sys.executable, "-m", "distill3d.commands._backend_check", name]
    try:
        done = subprocess.run(
            command, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=SECONDS_ALLOWED, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding(
            name, False, f"gave no picture within {SECONDS_ALLOWED} s", "reduce the machine's load"
        )
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    last = lines[-1] if lines else f"ended by signal {-done.returncode}"
    return Finding(
        name, done.returncode == 0, last, "" if done.returncode == 0 else "pip install --force-reinstall ."
    )


def _print(findings: list[Finding]) -> None:
    import torch

    print(f"python {sys.version.split()[0]}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    width = max(len(f.backend) for f in findings)
    for finding in findings:
        print(f"{finding.backend:{width}}  {'works' if finding.works else 'does not work'}: {finding.detail}")
        if finding.mend:
            print(f"{'':{width}}  to mend it: {finding.mend}")
