"""What learned fakes share: a module that predicts noise, trained on the scene's pictures as they come.

Wang et al. 2023, "ProlificDreamer" (arXiv 2305.16213): min_φ E ‖ε_φ(x_t, t, c) - ε‖². One
step for each of the scene's, t over its whole range, and the camera c left out of one step in ten, so that
the module also knows the pictures whatever their camera. Weighted by 1/α²: the error of v = α ε - σ x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d.errors import UserError
from distill3d.fake import Fake
from distill3d.moment import Moment
from distill3d.noised import Noised, perturb
from distill3d.prior import Condition, Prior
from distill3d.rendering import Rendering

WITHOUT_CAMERA = 0.1  # of the steps
LOWEST_T, HIGHEST_T = 0.02, 0.98
LEAST_SIGNAL = 0.2  # α² under which the weight grows no more


@dataclass
class Learned(Fake):
    """A fake that is a network. A kind says which: its module is called with (noisy, t, condition)."""

    def __post_init__(self) -> None:
        self.model: nn.Module | None = None
        self._optimizer: torch.optim.Optimizer | None = None
        self._state: dict[str, Any] = {}

    def model_for(self, x: Float[Tensor, "B ..."], prior: Prior) -> nn.Module:
        """A fresh module for pictures such as x. Its randomness is torch's own, which `learn` seeds."""
        raise TypeError(f"{type(self).__name__} has no model")

    def learn(self, rendering: Rendering, prior: Prior, condition: Condition, moment: Moment) -> None:
        """That minimum on the latest pictures, `steps` times."""
        x = prior.show(rendering, condition).detach()
        model, optimizer = self._begun(x, prior, moment)
        for _ in range(self.steps):
            asked = condition if moment.uniform(1) >= WITHOUT_CAMERA else condition.without_cameras()
            t = LOWEST_T + (HIGHEST_T - LOWEST_T) * moment.uniform(len(x)).to(x)
            p = perturb(x, prior, t, moment)
            with torch.enable_grad():
                error = (model(p.x_t, p.t, asked) - p.noise).square().flatten(1).mean(-1)
                loss = (error / p.alpha.square().clamp_min(LEAST_SIGNAL)).mean()
                optimizer.zero_grad()
                loss.backward()
            optimizer.step()

    def noise(self, p: Noised, prior: Prior, condition: Condition) -> Float[Tensor, "B ..."]:
        if self.model is None:
            raise RuntimeError(f"a noise was asked of {type(self).__name__} before learn()")
        return self.model(p.x_t, p.t, condition)

    def _begun(
        self, x: Float[Tensor, "B ..."], prior: Prior, moment: Moment
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The module and its optimizer, made when the first pictures are seen."""
        if self.model is None or self._optimizer is None:
            # a resumed run has drawn its seed already, and takes its weights from the state
            seed = 0 if self._state else int(moment.uniform(1) * 2**31)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.model = self.model_for(x, prior)
            learnable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
            if not learnable:
                raise UserError(
                    f"--method.fake {type(self).__name__.lower()}: all parameters of the model are frozen; "
                    "expected some with requires_grad, or choose --method.fake own"
                )
            self._optimizer = torch.optim.Adam(learnable, lr=self.rate, betas=(0.9, 0.99))
            if self._state:
                self.model.load_state_dict(self._state["model"], strict=False)
                self._optimizer.load_state_dict(self._state["optimizer"])
                self._state = {}
        return self.model, self._optimizer

    def state_dict(self) -> dict[str, Any]:
        """What learns, and not the prior's frozen weights."""
        if self.model is None or self._optimizer is None:
            return self._state
        learnable = {n: p.detach() for n, p in self.model.named_parameters() if p.requires_grad}
        return {"model": learnable, "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at the first pictures, when the module is made again."""
        self.model, self._optimizer, self._state = None, None, state
