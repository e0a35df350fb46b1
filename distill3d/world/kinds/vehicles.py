"""Things that go: car, bus, truck, train, airplane, helicopter, boat, rocket. All drive towards +x."""

from __future__ import annotations

from collections.abc import Sequence

from distill3d.world.colours import RGB, darker, lighter, rgb
from distill3d.world.outlines import outline, softened
from distill3d.world.parts import Part, Vary, pair, part
from distill3d.world.shapes import Box, Ellipsoid, Extrusion, Lathe, Torus, limb, rod, sphere

WITHOUT_FRONT: tuple[str, ...] = ()


def _wheels(places: Sequence[float], y: float, radius: float, hub: RGB | str = "silver") -> list[Part]:
    """Two wheels at each x, standing on z = 0; `y` is the outer side."""
    wheels = []
    for x in places:
        for side in (1, -1):
            inner, outer = (x, side * (y - 0.2), radius), (x, side * y, radius)
            wheels += [
                part("wheels", "black", rod(inner, outer, radius)),
                part("hubs", hub, rod(outer, (x, side * (y + 0.03), radius), radius * 0.52)),
            ]
    return wheels


def _lights(label: str, colour: str, x: float, y: float, z: float, radius: float) -> list[Part]:
    return pair(label, colour, lambda s: Ellipsoid((radius * 0.6, radius, radius)).at(x, s * y, z))


def car(colour: RGB | None, vary: Vary) -> list[Part]:
    """A small car: round headlights and a grille in front, red lights and a plate behind."""
    paint = colour or rgb("red")
    length, wheel = vary(1.9, 0.08), vary(0.27, 0.1)
    roof, nose = vary(0.98, 0.06), length / 2
    back = -nose
    cabin = outline((back + 0.28, 0.6), (nose - 0.5, 0.6), (nose - 0.82, roof), (back + 0.5, roof))
    return [
        part("body", paint, Box((length, 0.9, 0.44), 0.12).at(z=0.44)),
        part("windows", "light cyan", Extrusion(cabin, 0.8).turned(x_deg=90)),
        part("roof", paint, Box((nose - back - 1.2, 0.84, 0.1), 0.04).at((back + nose - 0.32) / 2, 0, roof)),
        *pair(
            "doors",
            darker(paint, 0.8),
            lambda s: Box((0.05, 0.82, roof - 0.55), 0.01).at(-0.12, 0, (roof + 0.55) / 2),
        ),
        *_wheels((nose - 0.42, back + 0.42), 0.5, wheel),
        *_lights("headlights", "yellow", nose - 0.01, 0.3, 0.5, 0.12),
        part("grille", "black", Box((0.06, 0.3, 0.14), 0.02).at(nose - 0.01, 0, 0.46)),
        part("bumpers", "silver", Box((0.12, 0.94, 0.11), 0.04).at(nose, 0, 0.27)),
        part("bumpers", "silver", Box((0.12, 0.94, 0.11), 0.04).at(back, 0, 0.27)),
        *pair("taillights", "maroon", lambda s: Box((0.06, 0.2, 0.15), 0.02).at(back, s * 0.32, 0.5)),
        part("plate", "white", Box((0.06, 0.3, 0.12), 0.01).at(back, 0, 0.44)),
    ]


def bus(colour: RGB | None, vary: Vary) -> list[Part]:
    """A city bus: a wide windscreen in front, a row of windows, an engine grille behind."""
    paint = colour or rgb("yellow")
    length, height = vary(2.2, 0.08), vary(0.86, 0.06)
    nose, middle = length / 2, 0.2 + height / 2
    pane = (length - 0.36) / 4
    return [
        part("body", paint, Box((length, 0.82, height), 0.09).at(z=middle)),
        part("stripe", darker(paint), Box((length + 0.01, 0.84, 0.09), 0.02).at(z=middle - 0.12)),
        part("roof", "white", Box((length - 0.16, 0.7, 0.08), 0.03).at(z=0.21 + height)),
        *[
            part(
                "windows",
                "light cyan",
                Box((pane - 0.08, 0.85, 0.3), 0.03).at(nose - 0.3 - pane * (k + 0.5), 0, middle + 0.15),
            )
            for k in range(4)
        ],
        part("windscreen", "light cyan", Box((0.06, 0.7, 0.44), 0.03).at(nose - 0.01, 0, middle + 0.12)),
        part("sign", "black", Box((0.07, 0.5, 0.1), 0.02).at(nose - 0.01, 0, 0.13 + height)),
        part("door", darker(paint, 0.55), Box((0.26, 0.04, 0.6), 0.02).at(nose - 0.2, -0.4, middle - 0.04)),
        *_lights("headlights", "white", nose, 0.28, 0.36, 0.09),
        *pair("taillights", "red", lambda s: Box((0.06, 0.12, 0.2), 0.02).at(-nose, s * 0.32, 0.42)),
        part("grille", "black", Box((0.06, 0.4, 0.26), 0.02).at(-nose, 0, 0.44)),
        *_wheels((nose - 0.42, 0.42 - nose), 0.42, vary(0.21, 0.08)),
    ]


