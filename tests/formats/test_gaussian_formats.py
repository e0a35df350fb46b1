"""The small forms of Gaussians: what is read is within a quantiser's step of what was written."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import zstandard
from hypothesis import given
from torch import Tensor
from torch.testing import assert_close

from distill3d import files
from distill3d.errors import UserError
from distill3d.formats import checkpoint_gaussians, ply_compressed, ply_gaussians, sog, splat, spz
from distill3d.rotation import matrix_from_wxyz
from distill3d.sh import radiance
from tests.formats.damage import DAMAGE, QUICK, THOROUGH, damaged, survives

FORMATS = {"spz": spz, "compressed.ply": ply_compressed, "sog": sog, "splat": splat}


def state(count: int, terms: int = 16, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator)

    return {
        "means": normal(3),
        "wxyz": torch.nn.functional.normalize(normal(4), dim=-1),
        "log_scales": normal(3) - 3,
        "opacity_logits": 2 * normal(),
        "sh": 0.2 * normal(terms, 3),
    }


def matched(before: dict[str, Tensor], after: dict[str, Tensor]) -> dict[str, Tensor]:
    """`after` in the order of `before`, by the nearest centre."""
    nearest = torch.cdist(before["means"].double(), after["means"].double()).argmin(1)
    assert len(set(nearest.tolist())) == len(nearest), "each Gaussian comes back once"
    return {name: value[nearest] for name, value in after.items()}


Steps = tuple[float, float, float, float, float, float | None]
STEPS: dict[
    str, Steps
] = {  # centre, angle of the rotation in radians, log scale, opacity, degree 0, higher degrees
    "spz": (2e-4, 5e-3, 0.032, 0.003, 0.014, 0.07),
    "compressed.ply": (6e-3, 6e-3, 0.005, 0.003, 0.008, 0.017),
    "sog": (1e-3, 0.02, 0.05, 0.003, 0.05, None),
    "splat": (0.0, 0.03, 1e-6, 0.003, 0.008, None),
}


@pytest.mark.parametrize("terms", [1, 4, 9, 16])
@pytest.mark.parametrize("name", FORMATS)
def test_what_comes_back_is_within_the_quantisers_step(name, terms):
    before = state(700, terms)
    after = matched(before, FORMATS[name].read(FORMATS[name].write(before)))
    within(before, after, STEPS[name])
    if name != "splat":
        assert after["sh"].shape[1] == terms


def within(before: dict[str, Tensor], after: dict[str, Tensor], steps: Steps) -> None:
    """Assert that nothing has changed by more than its step."""
    centre, angle, scale, opacity, dc, rest = steps
    assert (after["means"] - before["means"]).abs().max() <= centre + 1e-6
    one, other = (matrix_from_wxyz(s["wxyz"]).double() for s in (before, after))
    # ‖A − B‖² = 8 sin²(θ / 2), which tells small angles better than the trace does
    assert ((one - other).flatten(1).norm(dim=1) / 8**0.5).clamp_max(1).asin().max() * 2 <= angle
    assert (after["log_scales"] - before["log_scales"]).abs().max() <= scale
    assert (after["opacity_logits"].sigmoid() - before["opacity_logits"].sigmoid()).abs().max() <= opacity
    assert (after["sh"][:, 0] - before["sh"][:, 0]).abs().max() <= dc
    if rest is not None and before["sh"].shape[1] > 1:
        assert (after["sh"][:, 1:] - before["sh"][:, 1:]).abs().max() <= rest


def test_a_palette_keeps_what_coefficients_have_in_common():
    """Gaussians of forty looks have forty different coefficients, which a palette holds."""
    before = state(2000)
    looks = state(40, seed=1)["sh"]
    before["sh"][:, 1:] = looks[torch.arange(2000) % 40, 1:]
    after = matched(before, sog.read(sog.write(before)))
    assert (after["sh"][:, 1:] - before["sh"][:, 1:]).abs().mean() < 0.01


@pytest.mark.parametrize("name", FORMATS)
def test_reading_and_writing_again_loses_nothing_more(name):
    once = FORMATS[name].read(FORMATS[name].write(state(300)))
    twice = matched(once, FORMATS[name].read(FORMATS[name].write(once)))
    assert (once["means"] - twice["means"]).abs().max() < 1e-2 * STEPS[name][0] + 1e-3
    assert_close(once["opacity_logits"], twice["opacity_logits"], rtol=1e-3, atol=1e-3)


@pytest.mark.filterwarnings("ignore::distill3d.errors.Lost")
@pytest.mark.parametrize("name", FORMATS)
def test_files_are_told_from_their_bytes_and_names(name, tmp_path: Path):
    from distill3d.representations.gaussians import Gaussians

    scene = Gaussians(**state(20))
    files.save(scene, tmp_path / f"a.{name}")
    assert_close(
        matched(state(20), dict(files.load(tmp_path / f"a.{name}").named_parameters()))["means"],
        scene.means,
        rtol=0,
        atol=7e-3,
    )


@pytest.mark.parametrize("name", ["spz", "compressed.ply", "splat"])
def test_no_gaussians_are_a_file_or_a_sentence(name):
    try:
        assert len(FORMATS[name].read(FORMATS[name].write(state(0)))["means"]) == 0
    except UserError as error:
        assert "bytes" in str(error)


# SPZ


def test_half_a_turn_around_x_is_what_spz_does_to_the_axes():
    directions = torch.nn.functional.normalize(torch.randn(50, 3), dim=-1)
    sh = torch.randn(50, 16, 3)
    turned = sh.clone()
    turned[:, 1:] *= torch.from_numpy(spz.TURN_SH)[:, None]
    flip = torch.from_numpy(spz.TURN_MEANS)
    assert_close(radiance(turned, directions * flip), radiance(sh, directions), rtol=1e-4, atol=1e-5)
    wxyz = torch.nn.functional.normalize(torch.randn(50, 4), dim=-1)
    half_turn = torch.diag(flip)
    assert_close(
        matrix_from_wxyz(wxyz * torch.from_numpy(spz.TURN_WXYZ)),
        half_turn @ matrix_from_wxyz(wxyz) @ half_turn,
        rtol=1e-5,
        atol=1e-5,
    )


def by_hand(version: int) -> bytes:
    """One Gaussian at (1, -2, 0.5) in the file's axes, opaque by half, grey, of size e^-4, not turned."""
    position = b"".join(int(v * 4096).to_bytes(3, "little", signed=True) for v in (1.0, -2.0, 0.5))
    if version == 1:
        position = np.array([1.0, -2.0, 0.5], "<f2").tobytes()
    rotation = struct.pack("<I", 3 << 30) if version >= 3 else bytes([128, 128, 128])
    streams = [position, bytes([128]), bytes([128] * 3), bytes([96] * 3), rotation, b""]
    if version < 4:
        return zlib.compress(spz.HEADER.pack(b"NGSP", version, 1, 0, 12, 0, 0) + b"".join(streams), wbits=31)
    packed = [zstandard.ZstdCompressor().compress(s) if s else b"" for s in streams]
    table = b"".join(struct.pack("<QQ", len(p), len(s)) for p, s in zip(packed, streams, strict=True))
    head = spz.HEADER.pack(b"NGSP", 4, 1, 0, 12, 0, 6) + struct.pack("<I", 32) + bytes(12)
    return head + table + b"".join(packed)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_an_spz_made_by_hand_means_what_its_bytes_say(version):
    found = spz.read(by_hand(version))
    assert_close(found["means"], torch.tensor([[1.0, 2.0, -0.5]]))
    assert_close(found["log_scales"], torch.full((1, 3), -4.0))
    assert_close(found["opacity_logits"].sigmoid(), torch.tensor([128 / 255]))
    assert_close(found["sh"], torch.zeros(1, 1, 3), rtol=0, atol=0.014)
    assert_close(found["wxyz"], torch.tensor([[1.0, 0, 0, 0]]), rtol=0, atol=0.01)


