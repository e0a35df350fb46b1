"""Point clouds as Gaussians: round ones that reach to their neighbours.

The size by the nearest neighbours is that from which 3D Gaussian Splatting starts (Kerbl et al. 2023, arXiv
2308.04079, section 5.1), halved, since these Gaussians are to be looked at as they are.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import trimesh
from scipy.spatial import KDTree
from torch import Tensor

from distill3d import sh

NEIGHBOURS = 3
REACH = 0.5
"""Standard deviation in mean distances to the nearest neighbours."""
OPACITY = 0.95
LONELIEST = 4.0
"""A point far from all others is at most as large as this many of the middle one."""
ALONE = 0.01
"""Standard deviation where there is no other point."""


def as_gaussians(points: trimesh.PointCloud) -> dict[str, Tensor]:
    """The state of a Gaussians scene: one of degree 0 at every point, grey where points have no colours."""
    places = np.asarray(points.vertices, dtype=np.float32)
    count = len(places)
    colours = np.asarray(points.colors, dtype=np.float32)[:, :3] / 255 if len(points.colors) else None
    rgb = np.full((count, 3), 0.5, np.float32) if colours is None or len(colours) != count else colours
    return {
        "means": torch.from_numpy(places),
        "wxyz": torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(count, 1),
        "log_scales": torch.from_numpy(np.log(sizes(places))).float()[:, None].repeat(1, 3),
        "opacity_logits": torch.full((count,), math.log(OPACITY / (1 - OPACITY))),
        "sh": sh.degree_0_from_rgb(torch.from_numpy(rgb))[:, None],
    }


def sizes(places: np.ndarray) -> np.ndarray:
    """Standard deviations [N] of Gaussians at places [N, 3]; points in one place count as one."""
    distinct, row = np.unique(places, axis=0, return_inverse=True)
    if len(distinct) == 1:
        return np.full(len(places), ALONE)
    distances, _ = KDTree(distinct).query(distinct, k=min(NEIGHBOURS, len(distinct) - 1) + 1, workers=-1)
    mean = distances[:, 1:].mean(1)
    return REACH * np.minimum(mean, LONELIEST * np.median(mean))[row.reshape(-1)]
