"""What is lost whatever is learned: a sentence for each thing, and none where nothing is."""

from __future__ import annotations

import pytest
import torch

from distill3d.conversions.beyond import ANY_DEGREE, beyond, degree
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.hash_grid import HashGrid
from distill3d.representations.surfels import Surfels
from distill3d.representations.voxels import Voxels
from distill3d.scene import Scene
from tests.conversions.test_centred import box
from tests.conversions.test_framing import gaussians, spread
from tests.conversions.test_moved import scene

FOLLOWS = HashGrid.start(levels=2, log2_entries=6, finest=16, width=8, samples=8, directional=True)
PLAIN = HashGrid.start(levels=2, log2_entries=6, finest=16, width=8, samples=8)
DEGREES: list[tuple[Scene, int]] = [
    (scene(Gaussians), 3),
    (scene(Surfels), 3),
    (gaussians(spread(30, 0.5)), 0),
    (Voxels.start(resolution=4, degree=2), 2),
    (Voxels.start(resolution=4), 0),
    (FOLLOWS, ANY_DEGREE),
    (PLAIN, 0),
    (box(), 0),
]


@pytest.mark.parametrize(("some", "expected"), DEGREES)
def test_degrees_are_those_of_the_colours(some: Scene, expected: int) -> None:
    assert degree(some) == expected


@pytest.mark.parametrize("source", range(len(DEGREES)))
@pytest.mark.parametrize("target", range(len(DEGREES)))
def test_there_is_a_sentence_where_and_only_where_the_degree_falls(source: int, target: int) -> None:
    (had, more), (held, less) = DEGREES[source], DEGREES[target]
    inside = isinstance(had, (Gaussians, Surfels)) and more == 3
    said = [] if inside else list(beyond(had, held))
    if inside:
        state = had.state_dict()
        state["means"] = 0.5 * torch.nn.functional.normalize(state["means"], dim=1)
        said = list(beyond(type(had).from_state(state), held))
    assert len(said) == (less < more)
    if said:
        assert ("freely" in said[0]) == (more == ANY_DEGREE)
        assert ("cannot at all" in said[0]) == (less == 0)
        assert (f"degree {less} only" in said[0]) == (less > 0)


def test_splats_that_are_left_out_are_counted() -> None:
    source = gaussians(torch.cat([spread(300, 2.0, (40.0, 0.0, 0.0)), spread(5, 5000.0)]))
    (said,) = beyond(source, box())
    assert said.startswith("5 splats far from all others")
