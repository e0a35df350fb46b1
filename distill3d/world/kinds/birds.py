"""What flies, swims or melts: duck, owl, penguin, bird, fish, snowman."""

from __future__ import annotations

from distill3d.world.colours import RGB, darker, lighter, rgb
from distill3d.world.outlines import outline, softened
from distill3d.world.parts import Part, Vary, pair, part
from distill3d.world.shapes import Ellipsoid, Extrusion, Torus, cylinder, frustum, limb, rod, sphere

WITHOUT_FRONT: tuple[str, ...] = ()


def _looking(x: float, y: float, z: float, radius: float) -> list[Part]:
    """Two black eyes with a glint."""
    eyes = pair("eyes", "black", lambda s: sphere(radius).at(x, s * y, z))
    glints = pair(
        "glints",
        "white",
        lambda s: sphere(radius * 0.36).at(x + radius * 0.7, s * (y - 0.01), z + radius * 0.5),
    )
    return [*eyes, *glints]


def duck(colour: RGB | None, vary: Vary) -> list[Part]:
    """A bath duck: a big head with a flat orange bill, small wings, a turned-up tail."""
    plumage = colour or rgb("yellow")
    head, length = vary(0.36, 0.06), vary(0.7, 0.08)
    x, z = length * 0.42, 0.98
    return [
        part("body", plumage, Ellipsoid((length, 0.52, 0.44)).at(z=0.42)),
        part("neck", plumage, limb((x - 0.06, 0, 0.6), (x, 0, z), 0.26, 0.24)),
        part("head", plumage, sphere(head).at(x, 0, z)),
        part(
            "bill",
            "orange",
            Ellipsoid((vary(0.26), 0.19, 0.06)).turned(y_deg=-6).at(x + head * 0.96, 0, z - 0.06),
        ),
        part("bill", "orange", Ellipsoid((0.2, 0.16, 0.05)).turned(y_deg=10).at(x + head * 0.9, 0, z - 0.12)),
        *_looking(x + head * 0.68, 0.2, z + 0.12, 0.08),
        *pair(
            "wings",
            darker(plumage, 0.85),
            lambda s: Ellipsoid((0.38, 0.1, 0.22)).turned(y_deg=14).at(-0.1, s * 0.48, 0.5),
        ),
        part(
            "tail", plumage, limb((-length * 0.7, 0, 0.5), (-length - 0.12, 0, vary(0.8, 0.06)), 0.22, 0.05)
        ),
        *pair("feet", "orange", lambda s: Ellipsoid((0.2, 0.13, 0.06)).at(0.12, s * 0.22, 0.02)),
    ]


def owl(colour: RGB | None, vary: Vary) -> list[Part]:
    """An owl: two huge eyes and a beak in front, tufts on its head, folded wings, a plain back."""
    plumage = colour or rgb("brown")
    pale, width, tall = lighter(plumage, 0.55), vary(0.48, 0.06), vary(0.66, 0.08)
    z = tall * 1.4
    eye = vary(0.2, 0.08)
    return [
        part("body", plumage, Ellipsoid((0.42, width, tall)).at(z=tall)),
        part("belly", pale, Ellipsoid((0.16, width * 0.68, tall * 0.58)).at(0.34, 0, tall * 0.72)),
        part("head", plumage, Ellipsoid((0.4, width * 1.02, 0.4)).at(0.02, 0, z)),
        *pair(
            "discs", pale, lambda s: rod((0.2, s * 0.19, z + 0.04), (0.38, s * 0.19, z + 0.04), eye + 0.06)
        ),
        *pair("eyes", "yellow", lambda s: rod((0.3, s * 0.19, z + 0.04), (0.4, s * 0.19, z + 0.04), eye)),
        *pair(
            "pupils", "black", lambda s: Ellipsoid((0.05, eye * 0.56, eye * 0.56)).at(0.4, s * 0.19, z + 0.04)
        ),
        part("beak", "orange", rod((0.36, 0, z - 0.04), (0.46, 0, z - 0.24), 0.09, 0.0)),
        *pair(
            "tufts",
            darker(plumage),
            lambda s: frustum(0.13, 0.0, 0.34).turned(x_deg=-s * 24).at(0.06, s * width * 0.6, z + 0.26),
        ),
        *pair(
            "wings",
            darker(plumage),
            lambda s: (
                Ellipsoid((0.28, 0.12, tall * 0.66))
                .turned(x_deg=s * 8)
                .at(-0.06, s * (width - 0.02), tall * 0.86)
            ),
        ),
        *pair("feet", "orange", lambda s: Ellipsoid((0.17, 0.13, 0.07)).at(0.22, s * 0.19, 0.04)),
        part("tail", darker(plumage), Ellipsoid((0.2, 0.2, 0.06)).turned(y_deg=-50).at(-0.38, 0, 0.2)),
    ]


