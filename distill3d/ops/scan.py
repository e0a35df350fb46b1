"""Running sums and products along packed rays, differentiably."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from distill3d.ops import _scan_kernels, backends, scan_reference


def exclusive_sum(values: Float[Tensor, " S"], offsets: Int[Tensor, " E"]) -> Float[Tensor, " S"]:
    """For each entry, the sum of those in front of it in its ray: offsets[r] to offsets[r + 1] are ray r.

    `offsets` are int32. Entries that belong to no ray get 0. Raises ValueError for shapes that do not agree,
    TypeError for other than float32 on the compiled backends.
    """
    return _scan("sum", True, values, offsets)


def inclusive_sum(values: Float[Tensor, " S"], offsets: Int[Tensor, " E"]) -> Float[Tensor, " S"]:
    """As `exclusive_sum`, with the entry itself."""
    return _scan("sum", False, values, offsets)


def exclusive_product(values: Float[Tensor, " S"], offsets: Int[Tensor, " E"]) -> Float[Tensor, " S"]:
    """As `exclusive_sum`, for products; zeros among the entries are no trouble, also not for gradients."""
    return _scan("product", True, values, offsets)


def inclusive_product(values: Float[Tensor, " S"], offsets: Int[Tensor, " E"]) -> Float[Tensor, " S"]:
    """As `exclusive_product`, with the entry itself."""
    return _scan("product", False, values, offsets)


def _scan(kind: str, exclusive: bool, values: Tensor, offsets: Tensor) -> Tensor:
    if values.ndim != 1 or offsets.ndim != 1 or len(offsets) < 1:
        raise ValueError(
            f"given values {tuple(values.shape)} and offsets {tuple(offsets.shape)}, "
            "expected (S,) and (R + 1,)"
        )
    backend = backends.choose("scan", values)
    if backend == "reference":
        return scan_reference.scan(kind, exclusive, values, offsets)
    return _scan_kernels.scan(backend, kind, exclusive, values, offsets)
