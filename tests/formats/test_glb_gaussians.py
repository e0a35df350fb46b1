"""Gaussians in glTF: they come back, stand where their nodes put them, and show points to other programs."""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given
from torch.testing import assert_close

from distill3d import files
from distill3d.camera import turntable
from distill3d.conversions.moved import moved, turn
from distill3d.errors import UserError
from distill3d.formats import glb, glb_gaussians
from distill3d.representations.gaussians import Gaussians
from tests.commands.test_frames import similarity
from tests.formats.damage import DAMAGE, QUICK, THOROUGH, damaged, survives
from tests.formats.test_gaussian_formats import state, within

NAME = "KHR_gaussian_splatting"
EXACT = (1e-6, 1e-3, 1e-5, 1e-6, 1e-5, 1e-5)


def rebuilt(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file with its JSON changed in place."""
    content, binary = glb.checked(data, (NAME,))
    change(content)
    return glb.joined(content, binary)


@pytest.mark.parametrize("terms", [1, 4, 9, 16])
def test_what_is_written_comes_back(terms: int) -> None:
    before = state(50, terms)
    after, placed = glb_gaussians.read(glb_gaussians.write(before))
    within(before, after, EXACT)
    assert torch.equal(after["means"], before["means"]) and torch.equal(after["sh"], before["sh"])
    assert torch.equal(placed, torch.eye(4).double())


@pytest.mark.parametrize("opacity", [0.0, 1.0])
def test_what_is_opaque_or_not_there_has_a_logit_to_go_on_from(opacity: float) -> None:
    data = glb_gaussians.write(state(5) | {"opacity_logits": torch.full((5,), 100 * (2 * opacity - 1))})
    logits = glb_gaussians.read(data)[0]["opacity_logits"]
    assert logits.isfinite().all() and (logits.sigmoid() - opacity).abs().max() < 1e-6


def test_a_scene_is_turned_for_gltf_and_back(tmp_path: Path) -> None:
    """What points up along +z here does along +y there, as a mesh in the same format; colours turn too."""
    scene = Gaussians(*state(60).values())
    scene.scene_transform.copy_(similarity())
    files.save(scene, tmp_path / "a.gaussians.glb")
    there, _ = glb_gaussians.read((tmp_path / "a.gaussians.glb").read_bytes())
    assert_close(there["means"], scene.means.detach()[:, [1, 2, 0]])
    back = files.load(tmp_path / "a.gaussians.glb")
    assert isinstance(back, Gaussians) and torch.equal(back.scene_transform, similarity())
    cameras = turntable(3, width=40, height=40)
    with torch.no_grad():
        seen, expected = (shown.render(cameras).rgb for shown in (back, scene))
    assert expected.std() > 0.05
    assert_close(seen, expected, rtol=0, atol=2e-3)


def test_nodes_move_gaussians_with_their_colours(tmp_path: Path) -> None:
    """A scaled and turned node, in one that is shifted by a matrix."""
    half = math.sqrt(0.5)

    def nest(content: dict[str, Any]) -> None:
        shift = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0.5, -1.0, 2.0, 1]
        inner = {"mesh": 0, "rotation": [half, 0, 0, half], "scale": [2, 2, 2]}
        content["nodes"] = [{"children": [1], "matrix": shift}, inner]

    before = state(40)
    (tmp_path / "a.glb").write_bytes(rebuilt(glb_gaussians.write(before), nest))
    found = files.load(tmp_path / "a.glb")
    matrix = torch.tensor([[2.0, 0, 0, 0.5], [0, 0, -2, -1], [0, 2, 0, 2], [0, 0, 0, 1]]).double()
    expected = moved(Gaussians(*before.values()), turn("y-up", "z-up") @ matrix)
    one, other = (scene.state_dict() for scene in (expected, found))
    within(one, other, (1e-5, 1e-3, 1e-5, 1e-6, 1e-5, 1e-5))


def by_hand(scales: np.ndarray, kind: int) -> bytes:
    """One half opaque Gaussian in whole numbers, interleaved: 24 bytes of places and 12 of the rest."""
    row = struct.pack("<3f", 1, 2, 3) + struct.pack("<4bBxxx3b", 0, 0, 127, 0, 128, *scales.tolist()) + b"\0"
    colour = struct.pack("<3f", 0.5, 0, -0.5)
    names = ["POSITION", f"{NAME}:ROTATION", f"{NAME}:OPACITY", f"{NAME}:SCALE", f"{NAME}:SH_DEGREE_0_COEF_0"]
    accessors = [
        {"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": 1},
        {"bufferView": 0, "byteOffset": 12, "componentType": 5120, "type": "VEC4", "count": 1},
        {"bufferView": 0, "byteOffset": 16, "componentType": 5121, "type": "SCALAR", "count": 1},
        {"bufferView": 0, "byteOffset": 20, "componentType": kind, "type": "VEC3", "count": 1},
        {"bufferView": 1, "componentType": 5126, "type": "VEC3", "count": 1},
    ]
    for i in (1, 2):
        accessors[i]["normalized"] = True
    primitive = {"attributes": {name: i for i, name in enumerate(names)}, "mode": 0}
    return glb.joined(
        {
            "asset": {"version": "2.0"},
            "extensionsUsed": [NAME],
            "extensionsRequired": [NAME],
            "meshes": [{"primitives": [{**primitive, "extensions": {NAME: {"kernel": "ellipse"}}}]}],
            "accessors": accessors,
            "bufferViews": [
                {"buffer": 0, "byteLength": 24, "byteStride": 24},
                {"buffer": 0, "byteOffset": 24, "byteLength": 12},
            ],
            "buffers": [{"byteLength": 36}],
        },
        row + colour,
    )


@pytest.mark.parametrize(("scales", "logs"), [([2, 3, 4], np.log([2, 3, 4])), ([-2, -3, 0], [-2, -3, 0])])
def test_a_file_made_by_hand_means_what_its_bytes_say(scales: list[int], logs: Any) -> None:
    """Scales are sizes; in files of the extension's drafts logarithms, which are known by being negative."""
    found, _ = glb_gaussians.read(by_hand(np.array(scales), 5120))
    assert_close(found["means"], torch.tensor([[1.0, 2, 3]]))
    assert_close(found["wxyz"], torch.tensor([[0.0, 0, 0, 1]]))
    assert_close(found["opacity_logits"].sigmoid(), torch.tensor([128 / 255]))
    assert_close(found["log_scales"], torch.tensor(np.array([logs]), dtype=torch.float32))
    assert_close(found["sh"], torch.tensor([[[0.5, 0, -0.5]]]))


def test_programs_without_the_extension_see_coloured_points() -> None:
    before = state(30)
    data = glb_gaussians.write(before)
    (cloud,) = trimesh.load_scene(io.BytesIO(data), file_type="glb", process=False).geometry.values()
    assert np.allclose(cloud.vertices, before["means"])
    colours = (0.5 + 0.28209479 * before["sh"][:, 0].numpy()).clip(0, 1)
    assert np.abs(cloud.colors[:, :3] / 255 - colours).max() <= 0.51 / 255


# What is refused


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c["meshes"].append(c["meshes"][0]), "2 primitives of Gaussians; expected one"),
        (lambda c: c["nodes"].append({"mesh": 0}), "draws its Gaussians 2 times"),
        (lambda c: c["nodes"][0].update(children=[0]), "a node within itself"),
        (lambda c: c["nodes"][0].update(scale=[1, 2, 1]), "expected a rotation times a positive scale"),
        (lambda c: c["nodes"][0].update(rotation=[1, 2]), "makes no sense"),
        (lambda c: c["accessors"][2].update(count=10**9), "the GLB's accessors need"),
        (lambda c: c["accessors"][3].update(type="VEC4"), "SCALE is .* expected"),
        (lambda c: c["extensionsUsed"].append("x") or c.update(extensionsRequired=["x"]), "the GLB needs x"),
        (
            lambda c: c["meshes"][0]["primitives"][0]["attributes"].pop(f"{NAME}:SCALE"),
            "lack SCALE; expected those",
        ),
        (
            lambda c: c["meshes"][0]["primitives"][0]["attributes"].pop(f"{NAME}:SH_DEGREE_2_COEF_1"),
            "have 15 harmonics",
        ),
        (
            lambda c: c["meshes"][0]["primitives"][0]["extensions"][NAME].update(
                colorSpace="lin_rec709_display"
            ),
            "colours in lin_rec709_display; expected srgb",
        ),
    ],
)
def test_what_makes_no_gaussians_is_a_sentence(tmp_path: Path, change: Any, reason: str) -> None:
    (tmp_path / "a.glb").write_bytes(rebuilt(glb_gaussians.write(state(20)), change))
    with pytest.raises(UserError, match=reason) as raised:
        files.load(tmp_path / "a.glb")
    assert "\n" not in str(raised.value)


def test_nothing_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without Gaussians"):
        glb_gaussians.write(state(0))


SMALL = glb_gaussians.write(state(20, 4))


@QUICK
@given(*DAMAGE)
def test_a_damaged_file_is_a_sentence(places, cut, swap):
    survives(glb_gaussians.read, damaged(SMALL, places, cut, swap))


@pytest.mark.slow
@THOROUGH
@given(*DAMAGE)
def test_two_thousand_damaged_files_are_sentences(places, cut, swap):
    survives(glb_gaussians.read, damaged(SMALL, places, cut, swap))


@QUICK
@given(*DAMAGE)
def test_damaged_json_is_a_sentence(places, cut, swap):
    """The same with the container whole, so that more of it is looked into."""
    content, binary = glb.checked(SMALL, (NAME,))
    text = damaged(json.dumps(content).encode(), places, 1.0, False)
    text += b" " * (-len(text) % 4)
    chunks = (
        struct.pack("<II", len(text), glb.JSON) + text + struct.pack("<II", len(binary), glb.BIN) + binary
    )
    survives(glb_gaussians.read, glb.MAGIC + struct.pack("<II", 2, 12 + len(chunks)) + chunks)