def penguin(colour: RGB | None, vary: Vary) -> list[Part]:
    """A penguin: a white front, an orange beak and feet, flippers at its sides, a dark back."""
    coat = colour or rgb("black")
    girth, tall, spread = vary(0.44, 0.06), vary(0.7, 0.06), vary(24, 0.3)
    z = tall * 1.62
    return [
        part("body", coat, Ellipsoid((girth * 0.92, girth, tall)).at(z=tall)),
        part("belly", "white", Ellipsoid((0.26, girth * 0.8, tall * 0.82)).at(girth * 0.52, 0, tall * 0.9)),
        part("head", coat, Ellipsoid((0.36, 0.37, 0.35)).at(0.03, 0, z)),
        *pair("face", "white", lambda s: Ellipsoid((0.16, 0.16, 0.19)).at(0.25, s * 0.12, z)),
        *pair("eyes", "black", lambda s: sphere(0.065).at(0.38, s * 0.14, z + 0.06)),
        part("beak", "orange", rod((0.3, 0, z - 0.06), (vary(0.62, 0.06), 0, z - 0.1), 0.11, 0.02)),
        *pair(
            "flippers",
            coat,
            lambda s: (
                Ellipsoid((0.13, 0.06, 0.4))
                .at(z=-0.34)
                .turned(x_deg=s * spread)
                .at(0, s * girth * 0.86, tall * 1.36)
            ),
        ),
        part("scarf", "red", Torus(0.37, 0.09).at(0.03, 0, z - 0.27)),
        part("scarf", "red", limb((0.4, 0.16, z - 0.3), (girth + 0.12, 0.2, z - 0.66), 0.08)),
        *pair("feet", "orange", lambda s: Ellipsoid((0.24, 0.16, 0.07)).at(0.2, s * 0.2, 0.03)),
        part("tail", coat, limb((-0.3, 0, 0.2), (-0.52, 0, 0.06), 0.13, 0.05)),
    ]


def bird(colour: RGB | None, vary: Vary) -> list[Part]:
    """A small bird: a pointed beak, a bright breast, folded wings, a long tail."""
    plumage = colour or rgb("blue")
    girth, tail, head = vary(0.42, 0.06), vary(0.62), vary(0.31, 0.06)
    x, z = 0.3, 1.02
    feather = softened(outline((0.1, -0.14), (0.1, 0.14), (-tail, 0.2), (-tail, -0.2)), times=1)
    return [
        part("body", plumage, Ellipsoid((0.6, girth, girth)).turned(y_deg=-24).at(z=0.66)),
        part(
            "breast",
            "orange",
            Ellipsoid((0.4, girth * 0.82, girth * 0.84)).turned(y_deg=-24).at(0.24, 0, 0.68),
        ),
        part("head", plumage, sphere(head).at(x, 0, z)),
        part("beak", "yellow", rod((x + head * 0.8, 0, z), (x + head + 0.26, 0, z - 0.03), 0.1, 0.0)),
        *_looking(x + head * 0.72, 0.19, z + 0.08, 0.07),
        part(
            "crest",
            darker(plumage),
            limb((x - 0.04, 0, z + head * 0.8), (x - 0.2, 0, z + head + 0.14), 0.09, 0.03),
        ),
        *pair(
            "wings",
            darker(plumage),
            lambda s: Ellipsoid((0.46, 0.09, 0.23)).turned(y_deg=-22).at(-0.16, s * girth * 0.92, 0.66),
        ),
        part("tail", darker(plumage), Extrusion(feather, 0.08).turned(y_deg=-16).at(-0.46, 0, 0.5)),
        *pair("legs", "orange", lambda s: limb((0.08, s * 0.15, 0.3), (0.12, s * 0.16, 0.03), 0.035)),
        *pair("feet", "orange", lambda s: Ellipsoid((0.16, 0.09, 0.035)).at(0.18, s * 0.16, 0.02)),
    ]


