"""What Gaussians and surfels have in common: primitives that are learned, grow in number, and are saved.

How they grow is the subject of `_densify_split` and `_densify_mcmc`, each with a function `grow`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from distill3d.camera import Cameras
from distill3d.moment import Moment
from distill3d.rendering import Rendering
from distill3d.representations import _densify_mcmc, _densify_split
from distill3d.representations._extra import Extra
from distill3d.representations._learned import parameter
from distill3d.scene import Scene

LEARNED = ("means", "wxyz", "log_scales", "opacity_logits", "sh")
OPAQUE_FROM, OPAQUE_WEIGHT = 0.1, 2.0
DEGREE_RAISED_EVERY = 1 / 30
"""Share of a run after which colours get harmonics of one degree more."""


class Primitives(Scene):
    """N primitives, each with a place, a turn, sizes along its axes, an opacity and colours.

    A scene that is fitted to photographs begins with constant colours, and comes to harmonics of `degree` in
    the first tenth of the run.
    """

    means: nn.Parameter
    wxyz: nn.Parameter
    log_scales: nn.Parameter
    opacity_logits: nn.Parameter
    sh: nn.Parameter
    limit: Tensor
    """How many primitives there may be."""
    degree: Tensor
    """Up to which the harmonics are raised."""
    relocates: Tensor
    """Whether the scene grows by `_densify_mcmc` and not by `_densify_split`."""
    antialiased: Tensor
    """Whether Gaussians that are blurred to the size of a pixel become as much fainter: Yu et al. 2024,
    Mip-Splatting (arXiv 2311.16493), section 5.2. Surfels are not blurred."""
    pull: Tensor
    """Of the loss on each primitive's place in the pictures, since the scene has grown last."""

    rates_for_score: ClassVar[dict[str, tuple[float, float]]] = {
        "means": (1e-2, 5e-4),
        "wxyz": (1e-2, 5e-3),
        "log_scales": (2e-2, 5e-3),
        "opacity_logits": (5e-2, 2e-2),
        "sh": (5e-2, 5e-3),
    }
    """Each parameter's learning rate at the first and the last step."""
    rates_for_photographs: ClassVar[dict[str, tuple[float, float]]] = {
        "means": (2e-3, 2e-5),
        "wxyz": (5e-3, 1e-3),
        "log_scales": (1e-2, 2e-3),
        "opacity_logits": (5e-2, 1e-2),
        "sh": (1e-2, 1e-3),
    }

    def __init__(
        self,
        means: Float[Tensor, "N 3"],
        wxyz: Float[Tensor, "N 4"],
        log_scales: Float[Tensor, "N D"],
        opacity_logits: Float[Tensor, "N"],
        sh: Float[Tensor, "N K 3"],
        *,
        limit: int | None = None,
        degree: int = 0,
        relocates: bool = False,
        extra: Extra | None = None,
    ) -> None:
        super().__init__()
        for name, value in zip(LEARNED, (means, wxyz, log_scales, opacity_logits, sh), strict=True):
            self.register_parameter(name, parameter(value))
        self.register_buffer("limit", torch.tensor(len(means) if limit is None else limit))
        self.register_buffer("degree", torch.tensor(degree))
        self.register_buffer("relocates", torch.tensor(relocates))
        self.register_buffer("antialiased", torch.tensor(False))
        self.register_buffer("pull", torch.zeros(len(means)))
        self.extra = extra or Extra()
        self._probe: Tensor | None = None

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Primitives:
        """See `Scene.from_state`; files from before a buffer was there have its default."""
        scene = cls(*[state[name] for name in LEARNED])
        scene.load_state_dict({**scene.state_dict(), **state})
        return scene

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """As nn.Module, for any count of primitives."""
        for name in LEARNED:
            self.register_parameter(name, nn.Parameter(torch.empty_like(state_dict[name])))
        self.pull = torch.zeros_like(state_dict["pull"])
        return super().load_state_dict(state_dict, strict, assign)

    def learned(self) -> dict[str, nn.Parameter]:
        """The parameters by name, one row for each primitive."""
        return {name: getattr(self, name) for name in LEARNED}

    @property
    def geometry(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Means, wxyz, scales and opacities, as kernels take them: all but the colours. No gradient."""
        scales, opacities = self.log_scales.detach().exp(), self.opacity_logits.detach().sigmoid()
        return self.means.detach(), self.wxyz.detach(), scales, opacities

    def draw(self, values: Float[Tensor, "N C"], cameras: Cameras) -> Float[Tensor, "*B H W C"]:
        """W v = Σ w v: values drawn in the place of colours, premultiplied. No gradient."""
        raise TypeError(f"{type(self).__name__} cannot draw values")

    def gather(self, maps: Float[Tensor, "*B H W C"], cameras: Cameras) -> Float[Tensor, "N C"]:
        """Wᵀ y = Σ w y over the pixels of all cameras, the adjoint of `draw`. No gradient."""
        raise TypeError(f"{type(self).__name__} cannot gather")

    def _fresh_probe(self, cameras: Cameras) -> Tensor | None:
        """Zeros added to the projected primitives, whose gradient `grow` reads; None where it does not."""
        if self.relocates or not (torch.is_grad_enabled() and self.means.requires_grad):
            return None
        return self.means.new_zeros(*cameras.shape, len(self.means), 2).requires_grad_()

    def param_groups(self) -> list[dict[str, Any]]:
        rates = self.rates_for_photographs if self.photographed else self.rates_for_score
        return [
            {"name": name, "params": [getattr(self, name)], "lr": first, "lr_final": last}
            for name, (first, last) in rates.items()
        ]

    def penalty(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Tensor | None:
        """For a score: be opaque or nothing, which pictures leave open, but a surface is."""
        if self.relocates:
            return _densify_mcmc.penalty(self)
        if self.photographed:
            return None
        opacity = self.opacity_logits.sigmoid()
        missing = (opacity.detach() > OPAQUE_FROM) * (1 - opacity)
        return OPAQUE_WEIGHT * missing.sum() / max(len(missing), 1)

    def grow(
        self, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        """Raise the degree of the colours where it is time, then densify and prune."""
        if self._probe is not None and self._probe.grad is not None:
            self.pull += self._probe.grad.norm(dim=-1)[None].flatten(0, -2).sum(0)
        self._raise_degree(step, steps, optimizer)
        strategy = _densify_mcmc if self.relocates else _densify_split
        strategy.grow(self, step, steps, optimizer, generator)

    def _raise_degree(self, step: int, steps: int, optimizer: torch.optim.Optimizer) -> None:
        wanted = min(int(self.degree), int(step / (DEGREE_RAISED_EVERY * steps)))
        missing = (wanted + 1) ** 2 - self.sh.shape[1]

        def padded(values: Tensor) -> Tensor:
            return nn.functional.pad(values, (0, 0, 0, missing))

        if missing > 0:
            self._exchange(optimizer, "sh", padded(self.sh), padded)

    def rearrange(
        self,
        optimizer: torch.optim.Optimizer,
        rows: Int64[Tensor, " M"],
        values: dict[str, Tensor],
        fresh: Bool[Tensor, " M"],
    ) -> None:
        """Make `values`, which came from `rows`, the parameters; the `fresh` of them forget their moments."""

        def kept(moments: Tensor) -> Tensor:
            moments = moments[rows]
            moments[fresh] = 0
            return moments

        for name in LEARNED:
            self._exchange(optimizer, name, values[name].clone(), kept)
        self.extra.take(rows)
        self.pull = self.pull.new_zeros(len(rows))
        self._probe = None

    def _exchange(
        self,
        optimizer: torch.optim.Optimizer,
        name: str,
        value: Tensor,
        moved: Callable[[Tensor], Tensor],
    ) -> None:
        """Put a parameter with `value` in the place of `name`, whose moments are `moved` with it."""
        group = next(group for group in optimizer.param_groups if group["name"] == name)
        moments = optimizer.state.pop(group["params"][0], {})
        for key in ("exp_avg", "exp_avg_sq"):
            if key in moments:
                moments[key] = moved(moments[key])
        new = nn.Parameter(value)
        optimizer.state[new] = moments
        group["params"] = [new]
        self.register_parameter(name, new)
