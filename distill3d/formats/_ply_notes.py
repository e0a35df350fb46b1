"""What a PLY's comments say of a scene of Gaussians as a whole.

    scene_transform a b c …  the first three rows of the matrix that leads from the world of what the scene
                             was made from into its own
    antialiased 1            it is drawn antialiased, as Postshot writes it
    SplatRenderMode: mip     the same, as Brush writes it

The matrix is the header's last line: some readers count those before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d.errors import UserError
from distill3d.ply import comment
from distill3d.rotation import scale_and_rotation

TRANSFORM, ANTIALIASED, MODE = "scene_transform", "antialiased", "SplatRenderMode:"


def read(data: bytes) -> dict[str, Tensor]:
    """What the comments say, under the names of a scene's state."""
    words = comment(data, TRANSFORM)
    found = {TRANSFORM: _transform(words)} if words else {}
    if comment(data, ANTIALIASED) == ["1"] or comment(data, MODE) == ["mip"]:
        found |= {ANTIALIASED: torch.tensor(True)}
    return found


def lines(state: Mapping[str, Any]) -> list[str]:
    """The comments for a scene's state: the last lines of its header."""
    transform = state.get(TRANSFORM)
    placed = transform is not None and not torch.equal(transform, torch.eye(4).to(transform))
    return [
        *([f"comment {ANTIALIASED} 1", f"comment {MODE} mip"] if state.get(ANTIALIASED, False) else []),
        *(
            [" ".join(["comment", TRANSFORM, *map(repr, transform[:3].flatten().tolist())])]
            if transform is not None and placed
            else []
        ),
    ]


def _transform(words: list[str]) -> Float64[Tensor, "4 4"]:
    """The matrix in a comment."""
    try:
        rows = torch.tensor([float(word) for word in words], dtype=torch.float64).reshape(3, 4)
        similarity = torch.cat([rows, rows.new_tensor([[0, 0, 0, 1]])])
        scale_and_rotation(similarity)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f'the PLY\'s comment {TRANSFORM} has "{" ".join(words)[:60]}"; expected the first three rows of '
            "a similarity, so delete that line"
        ) from error
    return similarity
