"""The lesson of a student of which there are photographs: what a teacher says, and what they say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from distill3d.distill import Lesson, Loss, Pictures, Teacher, Told, resolution
from distill3d.moment import Moment
from distill3d.objective import Objective
from distill3d.particles import Particles
from distill3d.scene import WANT, Scene
from distill3d.teachers.images import Images


@dataclass(frozen=True)
class Photographed:
    """Pictures for a teacher, and a penalty on what one of the photographs shows otherwise, drawn anew."""

    pictures: Pictures
    images: Images
    weight: float

    @property
    def teacher(self) -> Teacher:
        """That of the pictures."""
        return self.pictures.teacher

    def __call__(self, student: Scene, moment: Moment) -> Told:
        told = self.pictures(student, moment)
        side = resolution(self.pictures.size, moment.progress)
        cameras = self.images.cameras(moment, views=1, width=side, height=side)
        scenes = list(student) if isinstance(student, Particles) else [student]
        losses = [self.images(cameras, scene.render(cameras, want=WANT), moment).total for scene in scenes]
        wrong = sum(losses, told.loss.total.new_zeros(())) / len(losses)
        parts = {**told.loss.parts, "photographs": wrong}
        return replace(told, loss=Loss(told.loss.total + self.weight * wrong, parts))

    def state_dict(self) -> dict[str, Any]:
        """The teacher's; photographs have none."""
        return self.pictures.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.pictures.load_state_dict(state)


def beside_photographs(pictures: Pictures, objective: Objective) -> Lesson:
    """`pictures` for a method, with its photographs if it has any."""
    taken = objective.photographs()
    return pictures if taken is None else Photographed(pictures, Images(taken.photographs), taken.weight)
