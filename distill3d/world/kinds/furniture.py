"""Furniture: chair, table, sofa, bed, lamp, bookcase."""

from __future__ import annotations

from distill3d.world.colours import RGB, darker, lighter, rgb
from distill3d.world.outlines import outline, softened
from distill3d.world.parts import Part, Vary, pair, part
from distill3d.world.shapes import Box, Lathe, cylinder, frustum, limb, rod, sphere

WITHOUT_FRONT = ("table", "lamp")


def _legs(colour: RGB | str, x: float, y: float, height: float, radius: float) -> list[Part]:
    """Four tapered legs that spread a little."""
    return [
        part(
            "legs",
            colour,
            rod((sx * x * 1.08, sy * y * 1.08, 0), (sx * x, sy * y, height), radius * 0.7, radius),
        )
        for sx in (1, -1)
        for sy in (1, -1)
    ]


def chair(colour: RGB | None, vary: Vary) -> list[Part]:
    """A kitchen chair: a seat with a cushion, a back of slats behind it."""
    wood = colour or rgb("wooden")
    seat, width, back = vary(0.62, 0.08), vary(0.76, 0.08), vary(0.8)
    x, y = 0.3, width / 2 - 0.08
    return [
        part("seat", wood, Box((0.76, width, 0.1), 0.04).at(z=seat)),
        part("cushion", "red", Box((0.62, width - 0.16, 0.1), 0.048).at(0.02, 0, seat + 0.09)),
        *_legs(darker(wood), x, y, seat, 0.055),
        *pair("posts", darker(wood), lambda s: limb((-0.33, s * y, seat), (-0.42, s * y, seat + back), 0.05)),
        part("back", wood, Box((0.08, width, 0.2), 0.038).turned(y_deg=-6).at(-0.42, 0, seat + back)),
        part(
            "back",
            wood,
            Box((0.06, width - 0.1, 0.11), 0.028).turned(y_deg=-6).at(-0.37, 0, seat + back * 0.5),
        ),
        *[
            part("slats", wood, limb((-0.34, f * y, seat), (-0.42, f * y, seat + back), 0.03))
            for f in (-0.4, 0.0, 0.4)
        ],
        part("rungs", darker(wood), rod((0.3, -y, seat * 0.4), (0.3, y, seat * 0.4), 0.03)),
    ]


def table(colour: RGB | None, vary: Vary) -> list[Part]:
    """A table: a flat top with an apron on four legs."""
    wood = colour or rgb("wooden")
    height, width, depth = vary(0.7, 0.08), vary(1.5, 0.08), vary(1.0, 0.08)
    return [
        part("top", wood, Box((depth, width, 0.11), 0.04).at(z=height)),
        part("apron", darker(wood), Box((depth - 0.2, width - 0.2, 0.14), 0.02).at(z=height - 0.1)),
        *_legs(darker(wood), depth / 2 - 0.14, width / 2 - 0.14, height - 0.02, 0.075),
    ]


def sofa(colour: RGB | None, vary: Vary) -> list[Part]:
    """A sofa for two: cushions between fat arms, a wooden board across its back."""
    cloth = colour or rgb("teal")
    width, back = vary(1.3, 0.08), vary(0.66, 0.08)
    return [
        part("base", darker(cloth), Box((0.84, width + 0.2, 0.3), 0.08).at(z=0.3)),
        *pair(
            "seat",
            lighter(cloth, 0.2),
            lambda s: Box((0.72, width / 2 - 0.02, 0.2), 0.08).at(0.1, s * width / 4, 0.5),
        ),
        *pair(
            "back",
            cloth,
            lambda s: (
                Box((0.24, width / 2 - 0.01, back), 0.1)
                .turned(y_deg=-10)
                .at(-0.3, s * width / 4, 0.44 + back / 2)
            ),
        ),
        *pair(
            "arms",
            cloth,
            lambda s: limb((-0.3, s * (width / 2 + 0.12), 0.5), (0.34, s * (width / 2 + 0.12), 0.5), 0.17),
        ),
        *pair("arms", cloth, lambda s: Box((0.84, 0.28, 0.36), 0.08).at(0, s * (width / 2 + 0.12), 0.34)),
        *pair(
            "pillows",
            "yellow",
            lambda s: (
                Box((0.16, 0.36, 0.36), 0.078)
                .turned(x_deg=s * vary(14, 0.5), y_deg=-20)
                .at(-0.02, s * (width / 2 - 0.18), 0.76)
            ),
        ),
        part(
            "board",
            "wooden",
            Box((0.08, width, back * 0.7), 0.03).turned(y_deg=-10).at(-0.43, 0, 0.42 + back / 2),
        ),
        *_legs("wooden", 0.32, width / 2, 0.2, 0.06),
    ]


