"""PLY with Gaussians: exact round trips, any order of properties, and no length taken on trust."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distill3d import files, ply
from distill3d.errors import UserError
from distill3d.formats import ply_gaussians
from distill3d.representations._extra import Extra


def state(count: int, terms: int, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"means": (3,), "wxyz": (4,), "log_scales": (3,), "opacity_logits": (), "sh": (terms, 3)}
    return {name: torch.randn(count, *shape, generator=generator) for name, shape in shapes.items()}


@given(st.integers(0, 20), st.sampled_from([1, 4, 9, 16]), st.integers(0, 9))
def test_reading_undoes_writing_to_the_last_bit(count: int, terms: int, seed: int) -> None:
    before = state(count, terms, seed)
    after = ply_gaussians.read(ply_gaussians.write(before))
    assert set(after) == set(before)
    for name, value in before.items():
        assert torch.equal(after[name], value), name


def test_the_layout_is_that_of_3dgs() -> None:
    before = state(2, 4)
    data = ply_gaussians.write(before)
    header, body = data.split(b"end_header\n", 1)
    names = [line.split()[2].decode() for line in header.splitlines() if line.startswith(b"property")]
    assert names[:9] == ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
    assert names[9:18] == [f"f_rest_{i}" for i in range(9)]
    assert names[18:] == ["opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    second = struct.unpack(f"<{len(names)}f", body[len(body) // 2 :])
    assert second[9] == before["sh"][1, 1, 0] and second[10] == before["sh"][1, 2, 0], "all of red first"
    assert second[12] == before["sh"][1, 1, 1], "then all of green"
    assert second[names.index("rot_0")] == before["wxyz"][1, 0]


def _with_other_layout(data: bytes, seed: int, endian: str) -> bytes:
    """The same vertices as doubles, in another order, with more properties and another element."""
    rows = ply.read_element(data, "vertex")
    names = list(rows.dtype.names)
    np.random.default_rng(seed).shuffle(names)
    table = np.zeros(len(rows), [(n, endian + "f8") for n in names])
    for name in rows.dtype.names:
        table[name] = rows[name]
    kind = {"<": "little", ">": "big"}[endian]
    header = (
        f"ply\nformat binary_{kind}_endian 1.0\ncomment made elsewhere\nelement camera 2\nproperty uchar id\n"
    )
    header += (
        f"element vertex {len(rows)}\n" + "".join(f"property double {n}\n" for n in names) + "end_header\n"
    )
    return header.encode() + b"\x01\x02" + table.tobytes() + b"trailing"


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("seed", range(3))
def test_properties_are_found_by_name(seed: int, endian: str) -> None:
    before = state(5, 9)
    after = ply_gaussians.read(_with_other_layout(ply_gaussians.write(before), seed, endian))
    assert set(after) == set(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def _as_text(data: bytes, end: str = "\n") -> bytes:
    """The same vertices as lines of numbers, as older programs write them."""
    header, rows = data.split(b"end_header\n", 1)[0], ply.read_element(data, "vertex")
    lines = [" ".join(repr(float(number)) for number in row) for row in rows.tolist()]
    named = header.decode().replace("binary_little_endian", "ascii") + "end_header"
    return end.join([*named.splitlines(), *lines, ""]).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("terms", [1, 16])
def test_numbers_may_be_text(terms: int, end: str) -> None:
    before = state(5, terms)
    before["means"][0] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    after = ply_gaussians.read(_as_text(ply_gaussians.write(before), end))
    assert set(after) == set(before)
    assert all(torch.equal(after[name].nan_to_num(7.0), v.nan_to_num(7.0)) for name, v in before.items())


def test_text_cut_anywhere_or_of_no_numbers_is_refused_in_a_sentence() -> None:
    data = _as_text(ply_gaussians.write(state(3, 1)))
    for length in range(0, len(data) - 20, 23):
        with pytest.raises(UserError, match="PLY"):
            ply_gaussians.read(data[:length])
    at = data.index(b"end_header") + 20
    for wrong in (b"x", b"\0", b"\xff", b"-"):
        with pytest.raises(UserError, match="lines of vertex"):
            ply_gaussians.read(data[:at] + b" " + wrong + b" " + data[at:])


@pytest.mark.parametrize("number", ["256", "-1", "nan"])
def test_text_with_numbers_beyond_their_type_is_refused(number: str) -> None:
    head = "ply\nformat ascii 1.0\nelement vertex 2\nproperty uchar red\nend_header\n"
    assert ply.read_element(f"{head}255\n0\n".encode(), "vertex")["red"].tolist() == [255, 0]
    with pytest.raises(UserError, match="red has numbers that are no u1"):
        ply.read_element(f"{head}255\n{number}\n".encode(), "vertex")


def test_the_way_from_another_world_is_the_headers_last_comment() -> None:
    """Readers that count the header's lines expect that of the vertices to be the third."""
    transform = torch.eye(4, dtype=torch.float64)
    transform[:3] = torch.tensor([[0.0, -1 / 3, 0, 1e-7], [1 / 3, 0, 0, -2 / 7], [0, 0, 1 / 3, 1e5]])
    before = state(2, 1) | {"scene_transform": transform}
    data = ply_gaussians.write(before)
    lines = data.split(b"end_header", 1)[0].decode().splitlines()
    assert lines[2] == "element vertex 2" and lines[-1].startswith("comment scene_transform 0.0 -0.33")
    assert torch.equal(ply_gaussians.read(data)["scene_transform"], transform), "to the last bit"
    assert b"comment" not in ply_gaussians.write(before | {"scene_transform": torch.eye(4).double()})


