"""Machines with a face: robot, clock, television, camera, phone."""

from __future__ import annotations

from distill3d.world.colours import RGB, darker, lighter, rgb
from distill3d.world.parts import Part, Vary, pair, part
from distill3d.world.shapes import Arc, Box, Ellipsoid, Torus, cylinder, frustum, limb, rod, sphere

WITHOUT_FRONT: tuple[str, ...] = ()


def robot(colour: RGB | None, vary: Vary) -> list[Part]:
    """A boxy robot: round eyes and a grille in front, a panel with a wind-up key on its back."""
    shell = colour or rgb("metal")
    width, height, head = vary(0.72), vary(0.66), vary(0.5)
    top, joint = height + 0.38, darker(shell, 0.55)
    middle = top + 0.08 + head / 2
    reach = width / 2 + 0.1
    return [
        part("body", shell, Box((0.5, width, height), 0.07).at(z=0.38 + height / 2)),
        part("head", lighter(shell, 0.15), Box((0.48, vary(0.58, 0.06), head), 0.09).at(z=middle)),
        part("neck", joint, cylinder(0.12, 0.16).at(z=top - 0.04)),
        *pair(
            "eyes",
            "yellow",
            lambda s: rod((0.2, s * 0.14, middle + 0.06), (0.28, s * 0.14, middle + 0.06), 0.1),
        ),
        *pair(
            "pupils",
            "black",
            lambda s: rod((0.2, s * 0.14, middle + 0.06), (0.3, s * 0.14, middle + 0.06), 0.045),
        ),
        part("mouth", "black", Box((0.06, 0.3, 0.08), 0.02).at(0.23, 0, middle - 0.14)),
        part("antenna", joint, rod((0, 0, middle + head / 2 - 0.02), (0, 0, middle + head / 2 + 0.16), 0.03)),
        part("antenna", "red", sphere(0.07).at(z=middle + head / 2 + 0.19)),
        part("dial", "white", rod((0.2, 0, 0.45 + height / 2), (0.275, 0, 0.45 + height / 2), vary(0.13))),
        part("dial", "red", limb((0.28, 0, 0.45 + height / 2), (0.28, 0.06, 0.53 + height / 2), 0.025)),
        part("panel", joint, Box((0.06, width * 0.7, height * 0.62), 0.02).at(-0.25, 0, 0.4 + height / 2)),
        part("key", "golden", rod((-0.25, 0, 0.4 + height / 2), (-0.42, 0, 0.4 + height / 2), 0.04)),
        *pair(
            "key", "golden", lambda s: Torus(0.08, 0.035).facing_front().at(-0.44, s * 0.09, 0.4 + height / 2)
        ),
        *pair(
            "arms", joint, lambda s: limb((0, s * reach, top - 0.12), (0.1, s * (reach + 0.06), 0.62), 0.085)
        ),
        *pair("hands", shell, lambda s: sphere(0.13).at(0.12, s * (reach + 0.07), 0.56)),
        *pair("legs", joint, lambda s: rod((0, s * 0.18, 0.1), (0, s * 0.18, 0.45), 0.1)),
        *pair("feet", shell, lambda s: Box((0.42, 0.27, 0.16), 0.05).at(0.06, s * 0.18, 0.08)),
    ]


def clock(colour: RGB | None, vary: Vary) -> list[Part]:
    """An alarm clock: a white face with two hands, two bells on top, a winding key behind."""
    case = colour or rgb("teal")
    radius, bell = vary(0.62, 0.06), vary(0.24, 0.08)
    front = 0.24
    return [
        part("case", case, rod((-0.22, 0, 0), (0.2, 0, 0), radius)),
        part("rim", lighter(case), Torus(radius - 0.03, 0.07).facing_front().at(x=0.2)),
        part("face", "white", rod((0.1, 0, 0), (front, 0, 0), radius - 0.07)),
        *[
            part("marks", "black", Box((0.04, *sides), 0.0).at(front, y, z))
            for y, z, sides in _quarters(radius - 0.16)
        ],
        part("hands", "black", limb((front + 0.03, 0, 0), (front + 0.03, -vary(0.2), vary(0.17)), 0.04)),
        part(
            "hands",
            "black",
            limb((front + 0.03, 0, 0), (front + 0.03, vary(0.14, 0.5), vary(0.36, 0.08)), 0.03),
        ),
        part("pin", "red", sphere(0.06).at(x=front + 0.03)),
        *pair(
            "bells", "golden", lambda s: Ellipsoid((bell, bell, bell * 0.8)).at(0, s * 0.36, radius + 0.06)
        ),
        part("hammer", darker(case), limb((0, 0, radius - 0.05), (0, 0, radius + 0.2), 0.05)),
        *pair("feet", darker(case), lambda s: limb((0, s * 0.3, -0.5), (0, s * 0.45, -radius - 0.12), 0.08)),
        part("back", darker(case, 0.5), rod((-0.3, 0, 0), (-0.2, 0, 0), radius - 0.14)),
        part("key", "golden", rod((-0.42, 0, 0), (-0.3, 0, 0), 0.05)),
        part("key", "golden", Box((0.06, 0.3, 0.14), 0.03).at(x=-0.44)),
    ]


def _quarters(reach: float) -> list[tuple[float, float, tuple[float, float]]]:
    flat, upright = (0.14, 0.05), (0.05, 0.14)
    return [(reach, 0.0, flat), (-reach, 0.0, flat), (0.0, reach, upright), (0.0, -reach, upright)]


