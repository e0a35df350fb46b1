"""Rig: how the cameras of a training step are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch.nn.functional import normalize

from distill3d.camera import ORBIT_RADIUS, Cameras, orbit
from distill3d.moment import Moment


@dataclass(frozen=True)
class Rig:
    """Cameras on a sphere that look at the origin: azimuths stratified, elevations uniform in area."""

    elevation_min_deg: Annotated[float, "lowest camera, degrees above the horizon"] = -15.0
    elevation_max_deg: Annotated[float, "highest camera, degrees above the horizon"] = 75.0
    radius: Annotated[float, "distance of the cameras from the origin"] = ORBIT_RADIUS
    fov_y_deg: Annotated[float, "vertical field of view in degrees"] = 40.0
    snap: Annotated[
        bool, "move each camera to the nearest that the prior has pictures from, if it has any"
    ] = True

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

    def among(self, stations: Callable[[int, int], Cameras | None]) -> Rig | Snapped:
        """The rig, kept to the `stations` that a prior knows pictures from, if there are any."""
        known = stations(1, 1)
        if not self.snap or known is None:
            return self
        return Snapped(self, stations)

    def cameras(self, moment: Moment, *, views: int, width: int, height: int) -> Cameras:
        """`views` cameras, one in each of as many equal slices of the circle, which is turned at random."""
        turn, within = moment.uniform(1), moment.uniform(views)
        azimuths_rad = 2 * math.pi * (turn + (torch.arange(views, device=within.device) + within) / views)
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


@dataclass(frozen=True)
class Snapped:
    """A rig whose cameras move to the nearest of the stations that a prior's pictures were taken from.

    A prior made of finitely many pictures knows nothing between them: seen from elsewhere, a scene would be
    pulled towards a neighbour's picture and blur.
    """

    rig: Rig
    stations: Callable[[int, int], Cameras | None]
    """The stations for pictures of a width and a height."""

    def cameras(self, moment: Moment, *, views: int, width: int, height: int) -> Cameras:
        """As `rig.cameras`, each replaced by the station that is nearest in direction."""
        drawn = self.rig.cameras(moment, views=views, width=width, height=height)
        known = self.stations(width, height)
        if known is None:
            return drawn
        known = known.to(drawn.intrinsics.device)
        nearness = normalize(drawn.centres, dim=-1) @ normalize(known.centres, dim=-1).T
        return known[nearness.argmax(-1)]