@pytest.mark.parametrize(
    "words",
    [
        "1 0 0 0 0 1 0 0 0 0 1",
        "1 0 0 0 0 1 0 0 0 0 -1 0",
        "1 0 0 nan 0 1 0 0 0 0 1 0",
        "1 0 0 x 0 1 0 0 0 0 1 0",
    ],
)
def test_a_way_that_leads_nowhere_is_refused(words: str) -> None:
    data = ply_gaussians.write(state(2, 1))
    with pytest.raises(UserError, match=r"comment scene_transform has .*; expected"):
        ply_gaussians.read(
            data.replace(b"end_header", f"comment scene_transform {words}\nend_header".encode())
        )


OTHERS = {
    "extra.confidence": torch.tensor([0.5, -2.0, 7.0]),
    "extra.label": torch.tensor([1, 255, 3], dtype=torch.uint8),
    "extra.object.id": torch.tensor([-5, 70000, 3], dtype=torch.int32),
    "extra.train": torch.tensor([1, 2, 1 / 3], dtype=torch.float64),
    "extra.nx": torch.tensor([0.0, 1, 0]),
    "extra.ny": torch.tensor([0.0, 0, 1]),
    "extra.nz": torch.tensor([1.0, 0, 0]),
}
"""Names may be anything, those of attributes and of our own layout included."""


def test_other_properties_come_back_in_their_own_types() -> None:
    before = state(3, 4) | OTHERS
    after = ply_gaussians.read(ply_gaussians.write(before))
    assert set(after) == set(before)
    for name, value in before.items():
        assert after[name].dtype == value.dtype and torch.equal(after[name], value), name


def test_numbers_of_a_type_that_the_format_has_not_are_written_as_doubles() -> None:
    others = {"extra.id": torch.tensor([-5, 1 << 40, 3]), "extra.seen": torch.tensor([True, False, True])}
    after = ply_gaussians.read(ply_gaussians.write(state(3, 1) | others))
    for name, values in others.items():
        assert after[name].dtype == torch.float64 and torch.equal(after[name], values.double()), name


