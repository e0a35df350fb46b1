"""The definitions of `lift`, `weigh` and `contributors` in plain torch, with `splat_reference`'s weights."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops._views import each
from distill3d.ops.splat_reference import blend, footprints


def weights(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    cameras: Cameras,
    blur_px: float,
    antialiased: bool,
) -> Iterator[tuple[Tensor, Float[Tensor, "S H W"]]]:
    """For each camera the ids of the splats that it sees, front to back, and their weights in each pixel."""
    none = means.new_zeros(len(means), 2)
    for camera in each(cameras):
        splats = footprints(means, wxyz, scales, opacities, none, camera, none, blur_px, antialiased)
        parts = [part for part, _ in blend(splats, camera, none[splats.ids])]
        yield splats.ids, torch.cat([means.new_zeros(0, camera.height, camera.width), *parts])


def weigh(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    cameras: Cameras,
    maps: Float[Tensor, "V H W F"],
    blur_px: float,
    antialiased: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Σ w map [N, F]; and [V, N] each of Σ w, the greatest w, and the number of pixels with w > 0."""
    count, views = len(means), cameras.shape.numel()
    sums = means.new_zeros(count, maps.shape[-1])
    weight, peak = means.new_zeros(views, count), means.new_zeros(views, count)
    pixels = torch.zeros(views, count, dtype=torch.int32, device=means.device)
    seen = weights(means, wxyz, scales, opacities, cameras, blur_px, antialiased)
    for view, (ids, w) in enumerate(seen):
        sums[ids] += torch.einsum("nhw,hwf->nf", w, maps[view])
        weight[view, ids] = w.sum((1, 2))
        peak[view, ids] = w.amax((1, 2))
        pixels[view, ids] = (w > 0).sum((1, 2), dtype=torch.int32)
    return sums, weight, peak, pixels


def contributors(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    cameras: Cameras,
    most: int,
    blur_px: float,
    antialiased: bool,
) -> tuple[Tensor, Tensor]:
    """Ids and weights [V, H, W, most], greatest weight first; -1 and 0 where there are fewer."""
    all_ids, all_weights = [], []
    for ids, w in weights(means, wxyz, scales, opacities, cameras, blur_px, antialiased):
        nobody = torch.full((most,), -1, device=ids.device)
        ids = torch.cat([ids, nobody])
        w = torch.cat([w, w.new_zeros(most, *w.shape[1:])])
        ranked, order = torch.sort(w, dim=0, descending=True, stable=True)
        best = ranked[:most].permute(1, 2, 0)
        all_ids.append(torch.where(best > 0, ids[order[:most]].permute(1, 2, 0), -1).int())
        all_weights.append(best)
    return torch.stack(all_ids), torch.stack(all_weights)
