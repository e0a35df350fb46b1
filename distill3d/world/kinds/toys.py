"""Toys and treats: ball, gift, guitar, drum, cake, crown, balloon."""

from __future__ import annotations

import math

from distill3d.world.colours import RGB, darker, lighter, rgb
from distill3d.world.outlines import outline, softened, star
from distill3d.world.parts import Part, Vary, pair, part
from distill3d.world.shapes import (
    Box,
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

WITHOUT_FRONT = ("ball", "gift", "drum", "cake", "crown")


def ball(colour: RGB | None, vary: Vary) -> list[Part]:
    """A toy ball with a band and stars."""
    skin = colour or rgb("red")
    tilt = vary(24, 0.5)
    places = [(0, 90), (0, -90), *((a, 40) for a in (0, 120, 240)), *((a, -40) for a in (60, 180, 300))]
    badge = Extrusion(star(5, 0.3, 0.14), 0.1).facing_front()
    return [
        part("skin", skin, sphere(1.0)),
        part(
            "band",
            "white",
            Lathe(outline((0.9, -0.17), (1.0, -0.17), (1.015, 0), (1.0, 0.17), (0.9, 0.17))).turned(
                x_deg=tilt
            ),
        ),
        *[
            part(
                "stars", "yellow", badge.at(x=0.97).turned(y_deg=-lift, z_deg=around + 30).turned(x_deg=tilt)
            )
            for around, lift in places
        ],
    ]


def gift(colour: RGB | None, vary: Vary) -> list[Part]:
    """A present: a lid, a ribbon both ways around, a bow."""
    paper = colour or rgb("blue")
    width, depth, height = vary(1.1, 0.1), vary(1.1, 0.1), vary(0.8, 0.1)
    loop = Torus(0.2, 0.075)
    return [
        part("box", paper, Box((depth, width, height), 0.03).at(z=height / 2)),
        part("lid", darker(paper, 0.85), Box((depth + 0.1, width + 0.1, 0.2), 0.03).at(z=height)),
        part("ribbon", "yellow", Box((depth + 0.13, 0.2, height + 0.13), 0.03).at(z=height / 2 + 0.05)),
        part("ribbon", "yellow", Box((0.2, width + 0.13, height + 0.13), 0.03).at(z=height / 2 + 0.05)),
        *[
            part("bow", "yellow", loop.turned(x_deg=90, y_deg=-24).at(0.22, 0, height + 0.28).turned(z_deg=a))
            for a in (40, 220, 130, 310)
        ],
        part("bow", "yellow", sphere(0.13).at(z=height + 0.18)),
        part(
            "tag",
            "white",
            Box((0.05, 0.26, 0.18), 0.015)
            .turned(x_deg=vary(20, 0.5))
            .at(depth / 2 + 0.02, width * 0.3, height * 0.7),
        ),
    ]


def guitar(colour: RGB | None, vary: Vary) -> list[Part]:
    """A guitar standing upright: strings over a round hole in front, a plain back."""
    wood = colour or rgb("orange")
    waist, lower, neck = vary(0.26, 0.08), vary(0.54, 0.06), vary(0.9, 0.06)
    right = ((lower, -0.66), (lower * 1.12, -0.12), (waist, 0.06), (0.44, 0.3), (0.36, 0.6))
    left = tuple((-x, y) for x, y in reversed(right))
    body = softened(outline((0, -0.66), *right, (0, 0.62), *left))
    face = tuple((0.93 * x, 0.93 * y) for x, y in body)
    top = 0.56 + neck
    return [
        part("body", darker(wood, 0.6), Extrusion(body, 0.24).facing_front()),
        part("face", wood, Extrusion(face, 0.04).facing_front().at(x=0.125)),
        part("hole", "black", rod((0.1, 0, 0.1), (0.155, 0, 0.1), 0.17)),
        part("rosette", "ivory", Torus(0.18, 0.025).facing_front().at(0.148, 0, 0.1)),
        part("bridge", "dark brown", Box((0.06, 0.34, 0.09), 0.02).at(0.16, 0, -0.3)),
        part("neck", "brown", Box((0.1, 0.15, neck + 0.2), 0.03).at(0.14, 0, 0.46 + neck / 2)),
        part(
            "head", darker(wood, 0.6), Box((0.1, 0.24, 0.32), 0.03).turned(y_deg=-8).at(0.12, 0, top + 0.12)
        ),
        *[
            part("pegs", "golden", rod((0.11, -0.18, z), (0.11, 0.18, z), 0.035))
            for z in (top + 0.04, top + 0.13, top + 0.22)
        ],
        *[
            part("strings", "silver", rod((0.2, y, -0.3), (0.2, y, top), 0.01))
            for y in (-0.048, -0.016, 0.016, 0.048)
        ],
        *[
            part("frets", "silver", Box((0.02, 0.15, 0.02)).at(0.19, 0, 0.6 + neck * f))
            for f in (0.2, 0.38, 0.54, 0.68, 0.8)
        ],
        part("pin", "golden", sphere(0.05).at(0, 0, -0.62)),
    ]


def drum(colour: RGB | None, vary: Vary) -> list[Part]:
    """A tin drum: zigzag cords between two hoops, two sticks on its skin."""
    shell = colour or rgb("red")
    radius, height = vary(0.62, 0.06), vary(0.72, 0.1)
    points = [
        (radius * math.cos(a), radius * math.sin(a), 0.1 if k % 2 else height - 0.1)
        for k, a in enumerate(2 * math.pi * k / 16 for k in range(16))
    ]
    turn = vary(30, 0.4)
    return [
        part("shell", shell, cylinder(radius, height)),
        *[
            part(
                "hoops",
                "golden",
                Lathe(
                    outline(
                        (radius - 0.05, 0), (radius + 0.06, 0), (radius + 0.06, 0.13), (radius - 0.05, 0.13)
                    )
                ).at(z=z),
            )
            for z in (0, height - 0.11)
        ],
        part("skin", "ivory", cylinder(radius - 0.03, 0.04).at(z=height - 0.02)),
        *[
            part("cords", "white", limb(a, b, 0.03))
            for a, b in zip(points, points[1:] + points[:1], strict=True)
        ],
        *pair(
            "sticks",
            "wooden",
            lambda s: limb((-0.6, s * 0.1, height + 0.1), (0.5, s * 0.24, height + 0.07), 0.04).turned(
                z_deg=turn
            ),
        ),
        *pair("tips", "wooden", lambda s: sphere(0.08).at(0.52, s * 0.24, height + 0.09).turned(z_deg=turn)),
    ]


def cake(colour: RGB | None, vary: Vary) -> list[Part]:
    """A birthday cake of two tiers with icing, cherries and candles."""
    icing = colour or rgb("pink")
    low, high = vary(0.72, 0.05), vary(0.46, 0.06)
    tier = vary(0.38, 0.08)
    around = [2 * math.pi * k / 10 for k in range(10)]
    return [
        part("plate", "white", frustum(low + 0.1, low + 0.2, 0.07)),
        part("cake", "beige", cylinder(low, tier).at(z=0.06)),
        part("cake", "beige", cylinder(high, tier).at(z=0.06 + tier)),
        part("icing", icing, cylinder(low + 0.03, 0.12).at(z=tier - 0.03)),
        part("icing", icing, cylinder(high + 0.03, 0.12).at(z=2 * tier - 0.03)),
        *[
            part(
                "icing",
                icing,
                limb(
                    (r * math.cos(a), r * math.sin(a), z),
                    (r * math.cos(a), r * math.sin(a), z - d * (1 + k % 2)),
                    0.07,
                ),
            )
            for r, z, d in ((low, tier, 0.06), (high, 2 * tier, 0.06))
            for k, a in enumerate(around)
        ],
        *[
            part("cherries", "red", sphere(0.085).at((low + high) / 2, 0, tier + 0.15).turned(z_deg=k * 60))
            for k in range(6)
        ],
        *[
            part(
                "candles",
                "cyan",
                cylinder(0.045, 0.32).at(high * 0.55, 0, 2 * tier + 0.08).turned(z_deg=k * 120),
            )
            for k in range(3)
        ],
        *[
            part(
                "flames",
                "yellow",
                Ellipsoid((0.055, 0.055, 0.1)).at(high * 0.55, 0, 2 * tier + 0.48).turned(z_deg=k * 120),
            )
            for k in range(3)
        ],
    ]


def crown(colour: RGB | None, vary: Vary) -> list[Part]:
    """A crown: seven points with pearls, coloured jewels around, a velvet cap."""
    metal = colour or rgb("golden")
    radius, tall, count = vary(0.7, 0.06), vary(0.5, 0.1), 7
    point = frustum(0.2, 0.02, tall)
    jewels = ("red", "blue", "green", "purple", "red", "blue", "green")
    return [
        part(
            "band",
            metal,
            Lathe(outline((radius - 0.09, 0), (radius, 0), (radius + 0.05, 0.34), (radius - 0.04, 0.34))),
        ),
        part("trim", lighter(metal), Torus(radius - 0.03, 0.07).at(z=0.03)),
        *[
            part(
                "points",
                metal,
                point.turned(y_deg=10).at(x=radius - 0.02, z=0.3).turned(z_deg=360 / count * k),
            )
            for k in range(count)
        ],
        *[
            part(
                "pearls",
                "white",
                sphere(0.085).at(radius + tall * 0.18, 0, 0.32 + tall).turned(z_deg=360 / count * k),
            )
            for k in range(count)
        ],
        *[
            part(
                "jewels",
                ink,
                Ellipsoid((0.07, 0.1, 0.1)).at(radius + 0.02, 0, 0.19).turned(z_deg=360 / count * k),
            )
            for k, ink in enumerate(jewels)
        ],
        part("velvet", "maroon", Ellipsoid((radius - 0.07, radius - 0.07, vary(0.46))).at(z=0.2)),
    ]


def balloon(colour: RGB | None, vary: Vary) -> list[Part]:
    """A hot-air balloon: a striped envelope over a basket, with two eyes and a nose in front."""
    cloth = colour or rgb("red")
    radius, drop = vary(0.8, 0.05), vary(0.5, 0.1)
    z = drop + 1.45
    belly = tuple(
        (radius * math.cos(a), radius * math.sin(a)) for a in (math.pi * (k / 20 - 0.25) for k in range(15))
    )
    neck = outline((0.0, -radius - drop * 0.7), (0.22, -radius - drop * 0.7))
    stripe = Torus(radius * 0.965, 0.06).turned(x_deg=90)
    return [
        part("envelope", cloth, Lathe((*neck, *belly, (0.0, radius))).at(z=z)),
        *[part("stripes", "yellow", stripe.turned(z_deg=a).at(z=z)) for a in (36, 72, 108, 144)],
        part("belt", "white", Torus(radius * 0.98, 0.07).at(z=z)),
        *pair("eyes", "black", lambda s: Ellipsoid((0.08, 0.1, 0.13)).at(radius * 0.88, s * 0.25, z + 0.34)),
        part("nose", "pink", Ellipsoid((0.08, 0.13, 0.1)).at(radius, 0, z + 0.16)),
        part("basket", "wooden", frustum(0.22, 0.28, 0.34)),
        part("rim", "brown", Torus(0.27, 0.05).at(z=0.34)),
        *[
            part(
                "ropes",
                "brown",
                rod((0.25, 0, 0.34), (0.2, 0, z - radius - drop * 0.66), 0.018).turned(z_deg=a),
            )
            for a in (45, 135, 225, 315)
        ],
    ]
