"""MessagePack: what is written is read, and nothing is believed that the bytes do not hold."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill3d.errors import UserError
from distill3d.formats import msgpack
from tests.formats.damage import DAMAGE, QUICK, damaged, survives
from tests.formats.packing import pack

PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    PLAIN | st.binary(), lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=20
)


@QUICK
@given(VALUES)
def test_values_come_back(value):
    assert msgpack.read(pack(value)) == value


def test_the_short_forms_and_all_numbers():
    """Byte by byte after the specification."""
    assert msgpack.read(b"\x83\xa1a\x01\xa1b\x93\xff\xe0\x7f\xa2cd\xc0") == {
        "a": 1,
        "b": [-1, -32, 127],
        "cd": None,
    }
    numbers = [1.5, -0.1, 200, 60000, 2**31, 2**63, -100, -3000, -(2**30), -(2**60)]
    for code, letter, value in zip(range(0xCA, 0xD4), "fdBHIQbhiq", numbers, strict=True):
        assert msgpack.read(bytes([code]) + struct.pack(f">{letter}", value)) == value
    assert msgpack.read(b"\xd9\x02hi") == msgpack.read(b"\xda\x00\x02hi") == "hi"
    assert bytes(msgpack.read(b"\xc4\x02hi")) == bytes(msgpack.read(b"\xc5\x00\x02hi")) == b"hi"
    assert msgpack.read(b"\xdc\x00\x01\x05") == [5] and msgpack.read(b"\xde\x00\x01\xa1x\xc2") == {"x": False}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xdd\xff\xff\xff\xff\x00", "4294967295 more are announced"),
        (b"\xdf\x7f\xff\xff\xff\x00", "more are announced"),
        (b"\xc6\xff\xff\xff\xff\x00", "more are announced"),
        (b"", "1 more are announced"),
        (b"\x91" * 100, "nested deeper than 32"),
        (b"\x81\x01\x02", "a name that is no text"),
        (b"\xc7\x01\x00\x00", "kind 0xc7"),
        (b"\x01\x02", "1 bytes follow"),
    ],
)
def test_what_cannot_be_is_refused(data: bytes, reason: str):
    with pytest.raises(UserError, match=reason):
        msgpack.read(data)


@QUICK
@given(VALUES, *DAMAGE)
def test_damage_is_a_sentence(value, places, cut, swap):
    survives(msgpack.read, damaged(pack(value), places, cut, swap))
