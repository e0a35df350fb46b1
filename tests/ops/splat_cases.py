"""Calls of `splat` with everything that it can draw, for tests that compare kernels with the definition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import backends
from distill3d.ops.splat import splat
from tests.ops.machines import put
from tests.ops.scenes import gaussians, views


@dataclass(frozen=True)
class Case:
    """Differentiable inputs by name, cameras and options."""

    tensors: dict[str, Tensor]
    cameras: Cameras
    options: dict[str, Any] = field(default_factory=dict)

    def draw(self, backend: str, dtype: torch.dtype) -> tuple[Any, Any]:
        """The pictures, and the inputs as leaves."""
        leaves = {name: t.to(dtype).requires_grad_() for name, t in self.tensors.items()}
        with backends.use(backend):
            images = splat(cameras=self.cameras, **leaves, **self.options)
        return images, leaves


def pictures(images: Any) -> dict[str, Tensor]:
    """Those that there are, by name."""
    names = ("colours", "alpha", "depth", "radiance", "normal")
    return {name: getattr(images, name) for name in names if getattr(images, name) is not None}


def case(
    count: int,
    channels: int,
    *,
    harmonics: int = 0,
    normals: bool = False,
    for_each: bool = False,
    cameras: Cameras | None = None,
    **options: Any,
) -> Case:
    """A soft ball before three cameras; `for_each` gives each camera colours of its own."""
    cameras = views(3) if cameras is None else cameras
    names = ("means", "wxyz", "scales", "opacities", "colours")
    tensors = dict(zip(names, gaussians(count, channels), strict=True))
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> Tensor:
        return put(torch.randn(*shape, generator=generator, device="cpu"))[0]

    if for_each:
        tensors["colours"] = normal(*cameras.shape, count, channels)
    if harmonics:
        tensors["sh"] = 0.7 * normal(count, harmonics, 3)
    for probe in ("probe", "absolute_probe"):
        tensors[probe] = torch.zeros(*cameras.shape, count, 2)
    return Case(tensors, cameras, {"normals": normals, **options})


def gradients(images: Any, leaves: dict[str, Tensor], *, only: str | None = None) -> dict[str, Tensor]:
    """Under random cotangents of all pictures, or of `only` one; zeros where nothing comes."""
    generator = torch.Generator().manual_seed(7)
    outputs = pictures(images)
    cotangents = {
        name: torch.randn(picture.shape, generator=generator, device="cpu")
        for name, picture in outputs.items()
    }
    loss = sum(
        (picture * cotangents[name].to(picture)).sum()
        for name, picture in outputs.items()
        if only in (None, name)
    )
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)  # type: ignore[arg-type]
    return dict(zip(leaves, found, strict=True))
