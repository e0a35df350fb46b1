"""Light that does not depend on the viewer, so that pictures of one object agree with each other.

A surface's colour is its part's colour times a light that depends on the normal (sky, ground, a soft lamp
fixed to the object) and on how open the place is. Colours are display values, used as plain numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from distill3d.world.surfaces import Points, Surface

AMBIENT, SKY, LAMP = 0.50, 0.20, 0.42
TO_LAMP = np.array([0.55, 0.45, 0.70]) / math.sqrt(0.55**2 + 0.45**2 + 0.70**2)
CREASE_DEG = 42.0


def light(normals: Points) -> NDArray[np.float64]:
    """Brightness [...] of a white surface with unit normals [..., 3], in an open place."""
    sky = 0.5 + 0.5 * normals[..., 2]
    lamp = (0.4 + 0.6 * (normals @ TO_LAMP)).clip(min=0)
    return AMBIENT + SKY * sky + LAMP * lamp


def corner_normals(surface: Surface) -> Points:
    """Unit normals [F, 3, 3] at the corners of every face, smooth over edges flatter than `CREASE_DEG`.

    A corner takes the mean, weighted by area, of the normals of those faces at its vertex that lie within the
    crease angle of its own face: round parts shade smoothly and boxes keep their edges.
    """
    a, b, c = np.moveaxis(surface.vertices[surface.faces], 1, 0)
    area_normal = np.cross(b - a, c - a)
    unit = area_normal / np.linalg.norm(area_normal, axis=1, keepdims=True).clip(1e-12)
    order = np.argsort(surface.faces.reshape(-1), kind="stable")
    sorted_vertices = surface.faces.reshape(-1)[order]
    start = np.searchsorted(sorted_vertices, sorted_vertices, side="left")
    count = np.searchsorted(sorted_vertices, sorted_vertices, side="right") - start
    here = np.repeat(np.arange(len(order)), count)
    there = np.arange(len(here)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)
    face, neighbour = order[here] // 3, order[there] // 3
    alike = np.einsum("ij,ij->i", unit[face], unit[neighbour]) > math.cos(math.radians(CREASE_DEG))
    total = np.zeros((len(order), 3))
    np.add.at(total, order[here[alike]], area_normal[neighbour[alike]])
    total /= np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)
    return total.reshape(-1, 3, 3)
