"""Four-legged animals, sitting or standing: dog, cat, rabbit, bear, pig, elephant, turtle."""

from __future__ import annotations

from distill3d.world.colours import RGB, darker, lighter, rgb
from distill3d.world.outlines import regular
from distill3d.world.parts import Part, Vary, pair, part
from distill3d.world.shapes import Ellipsoid, Extrusion, Torus, cylinder, frustum, limb, rod, sphere

WITHOUT_FRONT: tuple[str, ...] = ()


def _eyes(x: float, y: float, z: float, radius: float) -> list[Part]:
    """Two white eyes with pupils that look ahead."""
    whites = pair("eyes", "white", lambda s: sphere(radius).at(x, s * y, z))
    pupils = pair("pupils", "black", lambda s: sphere(radius * 0.68).at(x + radius * 0.5, s * y * 0.97, z))
    return [*whites, *pupils]


def _four_legs(colour: RGB, front_x: float, back_x: float, y: float, top: float, radius: float) -> list[Part]:
    return [
        part("legs", colour, limb((x, side * y, radius), (x, side * y, top), radius * 1.1, radius))
        for x in (front_x, back_x)
        for side in (1, -1)
    ]


def dog(colour: RGB | None, vary: Vary) -> list[Part]:
    """A dog on four legs: floppy ears, a snout with a black nose, a red collar, a raised tail."""
    fur = colour or rgb("tan")
    length, head, snout = vary(0.8, 0.08), vary(0.36, 0.06), vary(0.3)
    x, z = length / 2 + 0.14, 1.12
    return [
        part("body", fur, limb((-length / 2, 0, 0.62), (length / 2, 0, 0.66), 0.3, 0.32)),
        part("belly", lighter(fur, 0.5), Ellipsoid((length * 0.5, 0.22, 0.2)).at(0, 0, 0.48)),
        part("neck", fur, limb((length / 2, 0, 0.7), (x, 0, z), 0.22)),
        part("collar", "red", Torus(0.23, 0.05).turned(y_deg=18).at(x - 0.04, 0, 0.88)),
        part("tag", "golden", sphere(0.07).at(x + 0.2, 0, 0.76)),
        part("head", fur, Ellipsoid((head, head * 0.96, head * 0.92)).at(x, 0, z)),
        part(
            "snout",
            lighter(fur, 0.5),
            limb((x + 0.2, 0, z - 0.1), (x + 0.2 + snout, 0, z - 0.12), 0.18, 0.14),
        ),
        part("nose", "black", Ellipsoid((0.07, 0.1, 0.07)).at(x + 0.32 + snout, 0, z - 0.04)),
        part(
            "tongue", "pink", Ellipsoid((0.1, 0.07, 0.03)).turned(y_deg=40).at(x + 0.22 + snout, 0, z - 0.27)
        ),
        *_eyes(x + head * 0.78, 0.16, z + 0.11, 0.09),
        *pair(
            "ears",
            darker(fur, 0.55),
            lambda s: (
                Ellipsoid((0.14, 0.07, vary(0.28)))
                .turned(x_deg=s * 18)
                .at(x - 0.04, s * (head + 0.03), z - 0.02)
            ),
        ),
        *_four_legs(fur, length / 2 - 0.02, -length / 2 + 0.02, 0.2, 0.55, 0.12),
        *[
            part("paws", lighter(fur, 0.5), Ellipsoid((0.17, 0.13, 0.09)).at(px + 0.04, s * 0.2, 0.06))
            for px in (length / 2 - 0.02, 0.02 - length / 2)
            for s in (1, -1)
        ],
        part(
            "tail",
            darker(fur, 0.55),
            limb((-length / 2 - 0.22, 0, 0.76), (-length / 2 - 0.42, 0, vary(1.16, 0.08)), 0.09, 0.06),
        ),
    ]