def fish(colour: RGB | None, vary: Vary) -> list[Part]:
    """A fish: round eyes and lips in front, white bands, a fan of a tail behind."""
    scales = colour or rgb("orange")
    length, tall = vary(0.72, 0.08), vary(0.46, 0.08)
    fin = darker(scales, 0.8)
    fan = softened(outline((0.14, 0), (-0.42, 0.46), (-0.24, 0), (-0.42, -0.46)), times=1)
    top = softened(outline((0.36, 0), (-0.46, 0), (-0.44, 0.3), (0.0, 0.34)), times=1)
    low = softened(outline((0.14, 0), (-0.26, 0), (-0.28, -0.24)), times=1)
    return [
        part("body", scales, Ellipsoid((length, 0.3, tall))),
        *[
            part("bands", "white", Ellipsoid((0.075, w, h)).at(x * length))
            for x, w, h in ((0.38, 0.285, tall * 0.95), (-0.3, 0.295, tall * 0.98))
        ],
        part("tail", fin, Extrusion(fan, 0.08).turned(x_deg=90).at(-length - 0.02)),
        part("backfin", fin, Extrusion(top, 0.08).turned(x_deg=90).at(0, 0, tall * 0.82)),
        part("bellyfin", fin, Extrusion(low, 0.08).turned(x_deg=90).at(-0.1, 0, -tall * 0.86)),
        *pair(
            "sidefins",
            fin,
            lambda s: Ellipsoid((0.2, 0.05, 0.13)).turned(z_deg=-s * vary(38, 0.2)).at(0.02, s * 0.34, -0.1),
        ),
        *pair("eyes", "white", lambda s: sphere(0.13).at(length * 0.66, s * 0.19, 0.13)),
        *pair("pupils", "black", lambda s: sphere(0.085).at(length * 0.66 + 0.05, s * 0.25, 0.13)),
        part("lips", "pink", Torus(0.09, 0.045).turned(y_deg=90).at(length * 0.97, 0, -0.08)),
    ]


def snowman(colour: RGB | None, vary: Vary) -> list[Part]:
    """A snowman: a carrot nose, coal eyes and buttons in front, a hat, a scarf that falls down its back."""
    snow = colour or rgb("white")
    low, mid, head = vary(0.56, 0.06), vary(0.42, 0.06), vary(0.31, 0.06)
    z_mid, z_head = low * 1.5 + mid * 0.8, low * 1.5 + mid * 2.2 + head * 0.2
    lift = vary(0.3, 0.4)
    return [
        part("body", snow, sphere(low).at(z=low * 0.92)),
        part("body", snow, sphere(mid).at(z=z_mid)),
        part("head", snow, sphere(head).at(z=z_head)),
        part(
            "nose", "orange", rod((head * 0.85, 0, z_head), (head + vary(0.36), 0, z_head - 0.03), 0.085, 0.0)
        ),
        *pair("eyes", "black", lambda s: sphere(0.055).at(head * 0.9, s * 0.11, z_head + 0.11)),
        *[
            part("mouth", "black", sphere(0.034).at(head * 0.9, y, z_head - 0.15 + abs(y) * 0.45))
            for y in (-0.13, -0.05, 0.05, 0.13)
        ],
        *[
            part("buttons", "black", sphere(0.06).at((mid**2 - dz**2) ** 0.5, 0, z_mid + dz))
            for dz in (0.2, 0.02, -0.16)
        ],
        part("scarf", "red", Torus(head * 0.84, 0.095).at(z=z_head - head * 0.82)),
        part(
            "scarf",
            "red",
            limb((-head * 0.9, 0.06, z_head - head), (-mid - 0.06, 0.1, z_mid - 0.14), 0.085, 0.1),
        ),
        part("hat", "black", cylinder(head * 1.2, 0.06).at(z=z_head + head * 0.62)),
        part("hat", "black", frustum(head * 0.8, head * 0.88, vary(0.4)).at(z=z_head + head * 0.64)),
        part("band", "red", cylinder(head * 0.85, 0.09).at(z=z_head + head * 0.62 + 0.05)),
        *pair(
            "arms",
            "brown",
            lambda s: limb(
                (0, s * mid * 0.85, z_mid + 0.08), (0.12, s * (mid + 0.46), z_mid + 0.1 + lift), 0.038, 0.026
            ),
        ),
    ]
