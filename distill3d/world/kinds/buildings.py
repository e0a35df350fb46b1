"""Buildings: house, castle, windmill, lighthouse, church. The door is in front."""

from __future__ import annotations

from collections.abc import Sequence

from distill3d.world.colours import RGB, darker, lighter, rgb
from distill3d.world.outlines import outline
from distill3d.world.parts import Part, Vary, pair, part
from distill3d.world.shapes import (
    Box,
    Ellipsoid,
    Extrusion,
    Lathe,
    cylinder,
    frustum,
    limb,
    rod,
    sphere,
)
from distill3d.world.solid import Shape

WITHOUT_FRONT: tuple[str, ...] = ()


def _gable(depth: float, width: float, height: float) -> Shape:
    """A triangular prism on z = 0 whose ridge runs along x."""
    return Extrusion(outline((-width / 2, 0), (width / 2, 0), (0, height)), depth).facing_front()


def _window(x: float, y: float, z: float, glass: str = "light cyan") -> list[Part]:
    """A framed window that looks along x."""
    return [
        part("frames", "white", Box((0.07, 0.28, 0.3), 0.02).at(x, y, z)),
        part("windows", glass, Box((0.1, 0.2, 0.22), 0.01).at(x, y, z)),
    ]


def house(colour: RGB | None, vary: Vary) -> list[Part]:
    """A cottage: a door between two windows in front, a red roof, a chimney; one window behind."""
    walls = colour or rgb("beige")
    depth, width, height, roof = vary(1.1, 0.08), vary(1.2, 0.06), vary(0.72, 0.08), vary(0.62, 0.1)
    x = depth / 2
    return [
        part("walls", walls, Box((depth, width, height)).at(z=height / 2)),
        part("walls", walls, _gable(depth, width, roof * 0.98).at(z=height - 0.01)),
        *pair(
            "roof",
            "red",
            lambda s: _slope(depth + 0.22, width / 2 + 0.13, roof * (1 + 0.26 / width), s).at(
                z=height + roof + 0.04
            ),
        ),
        part("door", "wooden", Box((0.1, 0.28, 0.48), 0.03).at(x, 0, 0.24)),
        part("knob", "golden", sphere(0.035).at(x + 0.06, -0.08, 0.24)),
        part("step", "stone", Box((0.3, 0.42, 0.08), 0.02).at(x + 0.06, 0, 0.03)),
        *_window(x, width * 0.31, 0.42),
        *_window(x, -width * 0.31, 0.42),
        part(
            "attic",
            "light cyan",
            rod((x - 0.03, 0, height + roof * 0.36), (x + 0.04, 0, height + roof * 0.36), 0.12),
        ),
        *_window(-x, vary(0.2, 0.5), 0.42),
        part("chimney", "brick", Box((0.18, 0.18, 0.5), 0.01).at(-0.2, width * 0.24, height + roof * 0.85)),
        part("bushes", "green", Ellipsoid((0.18, 0.2, 0.16)).at(x + 0.1, width * 0.42, 0.1)),
        part("bushes", "green", Ellipsoid((0.16, 0.18, 0.14)).at(x + 0.1, -width * 0.42, 0.1)),
    ]


def _slope(depth: float, run: float, rise: float, side: int, thickness: float = 0.09) -> Shape:
    """One side of a roof, falling from the ridge at z = 0 by `rise` over `run`."""
    corners = outline((0, 0), (0, -thickness), (side * run, -rise - thickness), (side * run, -rise))
    return Extrusion(corners, depth).facing_front()


