"""The built page: made from the sources beside it, small, and all there is."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

from distill3d.viewer.server import STATIC

VIEWER = Path(__file__).parents[2] / "viewer"
ROOTS = (
    "src",
    "scripts",
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
)


def fingerprint(folder: Path) -> str:
    """As viewer/scripts/sources.ts has it."""
    files = [
        path for root in ROOTS for path in [folder / root, *(folder / root).rglob("*")] if path.is_file()
    ]
    lines = sorted(
        f"{path.relative_to(folder).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in files
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_bundle_is_made_from_these_sources() -> None:
    built = json.loads((STATIC / "BUILD.json").read_text())["sources_sha256"]
    assert built == fingerprint(VIEWER), "the page's sources have changed: make viewer, and commit the result"


def test_the_bundle_is_small_and_complete() -> None:
    program = (STATIC / "app.js").read_bytes()
    assert len(program) < 3_600_000
    assert len(gzip.compress(program)) < 1_200_000
    licences = (STATIC / "LICENSES.txt").read_text()
    assert all(name in licences for name in ("three", "@sparkjsdev/spark"))
    assert {path.name for path in STATIC.iterdir()} == {"index.html", "app.js", "BUILD.json", "LICENSES.txt"}
