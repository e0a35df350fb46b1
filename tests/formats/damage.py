"""Damaged files, for tests that a reader answers each of them with a scene or with one sentence."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from distill3d.errors import UserError

DAMAGE = (
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    st.one_of(st.just(1.0), st.floats(0, 1)),
    st.booleans(),
)
"""Bytes that are changed, each a place and a value; what is left of the file; whether its head is turned."""
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
THOROUGH = settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
CONSTANT = 20_000_000
"""Bytes that a reader may use for a file of any size: modules that it imports, tables that it makes."""


SLACK = 100_000_000
"""Bytes more for the memory that the process holds, which it neither takes nor gives back one by one."""


def damaged(data: bytes, places: list[tuple[float, int]], cut: float, swap: bool) -> bytes:
    changed = bytearray(data[: max(1, int(len(data) * cut))])
    for place, value in places:
        changed[int(place * (len(changed) - 1))] = value
    if swap:
        changed[:64] = changed[:64][::-1]
    return bytes(changed)


def survives(read: Callable[[bytes], Any], data: bytes, *, times: int = 64, always: int = CONSTANT) -> Any:
    """What is read, or None for one sentence; with memory for `times` the file's size and `always` more."""
    tracemalloc.start()
    held = _held(afresh=True)
    try:
        return read(data)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 400, error
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        most = always + times * len(data)
        assert peak <= most, f"{peak} bytes for a file of {len(data)}"
        assert _held() - held <= most + SLACK, f"{_held() - held} bytes held for a file of {len(data)}"


def _held(*, afresh: bool = False) -> int:
    """The most bytes that the process has held, tensors too, or holds now to count afresh; 0 if unknown."""
    try:
        if afresh:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
