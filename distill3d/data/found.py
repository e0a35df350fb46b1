"""Pictures that are where a dataset says, though programs on the way have given them other names.

A suffix may be missing, in capitals, or that of another format, and Windows writes paths with backslashes.
"""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""Those of pictures; of two that differ in nothing else, the first is taken."""


class Pictures:
    """The pictures below a folder. Folders are listed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[Path, dict[str, Path]] = {}

    def find(self, name: str) -> Path | None:
        """The picture of that name, a path from the root; None where there is none."""
        for way in dict.fromkeys((name, name.replace("\\", "/"))):
            path = self.root / way
            if path.is_file():
                return path
            known = self.listed(path.parent)
            stem = path.stem if path.suffix.lower() in SUFFIXES else path.name
            if stem.lower() in known:
                return known[stem.lower()]
        return None

    def listed(self, folder: Path) -> dict[str, Path]:
        """All pictures in a folder by their names, in small letters and without suffix."""
        if folder not in self._listed:
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            self._listed[folder] = {
                path.stem.lower(): path
                for suffix in reversed(SUFFIXES)
                for path in files
                if path.suffix.lower() == suffix and not path.name.startswith(".")
            }
        return self._listed[folder]