def test_a_centre_too_far_for_spz_is_refused():
    far = state(3)
    far["means"][1] = 5000.0
    with pytest.raises(UserError, match="2048"):
        spz.write(far)


def test_a_gzip_bomb_is_not_unpacked():
    head = spz.HEADER.pack(b"NGSP", 3, 1, 0, 12, 0, 0)
    bomb = zlib.compress(head + bytes(50_000_000), wbits=31)
    assert len(spz._gunzip(bomb)) < 1000


def test_a_zstandard_stream_is_not_believed_about_its_size():
    """One byte of the frame's header says 3.8e18 bytes of content."""
    data = bytearray(by_hand(4))
    table = 32
    first = table + 6 * 16
    tracemalloc.start()
    for place in range(first + 4, first + 14):
        damaged = data[:place] + bytes([224]) + data[place + 1 :]
        with contextlib.suppress(UserError):
            spz.read(bytes(damaged))
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


# SOG


def test_a_picture_larger_than_its_gaussians_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sog.write(state(40)))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(
                name, content.replace(b'"count": 40', b'"count": 4000000') if name == "meta.json" else content
            )
    with pytest.raises(UserError, match="SOG"):
        sog.read(buffer.getvalue())


def test_names_in_a_sog_open_nothing_outside_of_it(tmp_path: Path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sog.write(state(40)))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"quats.webp", b"../../../etc/passwd"))
    with pytest.raises(UserError, match="damaged"):
        sog.read(buffer.getvalue())


