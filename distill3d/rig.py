"""Rig: how the cameras of a training step are drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch

from distill3d.camera import ORBIT_RADIUS, Cameras, orbit
from distill3d.moment import Moment


@dataclass(frozen=True)
class Rig:
    """Cameras on a sphere that look at the origin: azimuths stratified over the circle, elevations uniform in area."""

    elevation_min_deg: Annotated[float, "lowest camera, degrees above the horizon"] = -15.0
    elevation_max_deg: Annotated[float, "highest camera, degrees above the horizon"] = 75.0
    radius: Annotated[float, "distance of the cameras from the origin"] = ORBIT_RADIUS
    fov_y_deg: Annotated[float, "vertical field of view in degrees"] = 40.0

    def __post_init__(self) -> None:
        if not -90 <= self.elevation_min_deg <= self.elevation_max_deg <= 90:
            raise ValueError(
                f"rig elevations {self.elevation_min_deg:g} to {self.elevation_max_deg:g} degrees; "
                "expected -90 <= lowest <= highest <= 90"
            )
        if self.radius <= 1 or not 0 < self.fov_y_deg < 180:
            raise ValueError(
                f"rig radius {self.radius:g} and field of view {self.fov_y_deg:g} degrees; expected a radius "
                "over 1 (the scene fills the unit sphere) and a field of view between 0 and 180"
            )

    def cameras(self, moment: Moment, *, views: int, width: int, height: int) -> Cameras:
        """`views` cameras, one in each of as many equal slices of the circle, which is turned at random."""
        turn, within = moment.uniform(1), moment.uniform(views)
        azimuths_rad = 2 * math.pi * (turn + (torch.arange(views) + within) / views)
        low, high = (math.sin(math.radians(e)) for e in (self.elevation_min_deg, self.elevation_max_deg))
        elevations_rad = (low + (high - low) * moment.uniform(views)).asin()
        return orbit(
            azimuths_rad,
            elevations_rad,
            radius=self.radius,
            fov_y_rad=math.radians(self.fov_y_deg),
            width=width,
            height=height,
        )
