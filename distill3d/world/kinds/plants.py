"""What grows: tree, pine, palm, mushroom, cactus, flower, pumpkin."""

from __future__ import annotations

import math

from distill3d.world.colours import RGB, darker, lighter, rgb
from distill3d.world.outlines import outline, softened
from distill3d.world.parts import Part, Vary, pair, part
from distill3d.world.shapes import (
    Arc,
    Ellipsoid,
    Extrusion,
    Lathe,
    Torus,
    cylinder,
    frustum,
    limb,
    rod,
    sphere,
)

WITHOUT_FRONT = ("tree", "pine", "palm", "mushroom")


def tree(colour: RGB | None, vary: Vary) -> list[Part]:
    """A leafy tree: a crown of round clouds with apples in it."""
    leaves = colour or rgb("green")
    height, crown = vary(0.8, 0.1), vary(0.44, 0.06)
    clouds = [(0, 0, 0.42, 1.12)] + [
        (0.4 * math.cos(a), 0.4 * math.sin(a), vary(0.08, 1.0), vary(0.86, 0.1))
        for a in (0.3, 1.7, 2.9, 4.1, 5.3)
    ]
    apples = [(a + 0.4, vary.between(-0.1, 0.4)) for a in (0.0, 1.3, 2.5, 3.8, 5.0)]
    return [
        part("trunk", "brown", frustum(0.17, 0.11, height)),
        *pair(
            "branches",
            "brown",
            lambda s: limb((0, 0, height * 0.7), (0.1 * s, s * 0.26, height * 1.05), 0.06),
        ),
        *[part("leaves", leaves, sphere(crown * r).at(x, y, height + 0.22 + z)) for x, y, z, r in clouds],
        *[
            part(
                "apples",
                "red",
                sphere(0.085).at(
                    (0.4 + crown * 0.72) * math.cos(a), (0.4 + crown * 0.72) * math.sin(a), height + 0.26 + z
                ),
            )
            for a, z in apples
        ],
    ]


def pine(colour: RGB | None, vary: Vary) -> list[Part]:
    """A fir tree of four cones with a star on top."""
    needles = colour or rgb("dark green")
    width, height = vary(0.62, 0.08), vary(0.52, 0.06)
    return [
        part("trunk", "brown", cylinder(0.13, 0.4)),
        *[
            part(
                "needles",
                needles if k % 2 == 0 else lighter(needles, 0.15),
                frustum(width * (1 - 0.2 * k), 0.08, height).at(z=0.24 + k * height * 0.6),
            )
            for k in range(4)
        ],
        part("star", "yellow", sphere(0.12).at(z=0.3 + height * 2.8)),
        *[
            part(
                "balls",
                ink,
                sphere(0.075)
                .at(width * (0.86 - 0.19 * k), 0, 0.3 + k * height * 0.62)
                .turned(z_deg=around + vary(30, 1.0)),
            )
            for k in range(3)
            for around, ink in ((0, "red"), (120, "golden"), (240, "red"))
        ],
    ]


def palm(colour: RGB | None, vary: Vary) -> list[Part]:
    """A palm on a little island of sand: a bent trunk, drooping fronds, coconuts."""
    fronds = colour or rgb("green")
    height, bend = vary(1.3, 0.08), vary(0.2, 0.4)
    top = (bend, bend * 0.6, height)
    middle = (bend * 0.25, bend * 0.15, height * 0.5)
    leaf = Arc(vary(0.46, 0.06), 0.075, 48).turned(x_deg=90)
    return [
        part("sand", "tan", Ellipsoid((0.6, 0.6, 0.16))),
        part("trunk", "brown", limb((0, 0, 0.05), middle, 0.13, 0.1)),
        part("trunk", "brown", limb(middle, top, 0.1, 0.08)),
        *[
            part(
                "fronds",
                fronds if k % 2 else darker(fronds),
                leaf.turned(y_deg=-56).at(0.2, 0, -0.38).turned(z_deg=k * 51.4).at(*top),
            )
            for k in range(7)
        ],
        *[
            part("coconuts", "dark brown", sphere(0.1).at(0.13, 0, -0.1).turned(z_deg=a).at(*top))
            for a in (20, 140, 260)
        ],
    ]