@pytest.mark.parametrize("suffix", [".ply", ".safetensors"])
def test_a_scene_keeps_the_other_properties_of_its_file(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "a.ply").write_bytes(ply_gaussians.write(state(3, 4) | OTHERS))
    files.save(files.load(tmp_path / "a.ply"), tmp_path / f"b{suffix}")
    files.save(files.load(tmp_path / f"b{suffix}"), tmp_path / "c.ply")
    before, after = (ply_gaussians.read((tmp_path / name).read_bytes()) for name in ("a.ply", "c.ply"))
    assert set(after) == set(before) and all(torch.equal(after[name], before[name]) for name in before)
    if suffix == ".ply":
        assert (tmp_path / "c.ply").read_bytes() == (tmp_path / "a.ply").read_bytes()


def test_primitives_that_are_split_pass_their_properties_on() -> None:
    extra = Extra({"label": torch.tensor([4, 5, 6])})
    extra.take(torch.tensor([2, 0, 0]))
    assert extra.state_dict()["label"].tolist() == [6, 4, 4]


@pytest.mark.parametrize("terms", [1, 16])
def test_flat_gaussians_are_surfels_and_come_back_to_the_last_bit(tmp_path: Path, terms: int) -> None:
    before = state(5, terms)
    before["log_scales"] = before["log_scales"][:, :2]
    (tmp_path / "a.ply").write_bytes(ply_gaussians.write(before))
    scene = files.load(tmp_path / "a.ply")
    assert files.kind_of(scene) == "surfels" and b"scale_2" not in (tmp_path / "a.ply").read_bytes()
    files.save(scene, tmp_path / "b.ply")
    assert (tmp_path / "b.ply").read_bytes() == (tmp_path / "a.ply").read_bytes()
    with pytest.raises(UserError, match=r"surfels cannot be saved as \.compressed\.ply; use \.ply or"):
        files.save(scene, tmp_path / "b.compressed.ply")


def test_numbers_that_are_not_finite_come_back_as_they_are() -> None:
    before = state(3, 1)
    before["means"][0] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    after = ply_gaussians.read(ply_gaussians.write(before))
    assert torch.equal(after["means"].view(torch.int32), before["means"].view(torch.int32))


def test_a_file_cut_anywhere_is_refused_in_a_sentence() -> None:
    data = ply_gaussians.write(state(3, 1))
    for length in range(0, len(data), 7):
        with pytest.raises(UserError, match="PLY"):
            ply_gaussians.read(data[:length])


@given(st.binary(max_size=300))
def test_noise_is_refused_and_never_crashes(noise: bytes) -> None:
    for data in (noise, b"ply\n" + noise, ply_gaussians.write(state(1, 1))[:40] + noise):
        with pytest.raises(UserError):
            ply_gaussians.read(data)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b"element vertex 3", b"element vertex 4", "cut short"),
        (b"element vertex 3", b"element vertex 99999999999", "the PLY's header has"),
        (b"element vertex 3", b"element vertex -3", "the PLY's header has"),
        (b"property float x", b"property float y", "comes twice"),
        (b"property float opacity", b"property float other", "lack opacity"),
        (b"property float x", b"property quad x", "the PLY's header has"),
        (b"property float nx", b"property float f_rest_0", "has 1 f_rest properties"),
        (b"property float nx", b"property list uchar int nx", "holds lists"),
        (b"binary_little_endian", b"ascii", "lines of vertex hold"),
        (b"binary_little_endian", b"pdp_endian", "expected binary"),
        (b"format binary_little_endian 1.0\n", b"", "names no format"),
        (b"element vertex", b"element point", "no element vertex"),
    ],
)
def test_a_wrong_header_is_named(old: bytes, new: bytes, sentence: str) -> None:
    data = ply_gaussians.write(state(3, 1))
    assert old in data
    with pytest.raises(UserError, match=sentence):
        ply_gaussians.read(data.replace(old, new, 1))


def test_a_header_has_an_end() -> None:
    with pytest.raises(UserError, match="not a PLY"):
        ply_gaussians.read(b"ply\n" + b"comment x\n" * 10_000 + b"end_header\n")