def castle(colour: RGB | None, vary: Vary) -> list[Part]:
    """A castle: four towers with pointed roofs around a keep, a gate in front, flags on top."""
    stone = colour or rgb("stone")
    half, wall, tower = vary(0.62, 0.06), vary(0.52, 0.08), vary(0.94, 0.08)
    slim = vary(0.22, 0.08)
    corners = [(x * half, y * half) for x in (1, -1) for y in (1, -1)]
    merlons = [-0.66, -0.33, 0.0, 0.33, 0.66]
    return [
        part("walls", stone, Box((2 * half, 2 * half, wall)).at(z=wall / 2)),
        *[
            part("walls", stone, Box((0.1, 0.13, 0.14)).at(s * (half - 0.05), f * half, wall + 0.06))
            for s in (1, -1)
            for f in merlons
        ],
        *[
            part("walls", stone, Box((0.13, 0.1, 0.14)).at(f * half, s * (half - 0.05), wall + 0.06))
            for s in (1, -1)
            for f in merlons
        ],
        part("keep", lighter(stone), Box((0.56, 0.56, tower + 0.16)).at(-0.1, 0, (tower + 0.16) / 2)),
        part("roofs", "navy", frustum(0.46, 0.0, 0.5).at(-0.1, 0, tower + 0.15)),
        *[part("towers", lighter(stone, 0.15), cylinder(slim, tower).at(x, y)) for x, y in corners],
        *[
            part("roofs", "navy", frustum(slim + 0.07, 0.0, vary(0.46, 0.06)).at(x, y, tower - 0.01))
            for x, y in corners
        ],
        *[
            part("slits", "black", Box((0.05, 0.08, 0.18), 0.02).at(x + slim - 0.01, y, tower * 0.7))
            for x, y in corners
            if x > 0
        ],
        part("gate", "wooden", Box((0.08, 0.36, 0.3)).at(half, 0, 0.15)),
        part("gate", "wooden", rod((half - 0.04, 0, 0.3), (half + 0.04, 0, 0.3), 0.18)),
        *[part("bars", "black", Box((0.1, 0.03, 0.42)).at(half, y, 0.22)) for y in (-0.09, 0.0, 0.09)],
        part("windows", "yellow", Box((0.6, 0.12, 0.2), 0.02).at(-0.07, 0, tower - 0.06)),
        part("flag", "red", rod((-0.1, 0, tower + 0.5), (-0.1, 0, tower + 0.95), 0.025)),
        part(
            "flag",
            "red",
            Extrusion(outline((0, 0), (0.3, 0.09), (0, 0.18)), 0.04).facing_front().at(-0.1, 0, tower + 0.75),
        ),
    ]


def windmill(colour: RGB | None, vary: Vary) -> list[Part]:
    """A windmill: four sails and a door in front, a balcony around, a tail pole behind."""
    walls = colour or rgb("white")
    height, foot, sail = vary(1.2, 0.06), vary(0.52, 0.08), vary(0.82, 0.06)
    turn = vary.between(15, 75)
    hub = (foot * 0.66 + 0.22, height + 0.08)
    blade = Box((0.04, 0.2, sail - 0.2), 0.01).at(0, 0.11, sail / 2 + 0.1)
    arm = limb((0, 0, 0), (0, 0, sail), 0.035)
    return [
        part("tower", walls, frustum(foot, foot * 0.64, height)),
        part("balcony", "wooden", cylinder(foot + 0.1, 0.08).at(z=height * 0.36)),
        part(
            "cap",
            "red",
            Lathe(outline((0, 0), (foot * 0.74, 0), (foot * 0.62, 0.2), (foot * 0.3, 0.38), (0, 0.42))).at(
                z=height - 0.02
            ),
        ),
        part("axle", "black", rod((0, 0, hub[1]), (hub[0] + 0.06, 0, hub[1]), 0.07)),
        *[
            part("arms", "wooden", arm.turned(x_deg=turn + a).at(hub[0], 0, hub[1]))
            for a in (0, 90, 180, 270)
        ],
        *[
            part("sails", "beige", blade.turned(x_deg=turn + a).at(hub[0], 0, hub[1]))
            for a in (0, 90, 180, 270)
        ],
        part("door", "wooden", Box((0.12, 0.24, 0.36), 0.03).at(foot * 0.93, 0, 0.18)),
        *pair(
            "windows", "blue", lambda s: Box((0.14, 0.14, 0.18), 0.02).at(foot * 0.76, s * 0.1, height * 0.6)
        ),
        part("pole", "wooden", limb((-foot * 0.6, 0, height + 0.1), (-foot - 0.3, 0, 0.25), 0.04)),
    ]


