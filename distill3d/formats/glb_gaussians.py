"""Gaussians in GLB: glTF's extension KHR_gaussian_splatting, ratified by Khronos.

A primitive of points has POSITION and, named KHR_gaussian_splatting:…, ROTATION as xyzw, SCALE and OPACITY as
they are drawn, and SH_DEGREE_l_COEF_n with a colour's three coefficients each; COLOR_0 is what programs
without the extension show. The world is +y up, and nodes move it. Drafts of the extension kept logarithms of
scales, which are told by being negative.

What glTF has no word for stands in `asset.extras`: the way from the world that the scene was made from, and
whether it is drawn antialiased.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d.errors import UserError
from distill3d.formats import glb
from distill3d.formats._runs import arrays, logit, sigmoid
from distill3d.formats.glb_accessors import TYPES, column, whole
from distill3d.rotation import matrix_from_wxyz, scale_and_rotation
from distill3d.sh import DEGREE_0, MAX_DEGREE

NAME = "KHR_gaussian_splatting"
ROTATION, SCALE, OPACITY = (f"{NAME}:{what}" for what in ("ROTATION", "SCALE", "OPACITY"))
COLOUR_SPACE = "srgb_rec709_display"
POINTS = 0
STEPS = 1 << 23
"""Of opacities of 0 and 1, whose logits would be infinite: they are half a step inside."""
SOURCE, ANTIALIASED = "scene_transform", "antialiased"


def found_in(data: bytes) -> bool:
    """Whether a GLB says that it uses the extension."""
    return (
        data.startswith(glb.MAGIC)
        and f'"{NAME}"'.encode() in data[: 20 + int.from_bytes(data[12:16], "little")]
    )


def coefficient(index: int) -> str:
    """The name of a coefficient by its place among all."""
    degree = int(index**0.5)
    return f"{NAME}:SH_DEGREE_{degree}_COEF_{index - degree**2}"


def read(data: bytes) -> tuple[dict[str, Tensor], Float64[Tensor, "4 4"]]:
    """The state of a Gaussians scene, and the matrix by which its node moves it; both +y up."""
    content, binary = glb.checked(data, (*glb.UNDERSTOOD, NAME))
    try:
        found = [
            (index, primitive)
            for index, mesh in enumerate(content.get("meshes", []))
            for primitive in mesh["primitives"]
            if NAME in primitive.get("extensions", {})
        ]
        if len(found) != 1:
            raise UserError(f"the GLB has {len(found)} primitives of Gaussians; expected one, so join them")
        ((mesh, primitive),) = found
        space = primitive["extensions"][NAME].get("colorSpace", COLOUR_SPACE)
        if space not in (COLOUR_SPACE, "BT.709"):
            raise UserError(f"the GLB's Gaussians have colours in {str(space)[:40]}; expected {COLOUR_SPACE}")
        columns = {
            name: column(content, binary, index)
            for name, index in primitive["attributes"].items()
            if name == "POSITION" or name.startswith(f"{NAME}:")
        }
        return _state(columns) | _extras(content), _placed(content, mesh)
    except glb.NONSENSE as error:
        raise glb.nonsense(error) from error


def _state(columns: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    wanted = {"POSITION": 3, ROTATION: 4, SCALE: 3, OPACITY: 1, coefficient(0): 3}
    missing = [name.removeprefix(f"{NAME}:") for name in wanted if name not in columns]
    if missing:
        raise UserError(f"the GLB's Gaussians lack {', '.join(missing)}; expected those of {NAME}")
    harmonics = [name for name in map(coefficient, range((MAX_DEGREE + 1) ** 2)) if name in columns]
    count, terms = len(columns["POSITION"]), len(harmonics)
    shapes = [(name, columns[name].shape, (count, items)) for name, items in wanted.items()]
    shapes += [(name, columns[name].shape, (count, 3)) for name in harmonics]
    for name, shape, expected in shapes:
        if shape != expected:
            raise UserError(f"the GLB's {name} is {shape}; expected {expected}")
    if harmonics[-1] != coefficient(terms - 1) or terms not in (1, 4, 9, 16):
        raise UserError(f"the GLB's Gaussians have {terms} harmonics; expected all of each degree up to 3")
    scales = columns[SCALE]
    state = {
        "means": columns["POSITION"],
        "wxyz": columns[ROTATION][:, [3, 0, 1, 2]],
        "log_scales": scales if (scales < 0).any() else np.log(np.maximum(scales, np.float32(1e-30))),
        "opacity_logits": logit(columns[OPACITY][:, 0], STEPS),
        "sh": np.stack([columns[name] for name in harmonics], 1),
    }
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in state.items()}


def _extras(content: dict[str, Any]) -> dict[str, Tensor]:
    extras = content.get("asset", {}).get("extras", {})
    found = {ANTIALIASED: torch.tensor(True)} if extras.get(ANTIALIASED) is True else {}
    if SOURCE in extras:
        similarity = torch.eye(4, dtype=torch.float64)
        similarity[:3] = torch.tensor(extras[SOURCE], dtype=torch.float64)
        scale_and_rotation(similarity)
        found |= {SOURCE: similarity}
    return found


def _placed(content: dict[str, Any], mesh: int) -> Float64[Tensor, "4 4"]:
    """What the nodes above a mesh do to it; it may be drawn once."""
    nodes = content.get("nodes", [])
    drawn = [i for i, node in enumerate(nodes) if node.get("mesh") == mesh]
    if len(drawn) > 1:
        raise UserError(f"the GLB draws its Gaussians {len(drawn)} times; expected once")
    above = {whole(child): i for i, node in enumerate(nodes) for child in node.get("children", [])}
    matrix, seen = torch.eye(4, dtype=torch.float64), set[int]()
    at = drawn[0] if drawn else None
    while at is not None:
        if at in seen:
            raise UserError("the GLB has a node within itself; export it again")
        seen.add(at)
        matrix = _matrix(nodes[at]) @ matrix
        at = above.get(at)
    return matrix


def _matrix(node: dict[str, Any]) -> Float64[Tensor, "4 4"]:
    """GlTF 2.0, section 3.5.3: a matrix by columns, or a translation, a rotation xyzw and a scale."""
    if "matrix" in node:
        return torch.tensor(node["matrix"], dtype=torch.float64).reshape(4, 4).T
    turn, scale, shift = (
        torch.tensor(node.get(name, usual), dtype=torch.float64)
        for name, usual in (("rotation", [0, 0, 0, 1]), ("scale", [1, 1, 1]), ("translation", [0, 0, 0]))
    )
    if (turn.shape, scale.shape, shift.shape) != ((4,), (3,), (3,)):
        raise ValueError("a node's rotation, scale or translation")
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3], matrix[:3, 3] = matrix_from_wxyz(turn[[3, 0, 1, 2]]) * scale, shift
    return matrix


def write(state: dict[str, Tensor]) -> bytes:
    """The file for the state of a Gaussians scene whose world is +y up."""
    learned = arrays(state)
    sh, opacity = learned["sh"], sigmoid(learned["opacity_logits"])
    if not len(sh):
        raise UserError("a scene without Gaussians, of which glTF has no points; expected at least one")
    lengths = np.maximum(np.linalg.norm(learned["wxyz"], axis=1, keepdims=True), np.float32(1e-30))
    shown = np.concatenate([sh[:, 0] * np.float32(DEGREE_0) + np.float32(0.5), opacity[:, None]], 1)
    columns = {
        "POSITION": learned["means"],
        "COLOR_0": np.clip(np.rint(np.nan_to_num(shown) * 255), 0, 255).astype(np.uint8),
        ROTATION: (learned["wxyz"] / lengths)[:, [1, 2, 3, 0]],
        SCALE: np.exp(learned["log_scales"]),
        OPACITY: opacity[:, None],
        **{coefficient(i): sh[:, i] for i in range(sh.shape[1])},
    }
    views, accessors, at = [], [], 0
    for name, values in columns.items():
        views.append({"buffer": 0, "byteOffset": at, "byteLength": values.nbytes, "target": 34962})
        kind = (
            {"componentType": 5126}
            if values.dtype == np.float32
            else {"componentType": 5121, "normalized": True}
        )
        bounds = {"min": values.min(0).tolist(), "max": values.max(0).tolist()} if name == "POSITION" else {}
        shape = {"count": len(values), "type": TYPES[values.shape[1]]}
        accessors.append({"bufferView": len(accessors), **kind, **shape, **bounds})
        at += values.nbytes
    extension = {"kernel": "ellipse", "colorSpace": COLOUR_SPACE}
    primitive = {"attributes": {name: i for i, name in enumerate(columns)}, "mode": POINTS}
    content = {
        "asset": {"version": "2.0", "generator": "distill3d", **_notes(state)},
        "extensionsUsed": [NAME],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{**primitive, "extensions": {NAME: extension}}]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": at}],
    }
    return glb.joined(content, b"".join(np.ascontiguousarray(values).data for values in columns.values()))


def _notes(state: Mapping[str, Any]) -> dict[str, Any]:
    transform = state.get(SOURCE)
    placed = transform is not None and not torch.equal(transform, torch.eye(4).to(transform))
    extras = {
        **({SOURCE: transform[:3].tolist()} if transform is not None and placed else {}),
        **({ANTIALIASED: True} if state.get(ANTIALIASED, False) else {}),
    }
    return {"extras": extras} if extras else {}
