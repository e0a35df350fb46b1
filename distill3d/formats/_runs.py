"""Long tables in runs of rows, which stay in the cache while their columns are moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from torch import Tensor

ROWS = 4096


def runs(count: int, rows: int = ROWS) -> Iterator[slice]:
    """`count` rows as slices of `rows`, the last as long as what is left."""
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


def side_by_side(count: int, work: Callable[[slice], object], *, rows: int = ROWS) -> None:
    """Call `work` for each of `runs`, on all processors."""
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(work, runs(count, rows)):
            pass


def arrays(state: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """The learned tensors of a state of Gaussians as float32 arrays, only copied if they are others."""
    names = ("means", "wxyz", "log_scales", "opacity_logits", "sh")
    return {name: state[name].detach().cpu().float().numpy() for name in names}


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logits)), without overflow."""
    return np.float32(0.5) * (np.tanh(np.float32(0.5) * logits) + np.float32(1))


def logit(units: np.ndarray, steps: int) -> np.ndarray:
    """The inverse of `sigmoid` for multiples of 1 / steps; 0 and 1 stand for half a step inside."""
    inside = np.clip(units, np.float32(0.5 / steps), np.float32(1 - 0.5 / steps))
    return np.log(inside / (1 - inside))
