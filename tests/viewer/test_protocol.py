"""The protocol: headers are what their layouts say, and the page's TypeScript is this file's."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

import pytest

from distill3d.viewer import headers
from distill3d.viewer.typescript import typescript

PAGE = Path(__file__).parents[2] / "viewer" / "src" / "net" / "protocol.ts"


@pytest.mark.parametrize("header", [headers.FrameHeader, headers.ArrayHeader])
def test_a_header_has_32_bytes_and_a_letter_for_each_field(header: type) -> None:
    layout = header.LAYOUT  # pyright: ignore[reportAttributeAccessIssue]
    assert struct.calcsize(layout) == 32
    values = range(1, len(dataclasses.fields(header)) + 1)
    assert struct.unpack(layout, struct.pack(layout, *values)) == tuple(values)


def test_the_page_speaks_the_protocol_of_these_dataclasses() -> None:
    assert PAGE.read_text(encoding="utf-8") == typescript(), "python -m distill3d.viewer.typescript writes it"
