"""A long day in short: thousands of pages that come and go, and a wire that is never what one waits for."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest
import torch

from distill3d.camera import Cameras
from distill3d.rendering import Rendering
from distill3d.scene import Scene
from distill3d.viewer.showing import show
from tests.viewer.conftest import Serve, camera_json, talking

SIDE = 512


class Trivial(Scene):
    """A picture that costs nothing: what is left is packing and the wire."""

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        across = torch.linspace(0, 1, side).expand(1, side, side)[..., None]
        alpha = torch.ones(1, side, side, 1)
        colours = torch.cat([across, across.transpose(1, 2), alpha / 2], -1)
        self.picture = Rendering(colours, alpha, 3 + across)

    def render(self, cameras: Cameras, *, want: object = ()) -> Rendering:
        return self.picture


def frames_per_second(serve: Serve, scenes: dict[str, Path], *, depth: bool, count: int) -> float:
    """Of a page that asks for the next frame as soon as it has one; the best of five stretches."""
    server = serve(scenes["ball"])
    server.stage.exchange(0, show(Trivial()), None)
    best = 0.0
    with talking(server) as talk:
        talk.hello(server.token)
        request = {"camera": camera_json(SIDE, SIDE), "moving": True, "depth": depth}
        for _ in range(2):  # the first frame of an unknown scene is a coarse one
            talk.ask_frame(**request)
            talk.hear_bytes()
        for _ in range(5):
            begun = time.perf_counter()
            for _ in range(count // 5):
                talk.ask_frame(**request)
                header, _ = talk.hear_bytes()
                assert (header.width, header.height, header.has_depth) == (SIDE, SIDE, int(depth))
            best = max(best, count / 5 / (time.perf_counter() - begun))
    return best


def test_frames_come_one_after_the_other_even_when_the_machine_is_busy(
    serve: Serve, scenes: dict[str, Path]
) -> None:
    assert frames_per_second(serve, scenes, depth=False, count=25) > 5


@pytest.mark.slow
def test_the_wire_carries_50_frames_of_512_px_in_a_second(serve: Serve, scenes: dict[str, Path]) -> None:
    plain = frames_per_second(serve, scenes, depth=False, count=250)
    deep = frames_per_second(serve, scenes, depth=True, count=250)
    print(f"\n{plain:.0f} frames/s of {SIDE} x {SIDE}, {deep:.0f} with depth")
    assert plain > 50


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_pages_that_come_and_go_and_20000_frames_leave_nothing_behind(
    serve: Serve, scenes: dict[str, Path]
) -> None:
    """2,000 pages with ten frames each; memory may grow at first, not after."""
    server = serve(scenes["ball"])
    server.stage.exchange(0, show(Trivial(32)), None)
    used = []
    for number in range(2000):
        with talking(server) as talk:
            talk.hello(server.token)
            for _ in range(10):
                talk.ask_frame(camera=camera_json(32, 32), moving=True)
                talk.hear_bytes()
        if number % 500 == 499:
            used.append(memory_mb())
    print(f"\nmemory after each 500 pages: {used}")
    assert used[-1] - used[0] < 40


def memory_mb() -> float:
    """Of this process, at this moment."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 1e6, 1)
