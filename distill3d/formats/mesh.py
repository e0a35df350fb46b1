"""Triangle meshes to GLB, OBJ and PLY, through trimesh.

The world is +z up and faces +x. glTF and OBJ are +y up and face +z (glTF 2.0 specification, section 3.4).
"""

from __future__ import annotations

import trimesh

from distill3d.errors import UserError

Y_UP = [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
"""(x, y, z) to (y, z, x): what pointed up along z then does along y, and what faced +x faces +z."""
TURNED = ("glb", "obj")
SUFFIXES = ("glb", "obj", "ply")


def write(mesh: trimesh.Trimesh, kind: str) -> bytes:
    """The file of `kind`, one of `SUFFIXES`, with vertex colours. Only GLB and OBJ are turned to +y up."""
    if kind not in SUFFIXES:
        raise UserError(f"a mesh cannot be written as .{kind}; expected one of {', '.join(SUFFIXES)}")
    turned = mesh.copy()
    if kind in TURNED:
        turned.apply_transform(Y_UP)
    data = turned.export(file_type=kind)
    return data.encode() if isinstance(data, str) else bytes(data)
