"""Make the scenes that are named, or all: python -m scenes [NAME ...]."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = ("locomotive", "owl", "turtle", "amphora", "castle", "knot", "overview")


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"unknown scene {', '.join(unknown)}; expected some of {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        scene = importlib.import_module(f"scenes.{name}")
        scene.make(FOLDER)
        print(f"{name}: {FOLDER / scene.FILE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
