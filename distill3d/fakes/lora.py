"""A low-rank change of the prior's own network, as in ProlificDreamer (arXiv 2305.16213), section 3.2."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from distill3d.errors import UserError
from distill3d.fakes._learned import Learned
from distill3d.prior import Prior

RANK = 4


@dataclass
class LoRA(Learned):
    """The prior's own network with low-rank changes that learn; for priors that are networks."""

    def check(self, prior: Prior) -> None:
        if type(prior).adapter is Prior.adapter:
            raise UserError(
                f"--prior {type(prior).__name__.lower()} has no weights to adapt, which --method.fake lora "
                "expects; use --method.fake network or own"
            )

    def model_for(self, x: Float[Tensor, "B ..."], prior: Prior) -> nn.Module:
        return prior.adapter(RANK)