def mushroom(colour: RGB | None, vary: Vary) -> list[Part]:
    """A toadstool: a domed cap with white spots, a ring around the stem."""
    cap = colour or rgb("red")
    width, dome, stem = vary(0.72, 0.08), vary(0.5, 0.1), vary(0.7, 0.1)
    bell = tuple((width * math.cos(a), dome * math.sin(a)) for a in (k * math.pi / 20 for k in range(10)))
    spots = [
        (0, 90.0),
        *((a, 48.0) for a in (10, 82, 154, 226, 298)),
        *((a, 18.0) for a in (46, 118, 190, 262, 334)),
    ]
    return [
        part("stem", "ivory", frustum(0.3, 0.2, stem + 0.1)),
        part("skirt", "white", frustum(0.36, 0.2, 0.12).at(z=stem * 0.62)),
        part("gills", "beige", frustum(0.3, width * 0.93, 0.12).at(z=stem - 0.1)),
        part("cap", cap, Lathe((*outline((0, 0)), *bell, (0.0, dome))).at(z=stem)),
        *[
            part(
                "spots",
                "white",
                Ellipsoid((0.045, vary(0.115, 0.2), vary(0.115, 0.2)))
                .turned(y_deg=-_normal_deg(lift, width, dome))
                .at(width * math.cos(math.radians(lift)), 0, dome * math.sin(math.radians(lift)))
                .turned(z_deg=around)
                .at(z=stem),
            )
            for around, lift in spots
        ],
        part("grass", "green", Ellipsoid((0.44, 0.4, 0.09))),
    ]


def _normal_deg(lift_deg: float, width: float, height: float) -> float:
    """How far the normal of an ellipse rises above the horizontal at the parameter `lift_deg`."""
    lift = math.radians(lift_deg)
    return math.degrees(math.atan2(width * math.sin(lift), height * math.cos(lift)))


def cactus(colour: RGB | None, vary: Vary) -> list[Part]:
    """A cactus in a pot: two raised arms, a pink flower on top, a sleepy face in front."""
    skin = colour or rgb("green")
    height, girth, left, right = vary(1.1, 0.08), vary(0.26, 0.08), vary(0.66), vary(0.5)
    return [
        part("pot", "clay", frustum(0.34, 0.46, 0.46)),
        part("rim", "clay", cylinder(0.51, 0.13).at(z=0.4)),
        part("soil", "dark brown", cylinder(0.42, 0.04).at(z=0.51)),
        part("stem", skin, limb((0, 0, 0.5), (0, 0, 0.5 + height), girth)),
        part("arms", darker(skin, 0.9), limb((0, 0, 0.42 + left), (0, 0.52, 0.42 + left), 0.13)),
        part("arms", darker(skin, 0.9), limb((0, 0.52, 0.42 + left), (0, 0.54, 0.9 + left), 0.13)),
        part("arms", darker(skin, 0.9), limb((0, 0, 0.5 + right), (0, -0.46, 0.5 + right), 0.12)),
        part("arms", darker(skin, 0.9), limb((0, -0.46, 0.5 + right), (0, -0.48, 0.82 + right), 0.12)),
        *[
            part(
                "flower",
                "pink",
                Ellipsoid((0.13, 0.075, 0.05)).at(x=0.13).turned(z_deg=a).at(z=0.52 + height + girth),
            )
            for a in range(0, 360, 72)
        ],
        part("flower", "yellow", sphere(0.075).at(z=0.55 + height + girth)),
        *pair("eyes", "black", lambda s: sphere(0.05).at(girth * 0.9, s * 0.1, 0.34 + height)),
        part(
            "mouth",
            "black",
            Arc(0.08, 0.022, 70).turned(z_deg=-90).facing_front().at(girth + 0.01, 0, 0.26 + height),
        ),
        *[
            part("spines", "ivory", rod((0, 0, z), (girth + 0.1, 0, z + 0.05), 0.02, 0.004).turned(z_deg=a))
            for a in (60, 120, 180, 240, 300)
            for z in (0.72, 1.0, 1.28)
        ],
    ]


