"""For all tests: two threads that wait as the project's do, and a last line that says which backends ran."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

BACKENDS_RUN: Counter[str] = Counter()


def pytest_collection(session: pytest.Session) -> None:
    """Count the backend of every operation, from before the first test module imports one."""
    import torch

    from distill3d.ops import backends

    torch.set_num_threads(2)
    choose = backends.choose

    def counted(operation: str, *inputs: torch.Tensor) -> str:
        name = choose(operation, *inputs)
        BACKENDS_RUN[name] += 1
        return name

    backends.choose = counted


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where tests run side by side, each process hands its counts to the one that prints them."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["backends"] = dict(BACKENDS_RUN)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the counts of a process that has come to its end."""
    BACKENDS_RUN.update(getattr(node, "workeroutput", {}).get("backends", {}))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need a GPU say so when they are skipped."""
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Keep the last line: what ran, and what could not with the beginning of the reason."""
    from distill3d.ops.backends import backends

    ran = ", ".join(f"{name} ({count} operations)" for name, count in sorted(BACKENDS_RUN.items())) or "none"
    states = {name: state for name, state in backends().items() if state != "usable"}
    unusable = ", ".join(f"{name} ({short(state)})" for name, state in states.items())
    line = f"backends that ran: {ran}" + (f"; not usable: {unusable}" if unusable else "")
    terminalreporter.config.stash[LAST_LINE] = line


def short(reason: str) -> str:
    """A reason in a few words: what to do is left to `distill3d doctor`."""
    known = {"not installed": "not installed", "no CUDA device": "no GPU", "CUDA devices only": "no GPU"}
    known |= {"are missing": "not built"}
    return next((words for part, words in known.items() if part in reason), reason.partition(";")[0])


LAST_LINE = pytest.StashKey[str]()


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line of all."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and LAST_LINE in config.stash:
        reporter.write_line(config.stash[LAST_LINE])