def television(colour: RGB | None, vary: Vary) -> list[Part]:
    """An old television: a bulging screen, two knobs, rabbit ears, a tube that sticks out behind."""
    case = colour or rgb("wooden")
    width, height = vary(1.3, 0.08), vary(0.95, 0.06)
    knob_y = width / 2 - 0.17
    return [
        part("case", case, Box((0.6, width, height), 0.08)),
        part("frame", "black", Box((0.08, width - 0.42, height - 0.16), 0.04).at(0.29, -0.13)),
        part(
            "screen", "turquoise", Ellipsoid((0.12, (width - 0.52) / 2, (height - 0.26) / 2)).at(0.3, -0.13)
        ),
        *[
            part("knobs", "yellow", rod((0.28, knob_y, z), (0.38, knob_y, z), vary(0.085, 0.08)))
            for z in (0.24, 0.02)
        ],
        *[
            part("speaker", darker(case, 0.45), Box((0.05, 0.22, 0.035)).at(0.3, knob_y, z))
            for z in (-0.16, -0.24, -0.32)
        ],
        part("tube", darker(case, 0.6), rod((-0.25, 0, 0), (-0.55, 0, -0.04), height * 0.4, height * 0.22)),
        part("back", "black", Box((0.05, 0.5, 0.1)).at(-0.3, 0, -height / 2 + 0.12)),
        part("antenna", "black", sphere(0.1).at(z=height / 2 + 0.02)),
        *pair(
            "antenna",
            "silver",
            lambda s: limb((0, 0, height / 2), (0, s * vary(0.34, 0.15), height / 2 + vary(0.5)), 0.028),
        ),
        *[
            part(
                "legs",
                darker(case, 0.6),
                rod((x, y, -height / 2 - 0.25), (x * 0.8, y * 0.85, -height / 2 + 0.02), 0.04, 0.06),
            )
            for x in (0.22, -0.22)
            for y in (width / 2 - 0.15, 0.15 - width / 2)
        ],
    ]


def camera(colour: RGB | None, vary: Vary) -> list[Part]:
    """A photo camera: a big lens and a flash in front, a bright display behind."""
    body = colour or rgb("black")
    width, lens = vary(1.3, 0.06), vary(0.36, 0.08)
    return [
        part("body", body, Box((0.4, width, 0.8), 0.07)),
        part("top", "silver", Box((0.38, width - 0.04, 0.18), 0.05).at(z=0.42)),
        part("hump", "silver", Box((0.34, 0.44, 0.26), 0.06).at(z=0.54)),
        part("lens", "gray", rod((0.15, 0, -0.02), (0.42, 0, -0.02), lens)),
        part("lens", "black", rod((0.4, 0, -0.02), (0.56, 0, -0.02), lens - 0.05)),
        part("glass", "blue", Ellipsoid((0.1, lens - 0.1, lens - 0.1)).at(0.54, 0, -0.02)),
        part("flash", "yellow", Box((0.06, 0.26, 0.14), 0.02).at(0.18, 0, 0.56)),
        part("button", "red", cylinder(0.09, vary(0.1)).at(0, width / 2 - 0.2, 0.5)),
        part("dial", "gray", cylinder(0.13, 0.08).at(0, 0.22 - width / 2, 0.5)),
        part(
            "grip", darker(body, 0.6), limb((0.2, width / 2 - 0.14, -0.28), (0.2, width / 2 - 0.14, 0.2), 0.1)
        ),
        part("display", "turquoise", Box((0.05, 0.74, 0.48), 0.02).at(-0.2, -0.12, -0.06)),
        part("pad", "silver", rod((-0.24, width / 2 - 0.2, -0.05), (-0.15, width / 2 - 0.2, -0.05), 0.1)),
        *pair(
            "strap",
            "brown",
            lambda s: Torus(0.07, 0.025).turned(x_deg=90).at(0, s * (width / 2 + 0.02), 0.32),
        ),
    ]


def telephone(colour: RGB | None, vary: Vary) -> list[Part]:
    """A telephone with a dial in front and its receiver lying across the top."""
    case = colour or rgb("red")
    width, reach = vary(0.8, 0.08), vary(0.56, 0.06)
    lean_deg = 50.0
    dial = (width * 0.36 + 0.16, 0, 0.3)
    return [
        part("case", case, frustum(width * 0.72, width * 0.36, 0.55)),
        part("base", darker(case), Box((1.0, width * 1.3, 0.12), 0.05).at(z=0.04)),
        part("dial", "white", frustum(0.27, 0.24, 0.12).turned(y_deg=lean_deg).at(*dial)),
        part("dial", "black", frustum(0.1, 0.08, 0.17).turned(y_deg=lean_deg).at(*dial)),
        *pair("cradle", darker(case), lambda s: limb((0, s * 0.22, 0.5), (0, s * 0.24, 0.66), 0.06)),
        part("receiver", case, Arc(vary(1.1, 0.05), 0.085, 24).turned(y_deg=-90).at(z=-0.34)),
        *pair("receiver", darker(case), lambda s: frustum(0.19, 0.14, 0.16).at(0, s * reach, 0.52)),
        part("cord", "black", Arc(0.3, 0.04, 80).turned(z_deg=180).at(-0.45, 0, 0.07)),
    ]