def truck(colour: RGB | None, vary: Vary) -> list[Part]:
    """A delivery truck: a coloured cab in front of a pale box with two doors behind."""
    paint = colour or rgb("green")
    cargo, height = vary(1.25, 0.1), vary(0.95, 0.08)
    wheel = vary(0.24, 0.08)
    return [
        part("cab", paint, Box((0.62, 0.84, 0.78), 0.12).at(0.36, 0, 0.64)),
        part("hood", paint, Box((0.4, 0.78, 0.4), 0.1).at(0.78, 0, 0.46)),
        part("windscreen", "light cyan", Box((0.06, 0.68, 0.3), 0.03).at(0.66, 0, 0.83)),
        part("windows", "light cyan", Box((0.28, 0.87, 0.28), 0.03).at(0.4, 0, 0.82)),
        part("cargo", "white", Box((cargo, 0.92, height), 0.03).at(-cargo / 2 - 0.02, 0, 0.36 + height / 2)),
        part(
            "stripe", paint, Box((cargo - 0.1, 0.96, 0.14), 0.02).at(-cargo / 2 - 0.02, 0, 0.36 + height / 2)
        ),
        *pair(
            "doors",
            "gray",
            lambda s: Box((0.04, 0.4, height - 0.14), 0.01).at(-cargo - 0.02, s * 0.22, 0.36 + height / 2),
        ),
        *pair(
            "handles",
            "black",
            lambda s: Box((0.05, 0.05, 0.22), 0.01).at(-cargo - 0.04, s * 0.06, 0.32 + height / 2),
        ),
        part("frame", "black", Box((cargo + 0.9, 0.6, 0.14), 0.02).at(0.32 - cargo / 2, 0, 0.3)),
        *_lights("headlights", "yellow", 0.98, 0.26, 0.46, 0.09),
        part("bumper", "silver", Box((0.1, 0.86, 0.13), 0.04).at(0.97, 0, 0.28)),
        *_wheels((0.62, -0.3, 0.3 - cargo), 0.46, wheel),
    ]


def train(colour: RGB | None, vary: Vary) -> list[Part]:
    """A steam engine: boiler and chimney in front, a cab with a roof behind, red wheels."""
    paint = colour or rgb("green")
    length, boiler = vary(1.2, 0.08), vary(0.36, 0.08)
    nose, chimney = length - 0.35, vary(0.36)
    return [
        part("boiler", paint, rod((-0.4, 0, 0.72), (nose, 0, 0.72), boiler)),
        part("front", "black", rod((nose - 0.02, 0, 0.72), (nose + 0.06, 0, 0.72), boiler * 0.92)),
        part("lamp", "yellow", rod((nose, 0, 0.78), (nose + 0.14, 0, 0.78), 0.12)),
        part("bands", "golden", Torus(boiler, 0.035).turned(y_deg=90).at(nose - 0.2, 0, 0.72)),
        part("bands", "golden", Torus(boiler, 0.035).turned(y_deg=90).at(0.0, 0, 0.72)),
        part("chimney", "black", rod((nose - 0.22, 0, 0.95), (nose - 0.22, 0, 1.05 + chimney), 0.11, 0.17)),
        part("dome", "golden", Ellipsoid((0.15, 0.15, 0.2)).at(vary(0.18), 0, 0.72 + boiler)),
        part("cab", darker(paint), Box((0.56, 0.86, 0.92), 0.04).at(-0.55, 0, 0.84)),
        part("windows", "light cyan", Box((0.3, 0.89, 0.28), 0.02).at(-0.55, 0, 1.05)),
        part("roof", "red", Box((0.74, 1.0, 0.1), 0.04).at(-0.55, 0, 1.34)),
        part("coal", "black", Ellipsoid((0.14, 0.3, 0.2)).at(-0.84, 0, 0.8)),
        part("frame", "black", Box((length + 0.5, 0.56, 0.14), 0.02).at((nose - 0.83) / 2, 0, 0.34)),
        part("catcher", "red", Extrusion(outline((0, -0.36), (0.3, 0), (0, 0.36)), 0.24).at(nose, 0, 0.2)),
        *_wheels((nose - 0.2, nose - 0.62), 0.42, 0.2, "red"),
        *_wheels((-0.55,), 0.46, 0.3, "red"),
    ]


