"""From which kind of scene into which, and by which route.

A conversion starts with what can be had without learning and goes on with lessons: at points that both
scenes are asked about (`volume`), with the pictures of both (`render`), or with one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from distill3d.errors import UserError

FAMILIES = {"gaussians": "splats", "surfels": "splats", "mesh": "mesh"}
"""All other kinds of scene are fields."""


@dataclass(frozen=True)
class Route:
    """How a scene comes to be another."""

    name: str
    reason: str

    @property
    def lessons(self) -> list[str]:
        """What is learned from, in this order; nothing where the start is all there is."""
        return [word for word in self.name.split("+") if word in ("volume", "render")]


ROUTES = {
    ("field", "field"): (
        Route("volume", "both say a density and a colour at every point"),
        Route("render", "their pictures are compared and nothing else"),
        Route("start", "what can be had without learning, and no more"),
    ),
    ("field", "splats"): (
        Route("render", "splats lie on the surfaces that the field shows, and pictures settle the rest"),
        Route("start", "splats lie on the surfaces that the field shows, and nothing is learned"),
    ),
    ("field", "mesh"): (Route("extract", "the surface that its pictures show, with a texture"),),
    ("splats", "field"): (
        Route("volume+render", "splats in a grid of density teach at points, then their pictures"),
        Route("volume", "splats in a grid of density teach at points"),
        Route("render", "the pictures of the splats are compared and nothing else"),
        Route("start", "splats in a grid of density, looked up, and nothing is learned"),
    ),
    ("splats", "splats"): (
        Route("render", "splats become flat, full or fewer in closed form, and pictures settle the rest"),
        Route("start", "splats become flat, full or fewer in closed form"),
    ),
    ("splats", "mesh"): (Route("extract", "the surface that its pictures show, with a texture"),),
    ("mesh", "field"): (
        Route("volume+render", "the distance to the mesh and its texture teach at points, then its pictures"),
        Route("volume", "the distance to the mesh says a density, its texture a colour, at every point"),
        Route("render", "their pictures are compared and nothing else"),
        Route("start", "what can be had without learning, and no more"),
    ),
    ("mesh", "splats"): (
        Route("render", "splats tile the texture, and pictures settle the rest"),
        Route("start", "splats tile the texture, and nothing is learned"),
    ),
    ("mesh", "mesh"): (Route("extract", "fewer triangles, and the texture baked again"),),
}
"""For each pair of families the routes there are, the one that is taken first."""
SAME = {
    "field": "the same kind again, at the size that was asked for",
    "splats": "the same kind again, of which those that count most are kept, up to --to.count",
}
KEPT = Route("start", "the same kind again with nothing to leave out: it is kept as it is")
"""Of a scene that fits into what was asked for."""


def route(source: str, target: str, wanted: str = "") -> Route:
    """The route from one kind of scene to another: the best, or that which is called `wanted`."""
    pair = FAMILIES.get(source, "field"), FAMILIES.get(target, "field")
    known = {route.name: route for route in ROUTES[pair]}
    if wanted and wanted not in known:
        raise UserError(
            f"there is no route {wanted} from {source} to {target}; expected {' or '.join(known)}"
        )
    chosen = known[wanted] if wanted else ROUTES[pair][0]
    if source == target and pair[0] in SAME:
        return Route(chosen.name, SAME[pair[0]])
    return chosen
