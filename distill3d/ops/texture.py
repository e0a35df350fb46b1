"""Textures at texture coordinates: nearest, bilinear, and averaged over a pixel's footprint.

u runs to the right and v down, from 0 to 1 over the picture, whatever its size: texel (row i, column j) has
its centre at u = (j + ½) / width, v = (i + ½) / height, as in glTF. Outside, the texture repeats, or with
`repeats=False` its border goes on. A uv that is not finite gives 0.

Source: Laine et al. 2020 (arXiv 2011.03277), section 3.5; Williams 1983, Pyramidal Parametrics; McCormack et
al. 1999, Feline (see `distill3d.ops.footprint`).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.ops import _texture_kernels, backends, texture_reference
from distill3d.ops.footprint import footprint


def nearest(
    texture: Float[Tensor, "*T Ht Wt C"], uv: Float[Tensor, "*B H W 2"], *, repeats: bool = True
) -> Float[Tensor, "*B H W C"]:
    """The texel that each uv falls in; differentiable in `texture`.

    `texture` is one for all, [Ht, Wt, C], or one for each picture.
    """
    textures, coordinates = _paired(texture, uv)
    count, height, width, channels = textures.shape
    usable = coordinates.isfinite().all(-1)
    within = torch.where(usable[..., None], coordinates.detach(), 0)
    within = within - within.floor() if repeats else within.clamp(0, 1)
    column = (within[..., 0] * width).long().clamp_max(width - 1)
    row = (within[..., 1] * height).long().clamp_max(height - 1)
    texel = row * width + column + torch.arange(count, device=uv.device)[:, None] * (height * width)
    values = torch.nn.functional.embedding(texel, textures.reshape(-1, channels)) * usable[..., None]
    return values.reshape(*uv.shape[:-1], channels)


def bilinear(
    texture: Float[Tensor, "*T Ht Wt C"], uv: Float[Tensor, "*B H W 2"], *, repeats: bool = True
) -> Float[Tensor, "*B H W C"]:
    """Linear between the four texels around each uv; differentiable in `texture` and `uv`.

    `texture` is one for all, [Ht, Wt, C], or one for each picture.
    """
    textures, coordinates = _paired(texture, uv)
    height, width = textures.shape[1:3]
    values = _sample(textures.flatten(1, 2), coordinates, None, (width, height, 1), repeats)
    return values.reshape(*uv.shape[:-1], textures.shape[-1])


def anisotropic(
    texture: Float[Tensor, "*T Ht Wt C"],
    uv: Float[Tensor, "*B H W 2"],
    derivatives: Float[Tensor, "*B H W 2 2"],
    *,
    repeats: bool = True,
) -> Float[Tensor, "*B H W C"]:
    """The mean over a pixel's footprint: texels smaller than a pixel are averaged, along the footprint alone.

    Linear between texels and between mip levels, at up to 15 probes where a footprint is longer than wide.
    `derivatives` say how u and v (last axis but one) change by pixel in x and y (last axis), as
    `interpolate_derivatives` gives them. `texture` is one for all, [Ht, Wt, C], or one for each picture.
    Differentiable in all three.
    """
    textures, coordinates = _paired(texture, uv)
    if derivatives.shape != (*uv.shape, 2):
        raise ValueError(
            f"given derivatives {tuple(derivatives.shape)} beside uv {tuple(uv.shape)}, "
            f"expected {(*uv.shape, 2)}"
        )
    levels = mip_levels(textures)
    size = (textures.shape[2], textures.shape[1], len(levels))
    covered = footprint(derivatives, *size).reshape(*coordinates.shape[:2], 4)
    pyramid = torch.cat([values.flatten(1, 2) for values in levels], 1)
    values = _sample(pyramid, coordinates, covered, size, repeats)
    return values.reshape(*uv.shape[:-1], textures.shape[-1])


def mip_levels(textures: Float[Tensor, "N Ht Wt C"]) -> list[Float[Tensor, "N _ _ C"]]:
    """The textures and their halves, down to one texel; a side is halved and rounded down, to 1 at least."""
    levels = [textures]
    while levels[-1].shape[1] > 1 or levels[-1].shape[2] > 1:
        channels_first = levels[-1].movedim(-1, 1)
        height, width = (max(1, side // 2) for side in channels_first.shape[2:])
        halved = torch.nn.functional.adaptive_avg_pool2d(channels_first, (height, width))
        levels.append(halved.movedim(1, -1))
    return levels


def _paired(texture: Tensor, uv: Tensor) -> tuple[Tensor, Tensor]:
    """Textures [N, Ht, Wt, C] and uv [N, samples, 2], N being 1 where all share one texture."""
    if texture.ndim < 3 or 0 in texture.shape[-3:-1]:
        raise ValueError(
            f"given texture {tuple(texture.shape)}, expected (..., height, width, channels) "
            "with a texel or more"
        )
    if uv.shape[-1:] != (2,):
        raise ValueError(f"given uv {tuple(uv.shape)}, expected (..., 2)")
    batch = texture.shape[:-3]
    if batch and (uv.ndim != len(batch) + 3 or uv.shape[: len(batch)] != batch):
        raise ValueError(
            f"given {tuple(batch)} textures beside uv {tuple(uv.shape)}; "
            "give one texture, or as many as there are pictures"
        )
    textures = texture.reshape(-1, *texture.shape[-3:])
    return textures, uv.reshape(len(textures), uv.shape.numel() // 2 // max(len(textures), 1), 2)


def _sample(
    pyramid: Tensor, uv: Tensor, covered: Tensor | None, size: tuple[int, int, int], repeats: bool
) -> Tensor:
    inputs = (pyramid, uv) if covered is None else (pyramid, uv, covered)
    backend = backends.choose("mesh", *inputs)
    if backend == "reference":
        return texture_reference.sample(pyramid, uv, covered, *size, repeats)
    return _texture_kernels.sample(backend, pyramid, uv, covered, *size, repeats)
