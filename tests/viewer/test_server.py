"""The server: what it tells a page, what it renders for it, and in which order."""

from __future__ import annotations

import io
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from websockets.exceptions import ConnectionClosed

from distill3d import files
from distill3d.formats import ply_gaussians
from distill3d.viewer import headers
from distill3d.viewer.server import Server
from distill3d.viewer.sources import set_stage
from tests.viewer.conftest import PATIENCE_S, Serve, Talk, camera, camera_json, stand_in, talking


def _get(server, path: str) -> bytes:
    return urllib.request.urlopen(server.address + path, timeout=PATIENCE_S).read()


def test_the_page_is_told_of_every_scene(serve: Serve, scenes: dict[str, Path]) -> None:
    server = serve(*scenes.values())
    with talking(server) as talk:
        welcome = talk.hello(server.token)
    assert welcome["type"] == "welcome" and not welcome["control"]
    layers = {layer["name"]: layer for layer in welcome["layers"]}
    assert {n: (v["kind"], v["shown"], v["format"]) for n, v in layers.items()} == {
        "ball.ply": ("gaussians", "splats", "ply"),
        "field.safetensors": ("voxels", "frames", None),
        "mesh.glb": ("mesh", "mesh", "glb"),
    }
    assert layers["ball.ply"]["primitives"] == 300
    assert layers["field.safetensors"]["asset"] is None
    assert [layer["id"] for layer in welcome["layers"]] == [0, 1, 2]


def test_what_the_page_draws_is_the_scene_less_its_offset(serve: Serve, scenes: dict[str, Path]) -> None:
    server = serve(scenes["ball"])
    with talking(server) as talk:
        (layer,) = talk.hello(server.token)["layers"]
    state = ply_gaussians.read(_get(server, f"asset/{layer['asset']}"))
    scene = files.load(scenes["ball"])
    assert isinstance(scene.means, torch.Tensor)
    assert torch.allclose(state["means"] + torch.tensor(layer["offset"]), scene.means, atol=1e-6)
    assert torch.equal(state["sh"], scene.sh)  # type: ignore[arg-type]


def test_a_frame_is_the_scenes_own_rendering(serve: Serve, scenes: dict[str, Path]) -> None:
    server = serve(scenes["ball"])
    with talking(server) as talk:
        talk.hello(server.token)
        seq = talk.ask_frame(exact=True)
        header, payload = talk.hear_bytes()
    shot = files.load(scenes["ball"]).render(camera(), want={"rgb", "alpha", "depth"})[0].detach()
    assert (header.seq, header.width, header.height, header.last) == (seq, 96, 64, 1)
    picture = np.asarray(Image.open(io.BytesIO(payload[: header.colour_bytes])))
    assert np.abs(picture - 255 * shot.rgb.numpy().clip(0, 1)).max() <= 0.51
    alpha = np.frombuffer(payload, np.uint8, 96 * 64, header.colour_bytes).reshape(64, 96)
    assert np.abs(alpha - 255 * shot.alpha[..., 0].numpy()).max() <= 0.51
    depth = np.frombuffer(payload, "<u2", 96 * 64, header.colour_bytes + 96 * 64).reshape(64, 96)
    inverse = 1 / header.far + (depth - 1.0) / 65534 * (1 / header.near - 1 / header.far)
    truth = shot.mean_depth()[..., 0].numpy()
    assert ((depth > 0) == (shot.alpha[..., 0].numpy() > 0.05)).all()
    assert np.abs(1 / inverse[depth > 0] - truth[depth > 0]).max() < 2e-4
    assert len(payload) == header.colour_bytes + 3 * 96 * 64


def test_a_camera_at_rest_gets_finer_and_finer_frames(serve: Serve, scenes: dict[str, Path]) -> None:
    server = serve(scenes["ball"])
    with talking(server) as talk:
        talk.hello(server.token)
        talk.ask_frame(camera=camera_json(400, 200), depth=False)
        widths, last = [], 0
        while not last:
            header, _ = talk.hear_bytes()
            widths.append(header.width)
            last = header.last
    assert widths == sorted(widths) and len(set(widths)) == len(widths)
    assert widths[0] < 400 and widths[-1] == 400


def test_a_newer_request_replaces_the_one_that_waits(serve: Serve, scenes: dict[str, Path]) -> None:
    server = serve(scenes["ball"])
    with talking(server) as talk:
        talk.hello(server.token)
        seqs = [talk.ask_frame(moving=True) for _ in range(40)]
        other = talk.ask_frame(pane=1, moving=True)
        answered = []
        while seqs[-1] not in answered or other not in answered:
            answered.append(talk.hear_bytes()[0].seq)
    assert answered == sorted(answered, key=answered.index)
    assert len(answered) < 41


@pytest.mark.parametrize("channel", ["depth", "normal", "alpha", "contributions"])
def test_other_channels_are_pictures_too(serve: Serve, scenes: dict[str, Path], channel: str) -> None:
    server = serve(scenes["ball"])
    with talking(server) as talk:
        talk.hello(server.token)
        talk.ask_frame(channel=channel, exact=True, depth=False)
        header, payload = talk.hear_bytes()
    picture = np.asarray(Image.open(io.BytesIO(payload[: header.colour_bytes])))
    assert not header.has_depth and picture.std() > 10