def bed(colour: RGB | None, vary: Vary) -> list[Part]:
    """A bed: a coloured blanket and a low board in front, pillows against a tall headboard behind."""
    blanket = colour or rgb("blue")
    length, width, head = vary(1.7, 0.06), vary(1.1, 0.08), vary(0.86, 0.08)
    x = length / 2
    return [
        part("frame", "wooden", Box((length, width + 0.06, 0.22), 0.03).at(z=0.26)),
        part("mattress", "white", Box((length - 0.06, width - 0.02, 0.24), 0.07).at(z=0.44)),
        part("blanket", blanket, Box((length * 0.64, width + 0.1, 0.32), 0.08).at(length * 0.17, 0, 0.44)),
        part("hem", lighter(blanket), Box((0.18, width + 0.12, 0.33), 0.08).at(-length * 0.12, 0, 0.445)),
        *pair(
            "pillows",
            "white",
            lambda s: (
                Box((0.34, width * 0.42, 0.16), 0.078).turned(y_deg=-24).at(-x + 0.26, s * width * 0.24, 0.64)
            ),
        ),
        part("headboard", "wooden", Box((0.1, width + 0.16, head), 0.05).at(-x, 0, head / 2 + 0.06)),
        part("footboard", "wooden", Box((0.1, width + 0.16, 0.42), 0.05).at(x, 0, 0.28)),
        *[
            part("knobs", darker(rgb("wooden")), sphere(0.09).at(px, s * (width / 2 + 0.04), z))
            for px, z in ((-x, head + 0.1), (x, 0.54))
            for s in (1, -1)
        ],
        *_legs(darker(rgb("wooden")), x - 0.06, width / 2 - 0.04, 0.2, 0.07),
    ]


def lamp(colour: RGB | None, vary: Vary) -> list[Part]:
    """A table lamp: a bellied foot, a wide shade, a chain to pull."""
    shade = colour or rgb("red")
    height, width, belly = vary(1.0, 0.08), vary(0.6, 0.08), vary(0.24)
    foot = softened(
        outline((0, 0.1), (belly * 0.9, 0.1), (belly * 1.3, 0.34), (0.06, 0.5), (0.08, 0.66)),
        times=2,
        closed=False,
    )
    cone = outline((width, 0), (width + 0.03, 0.02), (width * 0.52 + 0.03, 0.56), (width * 0.52, 0.56))
    return [
        part("base", "golden", frustum(0.36, 0.3, 0.1)),
        part("stem", "white", Lathe((*foot, (0.0, 0.66)))),
        part("pole", "golden", cylinder(0.045, height - 0.24).at(z=0.6)),
        part("bulb", "light yellow", sphere(0.17).at(z=height)),
        part("shade", shade, Lathe(cone).at(z=height - 0.24)),
        part(
            "trim",
            darker(shade),
            Lathe(
                outline(
                    (width - 0.02, -0.04), (width + 0.05, -0.04), (width + 0.04, 0.05), (width - 0.02, 0.05)
                )
            ).at(z=height - 0.24),
        ),
        part("finial", "golden", cylinder(width * 0.53, 0.03).at(z=height + 0.3)),
        part("finial", "golden", sphere(0.07).at(z=height + 0.38)),
        part("chain", "golden", rod((0.2, 0.1, height - 0.5), (0.2, 0.1, height - 0.1), 0.014)),
        part("chain", "golden", sphere(0.045).at(0.2, 0.1, height - 0.5)),
    ]


def bookcase(colour: RGB | None, vary: Vary) -> list[Part]:
    """A bookcase: three shelves of coloured books in front, a plain board behind."""
    wood = colour or rgb("wooden")
    width, height, depth = vary(1.0, 0.08), vary(1.5, 0.06), 0.4
    step = (height - 0.14) / 3
    inks = ("red", "yellow", "blue", "green", "orange", "purple")
    books = []
    for shelf in range(3):
        y = 0.1 - width / 2
        while y < width / 2 - 0.22:
            thick, tall = vary.between(0.1, 0.15), step * vary.between(0.55, 0.8)
            ink = inks[(len(books) * 5 + shelf) % len(inks)]
            books.append(
                part(
                    "books",
                    ink,
                    Box((0.26, thick - 0.012, tall), 0.01).at(
                        0.06, y + thick / 2, 0.13 + shelf * step + tall / 2
                    ),
                )
            )
            y += thick
    return [
        part("back", darker(wood), Box((0.06, width, height)).at(0.05 - depth / 2, 0, height / 2)),
        *pair("sides", wood, lambda s: Box((depth, 0.08, height), 0.02).at(0, s * width / 2, height / 2)),
        *[
            part("shelves", wood, Box((depth - 0.02, width, 0.07), 0.01).at(0, 0, 0.1 + k * step))
            for k in range(3)
        ],
        part("top", wood, Box((depth + 0.08, width + 0.16, 0.1), 0.03).at(z=height)),
        *books,
    ]