def cat(colour: RGB | None, vary: Vary) -> list[Part]:
    """A sitting cat: pointed ears, whiskers and a pale bib in front, stripes and a long tail behind."""
    fur = colour or rgb("orange")
    stripe, pale = darker(fur, 0.6), lighter(fur, 0.7)
    head, tall = vary(0.4, 0.06), vary(0.62, 0.08)
    z = tall + 0.52
    ear = Extrusion(regular(3, 0.25, turned_deg=90), 0.1).facing_front()
    inner = Extrusion(regular(3, 0.15, turned_deg=90), 0.1).facing_front()
    return [
        part("body", fur, Ellipsoid((0.42, 0.4, tall)).turned(y_deg=8).at(-0.06, 0, tall - 0.08)),
        part("bib", pale, Ellipsoid((0.2, 0.24, tall * 0.62)).at(0.22, 0, tall - 0.06)),
        part("head", fur, Ellipsoid((head * 0.88, head * 1.06, head * 0.9)).at(0.1, 0, z)),
        *pair("ears", fur, lambda s: ear.turned(x_deg=-s * 18).at(0.08, s * head * 0.64, z + head * 0.88)),
        *pair(
            "earlinings",
            "pink",
            lambda s: inner.turned(x_deg=-s * 18).at(0.12, s * head * 0.64, z + head * 0.86),
        ),
        *pair(
            "eyes", "lime", lambda s: Ellipsoid((0.06, 0.1, 0.11)).at(0.1 + head * 0.78, s * 0.16, z + 0.06)
        ),
        *pair(
            "pupils",
            "black",
            lambda s: Ellipsoid((0.05, 0.04, 0.09)).at(0.14 + head * 0.78, s * 0.16, z + 0.06),
        ),
        *pair(
            "muzzle", pale, lambda s: Ellipsoid((0.1, 0.11, 0.09)).at(0.1 + head * 0.8, s * 0.08, z - 0.14)
        ),
        part("nose", "pink", Ellipsoid((0.05, 0.06, 0.045)).at(0.2 + head * 0.8, 0, z - 0.07)),
        *[
            part(
                "whiskers", "white", limb((0.36, s * 0.16, z - 0.12), (0.36, s * 0.52, z - 0.12 + dz), 0.016)
            )
            for s in (1, -1)
            for dz in (0.08, -0.06)
        ],
        *pair(
            "forelegs", fur, lambda s: limb((0.24, s * 0.15, tall * 0.9), (0.34, s * 0.15, 0.1), 0.13, 0.1)
        ),
        *pair("paws", pale, lambda s: Ellipsoid((0.16, 0.13, 0.1)).at(0.4, s * 0.15, 0.06)),
        *pair("haunches", fur, lambda s: Ellipsoid((0.3, 0.17, 0.28)).at(-0.1, s * 0.34, 0.24)),
        *[
            part("stripes", stripe, Torus(r, 0.05).turned(y_deg=8).at(-0.12, 0, tall * h))
            for r, h in ((0.36, 1.2), (0.385, 0.86), (0.36, 0.52))
        ],
        part("tail", fur, limb((-0.4, 0.06, 0.12), (-0.74, 0.2, 0.3), 0.1, 0.09)),
        part("tail", fur, limb((-0.74, 0.2, 0.3), (-0.8, 0.26, vary(0.85)), 0.09, 0.07)),
        part("tailtip", stripe, sphere(0.1).at(-0.8, 0.26, 0.92)),
    ]


def rabbit(colour: RGB | None, vary: Vary) -> list[Part]:
    """A sitting rabbit: long ears with pink linings, two front teeth, a white tail behind."""
    fur = colour or rgb("beige")
    head, ear, belly = vary(0.34, 0.06), vary(0.46, 0.12), vary(0.46, 0.06)
    z = belly * 1.9 + 0.22
    tilt = vary(12, 0.4)
    return [
        part("body", fur, Ellipsoid((0.42, 0.4, belly)).at(-0.06, 0, belly)),
        part("belly", lighter(fur, 0.7), Ellipsoid((0.2, 0.28, belly * 0.76)).at(0.2, 0, belly * 0.96)),
        part("head", fur, Ellipsoid((head, head * 1.02, head * 0.95)).at(0.1, 0, z)),
        *pair(
            "ears",
            fur,
            lambda s: (
                Ellipsoid((0.07, 0.13, ear)).at(z=ear).turned(x_deg=-s * tilt).at(0.04, s * 0.14, z + 0.16)
            ),
        ),
        *pair(
            "earlinings",
            "pink",
            lambda s: (
                Ellipsoid((0.04, 0.075, ear * 0.78))
                .at(0.05, 0, ear)
                .turned(x_deg=-s * tilt)
                .at(0.04, s * 0.14, z + 0.16)
            ),
        ),
        *_eyes(0.1 + head * 0.78, 0.15, z + 0.08, 0.085),
        *pair("cheeks", "white", lambda s: sphere(0.11).at(0.1 + head * 0.82, s * 0.09, z - 0.12)),
        part("nose", "pink", Ellipsoid((0.06, 0.075, 0.055)).at(0.2 + head * 0.82, 0, z - 0.05)),
        *pair(
            "teeth",
            "white",
            lambda s: Ellipsoid((0.03, 0.035, 0.07)).at(0.16 + head * 0.82, s * 0.036, z - 0.22),
        ),
        *pair("paws", fur, lambda s: limb((0.18, s * 0.24, belly * 1.15), (0.4, s * 0.14, belly), 0.1)),
        *pair("feet", fur, lambda s: Ellipsoid((0.3, 0.14, 0.12)).at(0.2, s * 0.24, 0.1)),
        *pair("soles", "pink", lambda s: Ellipsoid((0.05, 0.09, 0.08)).at(0.47, s * 0.24, 0.1)),
        part("tail", "white", sphere(vary(0.18)).at(-0.48, 0, 0.28)),
    ]


