"""Category-Score Distillation Sampling. After Sparse3D, Zou et al. 2023 (arXiv 2308.14078).

g = w(t) (ε̂(x_t; y, v, t) - ε(x_t; category, t)),   w(t) = σ_t²

The prior told of the object, minus the prior told of no more than its category, where VSD has a learned
model. The paper's text was not read. There the first prior is a network that sees features of a few input
photographs v along epipolar lines; that it can be any prior that is shown pictures, and that the photographs
are also a penalty on the scene (Kerbl et al. 2023, equation 7) from their own cameras, is inferred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d import visual_prompt
from distill3d.data import photographs
from distill3d.data.dataset import open_dataset
from distill3d.guidance import check_words
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Guided, Taken, flag
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class CSDS(Guided):
    """After Sparse3D: the prior told of the object minus the prior told of its category only."""

    PUBLISHED: ClassVar = {"guidance": 7.5, "t_first": (0.02, 0.98), "t_last": (0.02, 0.98)}

    guidance: Annotated[float | None, "classifier-free guidance scale of the object's score"] = 7.5
    category: Annotated[str | None, "the category in words; by default the last word before a comma"] = None
    views: Annotated[str | None, "folder with a few pictures of the object and their cameras, as for fit"] = (
        None
    )
    fidelity: Annotated[float, "how much the scene has to look like these pictures"] = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fidelity < 0:
            raise ValueError(f"{flag('fidelity')} is {self.fidelity:g}; expected a number of at least 0")
        self.taken, self.visual = None, None
        if self.views is not None:
            dataset = open_dataset(self.views)
            self.taken = photographs.load(dataset, dataset.train)
            self.visual = visual_prompt.from_photographs(self.taken)

    def check(self, prior: Prior) -> None:
        super().check(prior)
        check_words(prior, self.category, "--method.category")
        if self.visual is not None:
            prior.check_visual(self.visual)

    def photographs(self) -> Taken | None:
        return None if self.taken is None else Taken(self.taken, self.fidelity)

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """Both predictions at one noised picture."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        of_object = self.predicted(prior, p, condition.showing(self.visual))
        of_category = prior.noise(p.x_t, p.t, condition.saying(self._category(condition.prompt)))
        return per_picture(p.sigma**2, x) * (of_object - of_category)

    def _category(self, prompt: str | None) -> str | None:
        return (
            self.category if self.category is not None or prompt is None else prompt.split(",")[0].split()[-1]
        )
