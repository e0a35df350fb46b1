"""What Gaussians must be like; a sentence for those that are not."""

from __future__ import annotations

from torch import Tensor

from distill3d.camera import Cameras


def check_gaussians(means: Tensor, wxyz: Tensor, scales: Tensor, opacities: Tensor, cameras: Cameras) -> None:
    """Raise ValueError where shapes do not agree or there is no camera."""
    count = len(means)
    check_shape("means", means, (count, 3))
    check_shape("wxyz", wxyz, (count, 4))
    check_shape("scales", scales, (count, 3))
    check_shape("opacities", opacities, (count,))
    if cameras.shape.numel() == 0:
        raise ValueError("given no camera; give cameras whose batch shape has at least one element")


def check_colours(colours: Tensor, cameras: Cameras, count: int) -> None:
    """Raise ValueError for other than [N, C] or [*B, N, C]."""
    if tuple(colours.shape[:-1]) not in ((count,), (*cameras.shape, count)):
        raise ValueError(
            f"given colours {tuple(colours.shape)}, expected {(count,)} or {(*cameras.shape, count)} "
            "and then any number of channels"
        )


def check_batch(name: str, table: Tensor | None, cameras: Cameras, count: int) -> None:
    """Raise ValueError where a table is given and is not [*B, N, 2]."""
    if table is not None:
        check_shape(name, table, (*cameras.shape, count, 2))


def check_shape(name: str, tensor: Tensor, expected: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != expected:
        raise ValueError(
            f"given {name} {tuple(tensor.shape)}, expected {expected} beside these means and cameras"
        )
