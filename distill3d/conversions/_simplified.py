"""Fewer triangles on the same surface: edges are collapsed where the surface moves least.

Source: Garland and Heckbert, Surface Simplification Using Quadric Error Metrics, SIGGRAPH 1997, as
implemented in fast-simplification.
"""

from __future__ import annotations

import fast_simplification
import numpy as np
import trimesh


def simplified(mesh: trimesh.Trimesh, triangles: int) -> trimesh.Trimesh:
    """The shape alone, with about `triangles` faces at most; a mesh that has no more keeps all of them.

    A closed surface may come back with a few more, where the last collapses would have turned faces over.
    """
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int32)
    if len(faces) > triangles:
        vertices, faces, *_ = fast_simplification.simplify(vertices, faces, target_count=triangles)
    return trimesh.Trimesh(vertices, faces, process=False)