def test_a_scene_does_not_differ_from_itself(serve: Serve, scenes: dict[str, Path]) -> None:
    server = serve(scenes["ball"], scenes["mesh"])
    with talking(server) as talk:
        talk.hello(server.token)
        for other, same in ((0, True), (1, False)):
            request = {"layer": 0, "other": other, "camera": camera_json(), "background": [1.0, 1.0, 1.0]}
            seq = talk.ask("request_difference", **request)
            scores = talk.hear_of("scores", "problem")
            header, _ = talk.hear_bytes()
            assert (header.kind, header.seq, scores["seq"]) == (headers.DIFFERENCE, seq, seq)
            assert (scores["psnr"] is None) == same
            assert (scores["ssim"] > 0.9999) == same
            assert (scores["largest"] == 0) == same


def test_properties_are_those_of_the_primitives_in_order(serve: Serve, scenes: dict[str, Path]) -> None:
    server = serve(scenes["ball"])
    scene = files.load(scenes["ball"])
    with talking(server) as talk:
        (layer,) = talk.hello(server.token)["layers"]
        heard = {}
        for each in layer["properties"]:
            talk.ask("request_property", layer=0, name=each["name"])
            header, payload = talk.hear_bytes()
            heard[each["name"]] = (header, payload)
            assert header.count == 300
            assert len(payload) == 300 * (3 if each["kind"] == "colour" else 4)
    opacity = np.frombuffer(heard["opacity"][1], np.float32)
    assert np.allclose(opacity, scene.opacity_logits.sigmoid().detach())  # type: ignore[union-attr]


def test_what_is_under_the_cursor_lies_on_the_ray_through_it(serve: Serve, scenes: dict[str, Path]) -> None:
    server = serve(scenes["ball"], scenes["mesh"], scenes["field"])
    with talking(server) as talk:
        talk.hello(server.token)
        for layer, at in ((0, (50.2, 30.7)), (1, (40.9, 33.0))):
            talk.ask("request_pick", layer=layer, camera=camera_json(), x_px=at[0], y_px=at[1])
            picked = talk.hear_of("picked", "problem")
            point = torch.tensor([*picked["point"], 1.0])
            seen = (camera().world_to_camera[0] @ point)[:3]
            fx, fy, cx, cy = camera().intrinsics[0].tolist()
            x, y = fx * seen[0] / seen[2] + cx, fy * seen[1] / seen[2] + cy
            assert abs(x - int(at[0]) - 0.5) < 1e-2 and abs(y - int(at[1]) - 0.5) < 1e-2
            assert picked["primitive"] is not None and picked["facts"]
        talk.ask("request_pick", layer=0, camera=camera_json(), x_px=0.5, y_px=0.5)
        assert talk.hear_of("picked")["primitive"] is None


BAD = {
    "no such layer": {"layer": 7},
    "a mirror": {"camera": {"world_to_camera": [-1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 0, 0, 0, 1]}},
    "too large": {"camera": {"width": 100000}},
    "no lens": {"camera": {"fx_px": 0.0}},
    "twelve numbers": {"camera": {"world_to_camera": [0.0] * 12}},
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_rendered_is_a_sentence_and_the_server_lives_on(
    serve: Serve, scenes: dict[str, Path], name: str
) -> None:
    server = serve(scenes["ball"])
    changes = dict(BAD[name])
    if "camera" in changes:
        changes["camera"] = camera_json() | changes["camera"]
    with talking(server) as talk:
        talk.hello(server.token)
        seq = talk.ask_frame(**changes)
        problem = talk.hear_of("problem")
        assert problem["seq"] == seq and "expected" in problem["sentence"]
        assert_alive(talk)


def assert_alive(talk: Talk) -> None:
    seq = talk.ask_frame(moving=True)
    assert talk.hear_bytes()[0].seq == seq


def test_two_pages_are_answered_side_by_side(serve: Serve, scenes: dict[str, Path]) -> None:
    server = serve(scenes["ball"])
    with talking(server) as one, talking(server) as two:
        one.hello(server.token)
        two.hello(server.token)
        one.ask_frame(moving=True)
        two.ask_frame(moving=True)
        assert one.hear_bytes()[0].width and two.hear_bytes()[0].width


def test_a_server_that_ends_says_so_to_those_it_has_let_in(scenes: dict[str, Path], tmp_path: Path) -> None:
    running = Server(set_stage([scenes["ball"]]), static=stand_in(tmp_path)).running()
    server = running.__enter__()
    with talking(server) as talk, talking(server) as stranger:
        assert talk.hello(server.token)["again"] == f"distill3d view {scenes['ball']}"
        running.__exit__(None, None, None)
        assert "ended" in talk.hear_of("goodbye")["sentence"]
        with pytest.raises(ConnectionClosed):
            stranger.hear()
