"""What is known of every primitive: numbers to colour and sort by, colours, and what features say."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.pictures import to_bytes
from distill3d.representations._primitives import Primitives
from distill3d.rotation import matrix_from_wxyz
from distill3d.scene import Scene
from distill3d.sh import rgb_from_degree_0
from distill3d.viewer import wire
from distill3d.viewer.headers import ARRAY, COLOURS, SCALARS, ArrayHeader
from distill3d.viewer.meaning import Meaning
from distill3d.viewer.protocol import Property

SHOWN_SHARE = 0.01
"""Of the values on either side, that the range to show leaves out."""
MEANING = "meaning"
MAPS = ("confidence", "reliability", "progress")
"""Columns that say how far a primitive is to be trusted; they come before what follows from its shape."""
FROM_FILE = "file: "
"""What names of columns begin with that a scene's file had beside what is rendered."""


def _opacity(scene: Primitives) -> Tensor:
    return scene.opacity_logits.sigmoid()


def _size(scene: Primitives) -> Tensor:
    return scene.log_scales.mean(1).exp()


def _longest(scene: Primitives) -> Tensor:
    return scene.log_scales.max(1).values.exp()


def _stretch(scene: Primitives) -> Tensor:
    return (scene.log_scales.max(1).values - scene.log_scales.min(1).values).exp()


def _view_dependence(scene: Primitives) -> Tensor:
    return scene.sh[:, 1:].square().sum((1, 2)).sqrt()


def _height(scene: Primitives) -> Tensor:
    return scene.means[:, 2]


SCALARS_OF: dict[str, tuple[str, Callable[[Primitives], Tensor]]] = {
    "opacity": ("opacity", _opacity),
    "size": ("size, geometric mean (world units)", _size),
    "longest": ("longest axis (world units)", _longest),
    "stretch": ("longest to shortest axis", _stretch),
    "view_dependence": ("change of colour with the view", _view_dependence),
    "height": ("height (world units)", _height),
}


def _colour(scene: Primitives) -> Tensor:
    return rgb_from_degree_0(scene.sh[:, 0])


def _normal(scene: Primitives) -> Tensor:
    """The shortest axis, turned upwards; a surfel has its third axis for a normal."""
    axes = matrix_from_wxyz(torch.nn.functional.normalize(scene.wxyz, dim=-1))
    flat = scene.log_scales.shape[1] == 2
    shortest = torch.full((len(axes),), 2) if flat else scene.log_scales.argmin(1)
    normal = axes.gather(2, shortest[:, None, None].expand(-1, 3, 1))[..., 0]
    return (normal * torch.where(normal[:, 2:] < 0, -1.0, 1.0) + 1) / 2


COLOURS_OF: dict[str, tuple[str, Callable[[Primitives], Tensor]]] = {
    "colour": ("colour, the same from everywhere", _colour),
    "normal": ("direction of the shortest axis", _normal),
}


def properties_of(scene: Scene, meaning: Meaning | None) -> tuple[Property, ...]:
    """What can be asked for of a scene's primitives; nothing of one that has none."""
    if not isinstance(scene, Primitives):
        return ()
    scalars = [Property(name, label, "scalar") for name, (label, _) in SCALARS_OF.items()]
    colours = [Property(name, label, "colour") for name, (label, _) in COLOURS_OF.items()]
    known = columns_of(scene)
    maps = [Property(f"{FROM_FILE}{n}", n, "scalar") for n in MAPS if n in known]
    others = [Property(f"{FROM_FILE}{n}", f"{n}, from the file", "scalar") for n in known if n not in MAPS]
    means = [] if meaning is None else [Property(MEANING, meaning.label, "colour")]
    return (*colours, *means, *maps, *scalars, *others)


@torch.no_grad()
def array(scene: Scene, meaning: Meaning | None, name: str, *, layer: int, seq: int) -> bytes:
    """The binary message with a property of every primitive. Raises ValueError for one that is not there."""
    known = [each.name for each in properties_of(scene, meaning)]
    if name not in known or not isinstance(scene, Primitives):
        raise ValueError(f"no property {name[:60]!r}; this layer has {', '.join(known) or 'none'}")
    if name == MEANING and meaning is not None:
        return _pack_colours(meaning.colours(), layer=layer, seq=seq)
    if name in COLOURS_OF:
        return _pack_colours(COLOURS_OF[name][1](scene), layer=layer, seq=seq)
    if name in SCALARS_OF:
        return pack(SCALARS_OF[name][1](scene), layer=layer, seq=seq)
    return pack(columns_of(scene)[name.removeprefix(FROM_FILE)].float(), layer=layer, seq=seq)


def pack(values: Float[Tensor, " N"], *, layer: int, seq: int) -> bytes:
    """The binary message with a number of every primitive, and the range to show."""
    values = torch.where(values.isfinite(), values, torch.nan).float()
    ordered = values[values.isfinite()].sort().values
    stray = int(SHOWN_SHARE * len(ordered))
    low, high = (float(ordered[stray]), float(ordered[-1 - stray])) if len(ordered) else (0.0, 1.0)
    return wire.pack(
        ArrayHeader(ARRAY, SCALARS, layer, seq, len(values), low, high), values.numpy().tobytes()
    )


def _pack_colours(rgb: Float[Tensor, "N 3"], *, layer: int, seq: int) -> bytes:
    header = ArrayHeader(ARRAY, COLOURS, layer, seq, len(rgb), 0.0, 1.0)
    return wire.pack(header, to_bytes(rgb.nan_to_num(0.0)).numpy().tobytes())


def columns_of(scene: Primitives) -> dict[str, Tensor]:
    """The columns of a scene's file that are a number for each primitive."""
    columns = {name: values.squeeze(-1) for name, values in scene.extra.named_buffers() if values.ndim <= 2}
    return {name: values for name, values in columns.items() if values.shape == scene.means.shape[:1]}
