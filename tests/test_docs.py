"""What is generated in docs/ is up to date."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_of_methods_is_what_its_script_writes() -> None:
    written = (DOCS / "objectives.md").read_text(encoding="utf-8")
    fresh = runpy.run_path(str(DOCS / "objectives.py"))["page"]()
    assert fresh == written, "run: python docs/objectives.py"