def flower(colour: RGB | None, vary: Vary) -> list[Part]:
    """A flower in a pot: petals around a smiling face that looks to the front."""
    petal = colour or rgb("magenta")
    stem, reach, count = vary(0.9, 0.1), vary(0.3, 0.08), 8
    z = stem + 0.66
    leaf = Ellipsoid((0.05, 0.32, 0.12))
    return [
        part("pot", "clay", frustum(0.26, 0.36, 0.36)),
        part("rim", "clay", cylinder(0.4, 0.1).at(z=0.32)),
        part("soil", "dark brown", cylinder(0.34, 0.03).at(z=0.4)),
        part("stem", "green", limb((0, 0, 0.4), (-0.04, 0, z), 0.05)),
        *pair(
            "leaves",
            "green",
            lambda s: leaf.turned(x_deg=s * 30).at(0, s * 0.28, 0.4 + stem * vary(0.36, 0.2)),
        ),
        *[
            part(
                "petals",
                petal if k % 2 else lighter(petal, 0.2),
                Ellipsoid((0.07, 0.17, 0.25)).at(z=reach + 0.12).turned(x_deg=k * 360 / count).at(0, 0, z),
            )
            for k in range(count)
        ],
        part("heart", "yellow", Ellipsoid((0.13, reach, reach)).at(0.04, 0, z)),
        *pair("eyes", "black", lambda s: sphere(0.045).at(0.15, s * 0.1, z + 0.06)),
        part("mouth", "black", Arc(0.11, 0.024, 66).turned(z_deg=-90).facing_front().at(0.15, 0, z - 0.02)),
        part("sepal", "green", Ellipsoid((0.1, 0.2, 0.2)).at(-0.08, 0, z)),
    ]


def pumpkin(colour: RGB | None, vary: Vary) -> list[Part]:
    """A carved pumpkin: a glowing face in front, a curled stalk, smooth ribs behind."""
    skin = colour or rgb("orange")
    width, tall = vary(0.44, 0.06), vary(0.56, 0.08)
    x = width + 0.24
    nose = outline((-0.07, -0.05), (0.07, -0.05), (0, 0.09))
    eye = outline((-0.15, -0.1), (0.15, -0.1), (0.0, 0.17))
    grin = softened(
        outline((-0.36, 0.08), (-0.2, -0.14), (0.2, -0.14), (0.36, 0.08), (0.14, -0.02), (-0.14, -0.02)),
        times=1,
    )
    return [
        *[
            part(
                "ribs",
                skin if k % 2 else darker(skin, 0.9),
                Ellipsoid((0.36, 0.25, tall)).at(x=width * 0.82).turned(z_deg=k * 36).at(z=tall),
            )
            for k in range(10)
        ],
        part("core", darker(skin), Ellipsoid((width, width, tall * 0.9)).at(z=tall)),
        *pair(
            "eyes",
            "yellow",
            lambda s: (
                Extrusion(eye, 0.16).facing_front().turned(z_deg=s * 16).at(x - 0.06, s * 0.24, tall + 0.18)
            ),
        ),
        part("nose", "yellow", Extrusion(nose, 0.16).facing_front().at(x - 0.02, 0, tall + 0.02)),
        part("mouth", "yellow", Extrusion(grin, 0.3).facing_front().at(x - 0.1, 0, tall - 0.22)),
        part("stalk", "green", limb((0, 0, 2 * tall - 0.1), (-0.06, 0.06, 2 * tall + vary(0.22)), 0.1, 0.07)),
        part("leaf", "green", Ellipsoid((0.26, 0.16, 0.04)).turned(z_deg=40).at(-0.2, 0.2, 2 * tall - 0.02)),
        part("tendril", "green", Torus(0.07, 0.02).turned(y_deg=80).at(0.1, -0.12, 2 * tall + 0.04)),
    ]