def bear(colour: RGB | None, vary: Vary) -> list[Part]:
    """A sitting teddy bear: round ears, a pale snout, a bow tie, soles to the front, a stub of a tail."""
    fur = colour or rgb("brown")
    pale, head, body = lighter(fur, 0.5), vary(0.42, 0.06), vary(0.48, 0.06)
    z = body * 1.7 + head * 0.75
    return [
        part("body", fur, Ellipsoid((body * 0.86, body * 0.95, body)).at(z=body * 0.95)),
        part("belly", pale, Ellipsoid((0.2, body * 0.62, body * 0.66)).at(body * 0.7, 0, body * 0.9)),
        part("head", fur, Ellipsoid((head * 0.94, head * 1.08, head)).at(0.04, 0, z)),
        *pair("ears", fur, lambda s: Ellipsoid((0.1, 0.18, 0.18)).at(0, s * head * 0.86, z + head * 0.76)),
        *pair(
            "earlinings",
            pale,
            lambda s: Ellipsoid((0.06, 0.11, 0.11)).at(0.07, s * head * 0.86, z + head * 0.76),
        ),
        part("snout", pale, Ellipsoid((0.19, 0.2, 0.16)).at(head * 0.92, 0, z - 0.1)),
        part("nose", "black", Ellipsoid((0.06, 0.09, 0.065)).at(head * 0.92 + 0.17, 0, z - 0.04)),
        *pair("eyes", "black", lambda s: sphere(0.07).at(head * 0.92, s * 0.17, z + 0.12)),
        *pair(
            "bow",
            "red",
            lambda s: rod((head * 0.84, 0, z - head), (head * 0.84, s * 0.24, z - head), 0.03, 0.12),
        ),
        part("bow", "red", sphere(0.07).at(head * 0.88, 0, z - head)),
        *pair(
            "arms",
            fur,
            lambda s: limb((0.04, s * body * 0.8, body * 1.4), (0.3, s * (body + 0.14), vary(0.66)), 0.15),
        ),
        *pair("legs", fur, lambda s: limb((0.1, s * 0.3, 0.2), (0.56, s * 0.4, 0.18), 0.19)),
        *pair("soles", pale, lambda s: Ellipsoid((0.06, 0.13, 0.14)).at(0.72, s * 0.42, 0.18)),
        part("tail", pale, sphere(0.14).at(-body * 0.86, 0, 0.3)),
    ]


def pig(colour: RGB | None, vary: Vary) -> list[Part]:
    """A round pig: a flat snout with two nostrils, small ears, a curly tail."""
    skin = colour or rgb("pink")
    deep, girth, length = darker(skin, 0.8), vary(0.48, 0.06), vary(0.64, 0.08)
    x, z = length * 0.9, girth + 0.42
    ear = frustum(0.14, 0.03, 0.24)
    return [
        part("body", skin, Ellipsoid((length, girth, girth)).at(z=girth + 0.22)),
        part("head", skin, Ellipsoid((0.36, 0.38, 0.36)).at(x - 0.1, 0, z)),
        part("snout", deep, rod((x + 0.1, 0, z - 0.05), (x + vary(0.38, 0.06), 0, z - 0.06), 0.19, 0.17)),
        *pair(
            "nostrils",
            "maroon",
            lambda s: rod((x + 0.3, s * 0.07, z - 0.06), (x + 0.42, s * 0.07, z - 0.06), 0.04),
        ),
        *pair("ears", deep, lambda s: ear.turned(x_deg=-s * 28, y_deg=20).at(x - 0.12, s * 0.2, z + 0.24)),
        *_eyes(x + 0.19, 0.19, z + 0.14, 0.075),
        *_four_legs(skin, length * 0.5, -length * 0.5, 0.26, 0.4, 0.13),
        *[
            part("hooves", "brown", cylinder(0.135, 0.1).at(px, s * 0.26, 0))
            for px in (length * 0.5, -length * 0.5)
            for s in (1, -1)
        ],
        part("tail", deep, Torus(0.1, 0.045).turned(x_deg=90).at(-length - 0.04, 0, girth + 0.34)),
        part(
            "tail",
            deep,
            limb((-length - 0.12, 0, girth + 0.36), (-length - 0.18, 0.04, girth + 0.5), 0.045, 0.03),
        ),
    ]