def airplane(colour: RGB | None, vary: Vary) -> list[Part]:
    """A propeller plane: spinner and windscreen in front, a tail fin behind."""
    paint = colour or rgb("red")
    span, sweep, chord = vary(0.95), vary(0.14, 0.4), vary(0.44)
    wing = outline((0, 0), (-sweep, span), (-sweep - chord * 0.6, span), (-chord, 0))
    tail = outline((0, 0), (-0.1, 0.36), (-0.3, 0.36), (-0.3, 0))
    both = (wing, tuple((x, -y) for x, y in wing))
    tails = (tail, tuple((x, -y) for x, y in tail))
    return [
        part("body", "white", limb((-0.85, 0, 0.06), (0.6, 0, 0), 0.09, 0.24)),
        *[part("wings", paint, Extrusion(half, 0.08).at(0.36, 0, -0.06)) for half in both],
        *[part("tail", paint, Extrusion(half, 0.06).at(-0.62, 0, 0.08)) for half in tails],
        part(
            "fin",
            paint,
            Extrusion(outline((0.1, 0), (-0.24, 0), (-0.26, 0.44), (-0.1, 0.44)), 0.07)
            .turned(x_deg=90)
            .at(-0.66, 0, 0.08),
        ),
        part("windscreen", "light cyan", Ellipsoid((0.26, 0.17, 0.16)).at(0.4, 0, 0.2)),
        *[
            part("windows", "blue", rod((x, -0.215 - x * 0.06, 0.06), (x, 0.215 + x * 0.06, 0.06), 0.05))
            for x in (0.12, -0.06, -0.24)
        ],
        part("nose", paint, limb((0.74, 0, 0), (0.9, 0, 0), 0.14, 0.06)),
        part("propeller", "black", limb((0.88, -0.12, -vary(0.4)), (0.88, 0.12, vary(0.4)), 0.045)),
        *pair("wheels", "black", lambda s: rod((0.34, s * 0.18, -0.36), (0.34, s * 0.26, -0.36), 0.1)),
        *pair("struts", "gray", lambda s: rod((0.3, s * 0.12, -0.14), (0.34, s * 0.2, -0.36), 0.035)),
    ]


def helicopter(colour: RGB | None, vary: Vary) -> list[Part]:
    """A helicopter: a glass cockpit in front, a tail boom with a rotor behind, skids below."""
    paint = colour or rgb("orange")
    boom, blade, turn = vary(1.0), vary(0.95, 0.08), vary.between(15, 75)
    return [
        part("body", paint, Ellipsoid((0.56, 0.4, vary(0.42, 0.06)))),
        part("cockpit", "light cyan", Ellipsoid((0.4, 0.36, 0.32)).at(0.26, 0, 0.06)),
        part("tail", paint, limb((-0.3, 0, 0.1), (-boom, 0, 0.22), 0.17, 0.07)),
        part(
            "fin",
            darker(paint),
            Extrusion(outline((0.1, 0), (-0.12, 0), (-0.22, 0.36), (-0.06, 0.36)), 0.07)
            .turned(x_deg=90)
            .at(-boom, 0, 0.2),
        ),
        part("tailrotor", "black", limb((-boom - 0.02, 0.09, 0.06), (-boom - 0.02, 0.09, 0.42), 0.035)),
        part("mast", "gray", rod((0, 0, 0.36), (0, 0, 0.6), 0.06)),
        *[
            part("rotor", "black", Box((2 * blade, 0.1, 0.035), 0.01).turned(z_deg=turn + a).at(z=0.58))
            for a in (0, 90)
        ],
        part("rotor", "black", sphere(0.09).at(z=0.6)),
        *pair("skids", "gray", lambda s: limb((-0.45, s * 0.32, -0.56), (0.5, s * 0.32, -0.56), 0.045)),
        *pair("struts", "gray", lambda s: rod((0.24, s * 0.2, -0.3), (0.26, s * 0.32, -0.56), 0.035)),
        *pair("struts", "gray", lambda s: rod((-0.2, s * 0.2, -0.3), (-0.22, s * 0.32, -0.56), 0.035)),
        *pair("doors", darker(paint), lambda s: Ellipsoid((0.16, 0.06, 0.22)).at(-0.06, s * 0.37, -0.04)),
    ]


