"""Colour words: display values (sRGB-like numbers in [0, 1]), materials among them, and shades of them."""

from __future__ import annotations

RGB = tuple[float, float, float]

COLOURS: dict[str, RGB] = {
    "red": (0.86, 0.15, 0.13),
    "orange": (0.98, 0.55, 0.10),
    "yellow": (0.98, 0.84, 0.18),
    "lime": (0.66, 0.86, 0.20),
    "green": (0.18, 0.62, 0.26),
    "teal": (0.05, 0.52, 0.53),
    "turquoise": (0.22, 0.80, 0.76),
    "cyan": (0.15, 0.78, 0.92),
    "blue": (0.16, 0.38, 0.86),
    "navy": (0.09, 0.14, 0.40),
    "purple": (0.50, 0.22, 0.70),
    "violet": (0.64, 0.46, 0.92),
    "magenta": (0.86, 0.14, 0.62),
    "pink": (0.98, 0.58, 0.72),
    "maroon": (0.48, 0.08, 0.14),
    "brown": (0.48, 0.29, 0.15),
    "tan": (0.82, 0.66, 0.46),
    "beige": (0.93, 0.87, 0.74),
    "white": (0.95, 0.95, 0.94),
    "gray": (0.55, 0.57, 0.60),
    "black": (0.11, 0.11, 0.13),
}
MATERIALS: dict[str, RGB] = {
    "wooden": (0.68, 0.45, 0.24),
    "golden": (0.93, 0.72, 0.22),
    "silver": (0.78, 0.80, 0.83),
    "bronze": (0.66, 0.44, 0.20),
    "copper": (0.80, 0.46, 0.30),
    "metal": (0.63, 0.67, 0.72),
    "stone": (0.60, 0.58, 0.54),
    "brick": (0.70, 0.30, 0.22),
    "clay": (0.78, 0.50, 0.36),
    "ivory": (0.97, 0.94, 0.84),
}
SHADES = ("light", "dark")


def rgb(colour: str) -> RGB:
    """The value of a colour word such as "red", "wooden" or "dark red"."""
    shade, _, name = colour.rpartition(" ")
    value = (COLOURS | MATERIALS)[name]
    if shade == "light":
        return mixed(value, (1.0, 1.0, 1.0), 0.45)
    if shade == "dark":
        return darker(value, 0.55)
    return value


def mixed(colour: RGB, other: RGB, share: float) -> RGB:
    """`share` of `other` in `colour`."""
    r, g, b = ((1 - share) * x + share * y for x, y in zip(colour, other, strict=True))
    return r, g, b


def darker(colour: RGB, factor: float = 0.7) -> RGB:
    """The colour times `factor`."""
    return mixed((0.0, 0.0, 0.0), colour, factor)


def lighter(colour: RGB, share: float = 0.35) -> RGB:
    """The colour with `share` of white."""
    return mixed(colour, (1.0, 1.0, 1.0), share)
