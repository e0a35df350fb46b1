"""On what machine numbers were measured."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CPUINFO = Path("/proc/cpuinfo")
MEMINFO = Path("/proc/meminfo")


def processor() -> str:
    """The processor's name as its maker gives it where the system tells, else its architecture."""
    if CPUINFO.is_file():
        for line in CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def about(device: torch.device) -> dict[str, str | int]:
    """What a report says of where it was measured."""
    import torch

    here = {"device": device.type, "processor": processor(), "threads": torch.get_num_threads()}
    return here if device.type == "cpu" else {**here, "gpu": torch.cuda.get_device_name(device)}


def free_bytes() -> int | None:
    """Memory that can still be had without swapping; None where the system does not tell."""
    if MEMINFO.is_file():
        for line in MEMINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable"):
                return 1024 * int(line.split()[1])
    return None