def elephant(colour: RGB | None, vary: Vary) -> list[Part]:
    """An elephant: big ears, a hanging trunk and two tusks in front, a thin tail behind."""
    skin = colour or rgb("light navy")
    deep, girth, ear = darker(skin, 0.8), vary(0.5, 0.06), vary(0.4, 0.08)
    x, z = 0.66, 1.08
    return [
        part("body", skin, Ellipsoid((0.72, girth, girth)).at(-0.08, 0, 0.82)),
        part("head", skin, Ellipsoid((0.36, 0.36, 0.38)).at(x, 0, z)),
        *pair(
            "ears",
            deep,
            lambda s: (
                Ellipsoid((0.07, ear, ear * 1.05))
                .turned(z_deg=s * 24)
                .at(x - 0.12, s * (0.3 + ear * 0.7), z + 0.05)
            ),
        ),
        *pair(
            "earlinings",
            "pink",
            lambda s: (
                Ellipsoid((0.05, ear * 0.7, ear * 0.74))
                .turned(z_deg=s * 24)
                .at(x - 0.07, s * (0.3 + ear * 0.68), z + 0.05)
            ),
        ),
        part("trunk", skin, limb((x + 0.24, 0, z - 0.04), (x + 0.5, 0, 0.7), 0.17, 0.12)),
        part("trunk", skin, limb((x + 0.5, 0, 0.7), (x + 0.54, 0, 0.4), 0.12, 0.095)),
        part("trunk", deep, limb((x + 0.54, 0, 0.4), (x + vary(0.74, 0.06), 0, 0.28), 0.095, 0.085)),
        *pair(
            "tusks",
            "ivory",
            lambda s: limb(
                (x + 0.22, s * 0.2, z - 0.2), (x + vary(0.56, 0.06), s * 0.22, z - 0.34), 0.06, 0.03
            ),
        ),
        *_eyes(x + 0.3, 0.18, z + 0.14, 0.065),
        *_four_legs(skin, 0.32, -0.46, 0.26, 0.6, 0.18),
        *[
            part("toes", "ivory", Ellipsoid((0.05, 0.12, 0.06)).at(px + 0.17, s * 0.26, 0.05))
            for px in (0.32, -0.46)
            for s in (1, -1)
        ],
        part("tail", deep, limb((-0.74, 0, 0.95), (-0.92, 0, 0.6), 0.04, 0.03)),
        part("tail", "black", sphere(0.07).at(-0.93, 0, 0.56)),
    ]


def turtle(colour: RGB | None, vary: Vary) -> list[Part]:
    """A turtle: a domed shell with spots, a head on a long neck, a short tail."""
    skin = colour or rgb("lime")
    shell, dome, reach = darker(rgb("green"), 0.8), vary(0.46, 0.08), vary(0.72, 0.06)
    spots = [(0, 90), (20, 38), (92, 38), (164, 38), (236, 38), (308, 38)]
    return [
        part("shell", shell, Ellipsoid((reach, 0.6, dome)).at(z=0.26)),
        part("rim", "tan", Ellipsoid((reach + 0.08, 0.68, 0.12)).at(z=0.22)),
        *[
            part(
                "spots",
                "yellow",
                Ellipsoid((0.16, 0.16, 0.04))
                .turned(y_deg=90 - lift)
                .at(x=reach * 0.74 * (lift < 90), z=0.26 + dome * (0.66 if lift < 90 else 1.0))
                .turned(z_deg=around),
            )
            for around, lift in spots
        ],
        part("neck", skin, limb((reach - 0.1, 0, 0.26), (reach + 0.2, 0, 0.5), 0.13, 0.12)),
        part("head", skin, Ellipsoid((0.26, 0.22, 0.21)).at(reach + vary(0.28, 0.1), 0, 0.6)),
        *_eyes(reach + 0.42, 0.13, 0.68, 0.07),
        *[
            part("legs", skin, limb((x * 0.6, s * 0.4, 0.2), (x * 0.9, s * 0.6, 0.1), 0.15, 0.13))
            for x in (reach, -reach)
            for s in (1, -1)
        ],
        part("tail", skin, limb((-reach, 0, 0.18), (-reach - 0.26, 0, 0.12), 0.09, 0.03)),
    ]