def lighthouse(colour: RGB | None, vary: Vary) -> list[Part]:
    """A lighthouse: red bands, a lamp room with a gallery, a door and two windows in front, a rock below."""
    band = colour or rgb("red")
    height, foot = vary(1.6, 0.06), vary(0.4, 0.08)
    top = foot * 0.62

    def ring(low: float, high: float, extra: float = 0.012) -> Shape:
        slope = (top - foot) / height
        return frustum(foot + slope * low + extra, foot + slope * high + extra, high - low).at(z=low)

    return [
        part("rock", "stone", Ellipsoid((foot + 0.26, foot + 0.22, 0.2))),
        part("tower", "white", frustum(foot, top, height)),
        *[part("bands", band, ring(height * low, height * (low + 0.18))) for low in (0.18, 0.54)],
        part("gallery", "black", cylinder(top + 0.13, 0.07).at(z=height)),
        part("lamp", "yellow", cylinder(top * 0.72, 0.3).at(z=height + 0.05)),
        *[
            part(
                "rails",
                "black",
                limb((top * 0.75, 0, 0.05), (top * 0.75, 0, 0.33), 0.025).turned(z_deg=a).at(z=height),
            )
            for a in range(0, 360, 60)
        ],
        part("roof", band, frustum(top + 0.08, 0.0, vary(0.34)).at(z=height + 0.34)),
        part("finial", "golden", sphere(0.06).at(z=height + 0.7)),
        part("door", darker(rgb("wooden")), Box((0.12, 0.22, 0.32), 0.03).at(foot * 0.95, 0, 0.3)),
        *[
            part("windows", "blue", Ellipsoid((0.06, 0.08, 0.11)).at(foot + (top - foot) * f, 0, height * f))
            for f in (0.46, 0.8)
        ],
    ]


def church(colour: RGB | None, vary: Vary) -> list[Part]:
    """A church: a tower with a clock and a door in front, a long nave with tall windows behind it."""
    walls = colour or rgb("white")
    length, nave, tower = vary(1.2, 0.08), vary(0.6, 0.08), vary(1.15, 0.06)
    x = 0.56
    sides: Sequence[float] = (0.38, 0.62, 0.86)
    return [
        part("nave", walls, Box((length, 0.8, nave)).at(x - length / 2, 0, nave / 2)),
        part("nave", walls, _gable(length - 0.02, 0.78, 0.4).at(x - length / 2, 0, nave - 0.01)),
        *pair(
            "roof", "maroon", lambda s: _slope(length + 0.08, 0.5, 0.5, s).at(x - length / 2, 0, nave + 0.46)
        ),
        part("tower", walls, Box((0.46, 0.46, tower)).at(x, 0, tower / 2)),
        part("spire", "maroon", frustum(0.4, 0.0, vary(0.62)).at(x, 0, tower)),
        part("cross", "golden", Box((0.05, 0.05, 0.3)).at(x, 0, tower + 0.68)),
        part("cross", "golden", Box((0.05, 0.2, 0.05)).at(x, 0, tower + 0.72)),
        part("clock", "golden", rod((x + 0.2, 0, tower - 0.22), (x + 0.25, 0, tower - 0.22), 0.15)),
        part("clock", "white", rod((x + 0.2, 0, tower - 0.22), (x + 0.265, 0, tower - 0.22), 0.115)),
        part("hands", "black", limb((x + 0.27, 0, tower - 0.22), (x + 0.27, 0.05, tower - 0.15), 0.018)),
        part("door", "wooden", Box((0.08, 0.24, 0.3)).at(x + 0.23, 0, 0.15)),
        part("door", "wooden", rod((x + 0.19, 0, 0.3), (x + 0.27, 0, 0.3), 0.12)),
        *[
            part("windows", "blue", Box((0.14, 0.84, nave * 0.5), 0.04).at(x - f * length, 0, nave * 0.48))
            for f in sides
        ],
        part("rosette", "blue", rod((x - length - 0.03, 0, nave), (x - length + 0.1, 0, nave), 0.14)),
    ]