# Checkpoints


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def gsplat(values: dict[str, Tensor]) -> dict:
    names = {"means": "means", "quats": "wxyz", "scales": "log_scales", "opacities": "opacity_logits"}
    splats = {theirs: values[ours] for theirs, ours in names.items()}
    return {"step": 7, "splats": {**splats, "sh0": values["sh"][:, :1], "shN": values["sh"][:, 1:]}}


def splatfacto(values: dict[str, Tensor], prefix: str) -> dict:
    splats = gsplat(values)["splats"]
    splats["features_dc"], splats["features_rest"] = splats.pop("sh0")[:, 0], splats.pop("shN")
    splats["opacities"] = splats["opacities"][:, None]
    return {"step": 7, "pipeline": {f"{prefix}{name}": value for name, value in splats.items()}}


@pytest.mark.parametrize(
    "make", [gsplat, lambda v: splatfacto(v, "_model.gauss_params."), lambda v: splatfacto(v, "_model.")]
)
def test_checkpoints_of_other_trainers_come_back_exactly(make):
    before = state(30)
    after = checkpoint_gaussians.read(saved(make(before)))
    for name, value in before.items():
        assert torch.equal(after[name], value), name


@pytest.mark.parametrize("terms", [1, 4, 16])
@pytest.mark.parametrize(
    ("write", "like"),
    [
        (checkpoint_gaussians.write_gsplat, gsplat),
        (checkpoint_gaussians.write_splatfacto, lambda v: splatfacto(v, "_model.gauss_params.")),
    ],
)
def test_checkpoints_for_other_trainers_are_laid_out_as_theirs(write, like, terms):
    before = state(30, terms)
    data = write(before)
    content, expected = torch.load(io.BytesIO(data), weights_only=True), like(before)
    assert content.keys() == expected.keys()
    (name,) = content.keys() - {"step"}
    assert content[name].keys() == expected[name].keys()
    for key, value in expected[name].items():
        assert torch.equal(content[name][key], value), key
    after = checkpoint_gaussians.read(data)
    assert all(torch.equal(after[name], value) for name, value in before.items())


class Evil:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    "content", [{"splats": {}}, {"pipeline": {}}, [1, 2], {"splats": {"means": 3}}, Evil()]
)
def test_other_checkpoints_are_refused_and_never_run(content, capsys):
    with pytest.raises(UserError):
        checkpoint_gaussians.read(saved(content))
    assert capsys.readouterr().out == ""


# Damage

READERS = {
    "spz": (spz.read, spz.write(state(20))),
    "spz version 4": (spz.read, by_hand(4)),
    "compressed.ply": (ply_compressed.read, ply_compressed.write(state(20))),
    "ply": (ply_gaussians.read, ply_gaussians.write(state(20))),
    "sog": (sog.read, sog.write(state(20))),
    "splat": (splat.read, splat.write(state(20))),
    "checkpoint": (checkpoint_gaussians.read, saved(gsplat(state(20)))),
}


def read_whole(name: str, data: bytes) -> None:
    found = READERS[name][0](data)
    count = len(found["means"])
    assert count <= 20 * 64 and all(len(value) == count for value in found.values())


@pytest.mark.parametrize("name", READERS)
@QUICK
@given(*DAMAGE)
def test_a_damaged_file_is_a_sentence(name, places, cut, swap):
    survives(lambda data: read_whole(name, data), damaged(READERS[name][1], places, cut, swap))


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
@THOROUGH
@given(*DAMAGE)
def test_two_thousand_damaged_files_are_sentences(name, places, cut, swap):
    survives(lambda data: read_whole(name, data), damaged(READERS[name][1], places, cut, swap))
