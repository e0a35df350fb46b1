"""What holds something: mug, teapot, bottle, vase, bowl."""

from __future__ import annotations

from itertools import pairwise

from distill3d.world.colours import RGB, darker, lighter, rgb
from distill3d.world.outlines import outline, softened
from distill3d.world.parts import Part, Vary, part
from distill3d.world.shapes import Arc, Ellipsoid, Lathe, Torus, cylinder, frustum, limb, sphere

WITHOUT_FRONT = ("mug", "bottle", "vase", "bowl")


def mug(colour: RGB | None, vary: Vary) -> list[Part]:
    """A mug with a handle at its side, a pale stripe, and coffee in it."""
    glaze = colour or rgb("blue")
    radius, height, handle = vary(0.5, 0.08), vary(1.05, 0.1), vary(0.3, 0.08)
    wall = outline(
        (0, 0),
        (radius * 0.94, 0),
        (radius, 0.06),
        (radius, height),
        (radius - 0.09, height),
        (radius - 0.09, 0.12),
        (0, 0.12),
    )
    return [
        part("body", glaze, Lathe(wall)),
        part("rim", lighter(glaze), Torus(radius - 0.045, 0.055).at(z=height)),
        part(
            "stripe",
            lighter(glaze, 0.7),
            Lathe(
                outline(
                    (radius - 0.04, 0), (radius + 0.015, 0), (radius + 0.015, 0.16), (radius - 0.04, 0.16)
                )
            ).at(z=vary(0.42)),
        ),
        part("coffee", "brown", cylinder(radius - 0.07, 0.04).at(z=height - 0.2)),
        part(
            "handle",
            darker(glaze, 0.85),
            Arc(handle, 0.085, 92).turned(x_deg=90, z_deg=90).at(0, radius - 0.02, height * 0.52),
        ),
    ]


def teapot(colour: RGB | None, vary: Vary) -> list[Part]:
    """A round teapot: the spout in front, the handle behind, a knob on the lid."""
    glaze = colour or rgb("turquoise")
    girth, tall, spout = vary(0.6, 0.06), vary(0.48, 0.08), vary(0.42)
    return [
        part("body", glaze, Ellipsoid((girth, girth, tall)).at(z=tall + 0.04)),
        part("foot", darker(glaze), cylinder(girth * 0.6, 0.12)),
        part("band", lighter(glaze, 0.7), Torus(girth * 0.97, 0.045).at(z=tall + 0.04)),
        part("lid", lighter(glaze, 0.7), Ellipsoid((girth * 0.58, girth * 0.58, 0.16)).at(z=tall * 1.84)),
        part("knob", "red", sphere(vary(0.11)).at(z=tall * 1.84 + 0.22)),
        part(
            "spout", glaze, limb((girth * 0.7, 0, tall * 0.7), (girth + spout * 0.6, 0, tall * 1.3), 0.2, 0.1)
        ),
        part(
            "spout",
            glaze,
            limb((girth + spout * 0.6, 0, tall * 1.3), (girth + spout * 0.9, 0, tall * 1.75), 0.1, 0.075),
        ),
        part(
            "tip",
            darker(glaze),
            Torus(0.085, 0.035).turned(y_deg=24).at(girth + spout * 0.93, 0, tall * 1.82),
        ),
        part(
            "handle",
            darker(glaze),
            Arc(vary(0.34, 0.08), 0.075, 104).turned(x_deg=90, z_deg=180).at(-girth + 0.03, 0, tall * 1.08),
        ),
    ]


def bottle(colour: RGB | None, vary: Vary) -> list[Part]:
    """A bottle with a paper label around it and a cork."""
    glass = colour or rgb("green")
    radius, shoulder, neck = vary(0.36, 0.08), vary(0.86, 0.08), vary(0.46)
    top = shoulder + 0.34 + neck
    side = softened(
        outline((radius, shoulder * 0.8), (radius, shoulder + 0.1), (0.13, shoulder + 0.3), (0.12, top)),
        times=2,
        closed=False,
    )
    return [
        part("body", glass, Lathe((*outline((0, 0), (radius * 0.9, 0), (radius, 0.06)), *side, (0.0, top)))),
        part("label", "beige", cylinder(radius + 0.012, shoulder * 0.46).at(z=shoulder * 0.22)),
        part("seal", "red", Ellipsoid((0.07, 0.16, 0.16)).at(radius, 0, shoulder * 0.45)),
        part("lip", darker(glass), Torus(0.12, 0.045).at(z=top - 0.04)),
        part("cork", "tan", frustum(0.09, 0.11, 0.16).at(z=top - 0.02)),
    ]


def vase(colour: RGB | None, vary: Vary) -> list[Part]:
    """A bellied vase with a narrow neck and two bands."""
    glaze = colour or rgb("purple")
    belly, neck, height = vary(0.52, 0.1), vary(0.2), vary(1.5, 0.08)
    lip = neck + 0.14
    outer = softened(
        outline((0.26, 0), (belly * 1.2, height * 0.42), (neck * 0.6, height * 0.72), (lip, height)),
        times=3,
        closed=False,
    )
    inner = outline((lip - 0.07, height), (neck * 0.8, height * 0.8), (0, height * 0.76))
    return [
        part("body", glaze, Lathe((*outline((0, 0)), *outer, *inner))),
        part("foot", darker(glaze), frustum(0.32, 0.27, 0.1)),
        part("bands", "golden", Torus(_radius_at(outer, height * 0.2), 0.035).at(z=height * 0.2)),
        part("bands", "golden", Torus(_radius_at(outer, height * 0.56), 0.035).at(z=height * 0.56)),
        part("rim", "golden", Torus(lip - 0.035, 0.05).at(z=height)),
    ]


def _radius_at(profile: tuple[tuple[float, float], ...], z: float) -> float:
    """How wide a rising profile is at the height z."""
    for (r0, z0), (r1, z1) in pairwise(profile):
        if z0 <= z <= z1:
            return r0 + (r1 - r0) * (z - z0) / max(z1 - z0, 1e-9)
    raise ValueError(f"the profile ends at {profile[-1][1]}, below z = {z}")


def bowl(colour: RGB | None, vary: Vary) -> list[Part]:
    """A bowl of fruit: an apple, an orange, a lime and a plum."""
    glaze = colour or rgb("white")
    radius, depth = vary(0.7, 0.06), vary(0.46, 0.1)
    outer = softened(outline((0.26, 0.04), (radius * 0.86, 0.1), (radius, depth)), times=2, closed=False)
    inner = softened(
        outline((radius - 0.07, depth), (radius * 0.76, 0.18), (0.0, 0.14)), times=2, closed=False
    )
    fruit = (("red", 20), ("orange", 110), ("lime", 200), ("purple", 290))
    return [
        part("dish", glaze, Lathe((*outline((0, 0.04)), *outer, *inner))),
        part("rim", darker(glaze, 0.8), Torus(radius - 0.035, 0.05).at(z=depth)),
        part("foot", darker(glaze, 0.8), frustum(0.32, 0.28, 0.08)),
        *[
            part(
                "fruit",
                ink,
                sphere(vary(0.24, 0.08)).at(x=0.29, z=depth + 0.02).turned(z_deg=around + vary(20, 1.0)),
            )
            for ink, around in fruit
        ],
        part("fruit", "yellow", Ellipsoid((0.2, 0.26, 0.2)).at(z=depth + 0.3)),
    ]
