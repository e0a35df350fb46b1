"""The structural similarity of pictures (SSIM), differentiably.

Source: Wang et al. 2004, Image Quality Assessment: From Error Visibility to Structural Similarity; the exact
rules are in `ssim_reference`.
"""

from __future__ import annotations

from functools import partial

from jaxtyping import Float
from torch import Tensor

from distill3d.ops import _ssim_kernels, backends, ssim_reference
from distill3d.ops.ssim_reference import REACH


def ssim(a: Float[Tensor, "*B H W C"], b: Float[Tensor, "*B H W C"]) -> Float[Tensor, "*B"]:
    """SSIM of each pair of pictures, over the windows around all pixels; black outside, as 3DGS has it.

    Arguments, gradients and errors are those of `ssim_map`, whose mean this is.
    """
    return ssim_map(a, b).mean((-3, -2, -1))


def ssim_inside(a: Float[Tensor, "*B H W C"], b: Float[Tensor, "*B H W C"]) -> Float[Tensor, "*B"]:
    """SSIM of each pair of pictures, over the windows that lie in the picture, as its authors have it.

    Arguments, gradients and errors are those of `ssim_map`; pictures smaller than the window are refused.
    """
    side = 2 * REACH + 1
    if a.ndim >= 3 and min(a.shape[-3:-1]) < side:
        raise ValueError(
            f"given pictures of {a.shape[-3]} x {a.shape[-2]} pixels, expected at least {side} x {side}, "
            "the size of the window; enlarge them, or use ssim()"
        )
    return ssim_map(a, b)[..., REACH:-REACH, REACH:-REACH, :].mean((-3, -2, -1))


def ssim_map(a: Float[Tensor, "*B H W C"], b: Float[Tensor, "*B H W C"]) -> Float[Tensor, "*B H W C"]:
    """How alike the surroundings of each pixel are, from -1 to 1, which is for equal ones.

    Differentiable in both pictures. Values are expected in 0 .. 1, the range that the two constants of SSIM
    stand for; channels are compared one by one. Windows that hold a number which is not finite count as 0,
    without a gradient.

    Raises TypeError for other than float32 on a compiled backend, ValueError for shapes that do not agree and
    for pictures without a pixel.
    """
    _check(a, b)
    backend = backends.choose("ssim", a, b)
    run = ssim_reference.similarity if backend == "reference" else partial(_ssim_kernels.similarity, backend)
    in_a_row = (-1, *a.shape[-3:])
    return run(a.reshape(in_a_row), b.reshape(in_a_row)).reshape(a.shape)


def _check(a: Tensor, b: Tensor) -> None:
    if a.ndim < 3 or a.shape != b.shape:
        raise ValueError(
            f"given pictures {tuple(a.shape)} and {tuple(b.shape)}, expected two of the same shape "
            "(…, height, width, channels)"
        )
    if 0 in a.shape[-3:]:
        raise ValueError(
            f"given pictures {tuple(a.shape)} without a pixel, "
            "expected a height, a width and a number of channels of at least 1"
        )
