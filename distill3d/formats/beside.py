"""What stands beside a file: the materials and pictures that a mesh names, from its own folder only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trimesh.resolvers import Resolver

from distill3d.errors import UserError
from distill3d.formats import _picture

MAX_BYTES = 1 << 28
NO_PICTURES = (".mtl", ".bin")
"""Ends of the names of other files: OBJ's materials and glTF's numbers."""


class Beside(Resolver):
    """Files in a folder for trimesh, which keeps silent about what it cannot get: see `complain`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.refused: list[str] = []

    def get(self, name: str) -> bytes:
        """The bytes of the file called `name`, a path that does not leave the folder."""
        path = (self.folder / name.strip().replace("\\", "/")).resolve()
        if not path.is_relative_to(self.folder):
            reason = f"names {name[:80]}, which lies outside its own folder; put a copy beside it"
        elif not path.is_file():
            reason = f"names {name[:80]}, which is not beside it; put it there, or take the name out"
        elif path.stat().st_size > MAX_BYTES:
            reason = f"names {name[:80]} of {path.stat().st_size} bytes; at most {MAX_BYTES} are read"
        else:
            data = path.read_bytes()
            fault = "" if path.suffix.lower() in NO_PICTURES else _picture.fault(data)
            if not fault:
                return data
            reason = f"names {name[:80]}, which {fault}; save it again as PNG or JPEG"
        self.refused.append(reason)
        raise FileNotFoundError(reason)

    def complain(self) -> None:
        """Raise UserError if a file was asked for that could not be given."""
        if self.refused:
            raise UserError(f"the mesh {self.refused[0]}")

    def keys(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def write(self, name: str, data: Any) -> None:
        raise PermissionError(f"{name} is only read")

    def namespaced(self, namespace: str) -> Beside:
        return Beside(self.folder / namespace)
