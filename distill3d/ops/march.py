"""Rays through an occupancy grid to samples: only the steps that fall into occupied cells are kept.

Source: Müller et al. 2022, Instant Neural Graphics Primitives (arXiv 2201.05989), appendix E.1; the exact
rules are in `march_reference`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from distill3d.ops import _march_kernels, _march_nerfacc, backends, march_reference

FINEST = 2**16
"""Steps that may at most fit along the side of the grid."""


@dataclass(frozen=True)
class Samples:
    """Stretches of rays, packed: those of ray r are at offsets[r] to offsets[r + 1], front to back.

    Entries from offsets[-1] on, which only a `capacity` leaves, belong to no ray and have no length.
    """

    starts: Float[Tensor, " S"]
    ends: Float[Tensor, " S"]
    """In units of the ray's direction, as `starts`."""
    points: Float[Tensor, "S 3"]
    """Of the stretches' middles, in the world."""
    rays: Int[Tensor, " S"]
    offsets: Int[Tensor, " E"]
    needed: Int[Tensor, "1"]
    """How many samples the rays have. More than S: it did not fit the capacity, and the last rays are cut."""


def march(
    origins: Float[Tensor, "R 3"],
    directions: Float[Tensor, "R 3"],
    occupied: Bool[Tensor, "L G G G"],
    *,
    step: float,
    near: Float[Tensor, " R"] | None = None,
    far: Float[Tensor, " R"] | None = None,
    jitter: Float[Tensor, " R"] | None = None,
    cone: float = 0.0,
    longest: float = math.inf,
    extent: float = 1.0,
    limit: int = 1024,
    capacity: int | None = None,
) -> Samples:
    """Samples of rays in the occupied cells of a grid. No gradients.

    Level l of `occupied` (axes z, y, x) covers [-extent 2^l, extent 2^l]³, and a point belongs to the finest
    level that covers it. A ray is cut to the outermost box and to [`near`, `far`] (in units of its direction,
    of any length; from 0 on when not given), and divided into stretches of `step` world units, or of
    `cone` times the distance from its origin within [`step`, `longest`]. `jitter`, in [0, 1), moves the first
    stretch by a share of its length. A stretch whose middle lies in an occupied cell becomes a sample; a ray
    has at most `limit`. Rays with a number that is not finite have none.

    With `capacity` the result has that many entries, and `needed` says whether they were enough: no answer of
    the device is waited for. Without, there are as many as needed.

    Raises ValueError for shapes that do not agree and steps that cannot be taken, TypeError for other than
    float32 on the compiled backends.
    """
    count = len(origins)
    near = torch.zeros_like(origins[:, 0]) if near is None else near
    far = torch.full_like(origins[:, 0], math.inf) if far is None else far
    _check(origins, directions, occupied, near, far, jitter)
    _check_steps(step, cone, longest, extent, limit, capacity)
    inputs = [origins, directions, near, far, *([] if jitter is None else [jitter])]
    backend = backends.choose("march", *inputs)
    with torch.no_grad():
        jitter = torch.zeros_like(near) if jitter is None else jitter
        steps = (step, cone, longest, extent, limit, capacity)
        if backend == "reference":
            parts = march_reference.march(origins, directions, near, far, jitter, occupied, *steps)
        elif backend == "nerfacc":
            parts = _march_nerfacc.march(origins, directions, near, far, jitter, occupied, *steps)
        else:
            parts = _march_kernels.march(backend, origins, directions, near, far, jitter, occupied, *steps)
    samples = Samples(*parts)
    assert len(samples.offsets) == count + 1
    return samples


def _check(
    origins: Tensor, directions: Tensor, occupied: Tensor, near: Tensor, far: Tensor, jitter: Tensor | None
) -> None:
    count = origins.shape[0]
    given = {"origins": origins, "directions": directions, "near": near, "far": far}
    expected = {"origins": (count, 3), "directions": (count, 3), "near": (count,), "far": (count,)}
    if jitter is not None:
        given["jitter"], expected["jitter"] = jitter, (count,)
    for name, tensor in given.items():
        if tuple(tensor.shape) != expected[name]:
            raise ValueError(
                f"given {name} {tuple(tensor.shape)}, expected {expected[name]} beside {count} origins"
            )
    if occupied.dtype != torch.bool:
        raise TypeError(f"given occupied of {occupied.dtype}, expected torch.bool; compare densities first")
    cells = occupied.shape[-1]
    if occupied.ndim != 4 or tuple(occupied.shape[1:]) != (cells,) * 3 or occupied.numel() == 0:
        raise ValueError(f"given occupied {tuple(occupied.shape)}, expected (levels, cells, cells, cells)")
    if len(occupied) > 1 and cells % 4:
        raise ValueError(f"given {len(occupied)} levels of {cells} cells, expected a multiple of 4 cells")
    if occupied.device != origins.device:
        raise ValueError(
            f"given occupied on {occupied.device} beside origins on {origins.device}; move it with .to()"
        )


def _check_steps(
    step: float, cone: float, longest: float, extent: float, limit: int, capacity: int | None
) -> None:
    if not (0 < extent < math.inf and step >= 2 * extent / FINEST and longest >= step and cone >= 0):
        raise ValueError(
            f"given step {step:g}, longest {longest:g}, cone {cone:g} and extent {extent:g}, expected a "
            f"finite extent, steps of at least its 1/{FINEST // 2}, longest not under step, cone not under 0"
        )
    if limit < 1 or (capacity is not None and not 0 <= capacity < 2**31):
        raise ValueError(
            f"given limit {limit} and capacity {capacity}, expected at least 1, and 0 to 2^31 - 1"
        )