def boat(colour: RGB | None, vary: Vary) -> list[Part]:
    """A sailing boat: a pointed hull, a big white sail, a jib towards the bow, a flag at the top."""
    hull = colour or rgb("blue")
    length, beam, mast = vary(0.9, 0.08), vary(0.36), vary(1.45, 0.08)
    deck = softened(
        outline((-length, -beam * 0.7), (0.2, -beam), (length, 0), (0.2, beam), (-length, beam * 0.7)),
        times=1,
    )
    inner = tuple((0.84 * x, 0.8 * y) for x, y in deck)
    sail = outline((-length * 0.8, 0.12), (-0.05, 0.12), (-0.05, mast - 0.12))
    jib = outline((0.08, 0.14), (length * 0.8, 0.06), (0.06, mast * 0.78))
    return [
        part("hull", hull, Extrusion(deck, 0.26)),
        part("keel", darker(hull), Extrusion(inner, 0.16).at(z=-0.2)),
        part("stripe", "white", Extrusion(tuple((1.02 * x, 1.03 * y) for x, y in deck), 0.07).at(z=0.1)),
        part("deck", "wooden", Extrusion(inner, 0.06).at(z=0.14)),
        part("cabin", lighter(hull), Box((0.4, 0.3, 0.18), 0.05).at(-0.36, 0, 0.22)),
        part("mast", "wooden", rod((0, 0, 0.1), (0, 0, mast), 0.04)),
        part("sail", "white", Extrusion(sail, 0.05).turned(x_deg=90).at(z=0.14)),
        part("jib", "red", Extrusion(jib, 0.05).turned(x_deg=90).at(z=0.14)),
        part(
            "flag",
            "red",
            Extrusion(outline((0, 0), (-0.3, -0.08), (0, -0.16)), 0.04).turned(x_deg=90).at(z=mast),
        ),
        part("boom", "wooden", rod((0, 0, 0.24), (-length * 0.84, 0, 0.24), 0.03)),
    ]


def rocket(colour: RGB | None, vary: Vary) -> list[Part]:
    """A toy rocket on its fins: a round window and a hatch in front, a striped flag behind."""
    paint = colour or rgb("red")
    radius, height = vary(0.36, 0.08), vary(1.5, 0.08)
    wall = outline(
        (0.0, 0.0), (radius * 0.7, 0.0), (radius * 1.05, height * 0.4), (radius * 0.75, height * 0.75)
    )
    hull = softened(wall, times=2, closed=False)
    fin = outline((0, 0.1), (0.28, -0.24), (0.36, -0.24), (0.3, 0.22), (0, 0.6))
    front = radius * 0.92
    return [
        part("body", "white", Lathe((*hull, (0.0, height * 0.75)))),
        part(
            "nose",
            paint,
            Lathe(
                softened(
                    outline(
                        (0, height * 0.74),
                        (radius * 0.76, height * 0.74),
                        (radius * 0.4, height * 0.95),
                        (0, height * 1.08),
                    ),
                    times=2,
                    closed=False,
                )
            ),
        ),
        *[
            part("fins", paint, Extrusion(fin, 0.08).turned(x_deg=90).at(radius * 0.66).turned(z_deg=a))
            for a in (45, 135, 225, 315)
        ],
        part("window", "silver", Torus(0.17, 0.05).facing_front().at(front, 0, height * 0.52)),
        part("glass", "blue", Ellipsoid((0.07, 0.16, 0.16)).at(front, 0, height * 0.52)),
        part("hatch", darker(paint), Box((0.14, 0.22, 0.3), 0.03).at(front - 0.05, 0, height * 0.22)),
        part("stripe", paint, Torus(radius * 0.78, 0.06).at(z=height * 0.71)),
        part("flag", "blue", Box((0.1, 0.3, 0.2), 0.02).at(-front, 0, height * 0.5)),
        part("engine", "black", rod((0, 0, 0.02), (0, 0, -0.16), radius * 0.5, radius * 0.62)),
        part("flame", "orange", limb((0, 0, -0.16), (0, 0, -0.34), radius * 0.42, 0.04)),
    ]
