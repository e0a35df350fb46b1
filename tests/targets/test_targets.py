"""Targets: their sizes are the published ones, and are known before anything is made."""

from __future__ import annotations

import pytest
import torch

from distill3d import plugins
from distill3d.commands._options import presets
from distill3d.target import Target
from distill3d.targets._field import FieldTarget

PUBLISHED = {"hash_grid": 10.6e6, "vm": 17.4e6, "voxels": 58.7e6, "mlp": 0.44e6}
"""Fang et al. 2023 (arXiv 2211.15977): the parameters of their four architectures."""


def target(kind: str, preset: str) -> Target:
    path = plugins.find("targets", kind, "target", "")
    values = {k: v for k, v in presets(path)[preset].items() if k not in ("steps", "rays", "views")}
    return plugins.load("targets", kind, "target", "")(**values)


@pytest.mark.parametrize("kind", PUBLISHED)
def test_published_sizes_are_those_of_the_paper(kind: str) -> None:
    made = target(kind, "published")
    assert isinstance(made, FieldTarget)
    assert made.parameters() == pytest.approx(PUBLISHED[kind], rel=0.01)


@pytest.mark.parametrize("kind", ["hash_grid", "mlp", "triplane", "vm", "voxels"])
def test_the_parameters_of_a_field_are_counted_without_making_it(kind: str) -> None:
    made = target(kind, "quick")
    assert isinstance(made, FieldTarget)
    fresh = made.fresh(0)
    finest = fresh.state_dict().get("finest", torch.tensor(0))
    counted = sum(parameter.numel() for parameter in fresh.parameters())
    assert made.parameters() >= counted
    assert (made.parameters() == counted) == (kind not in ("triplane", "vm")), int(finest)


@pytest.mark.parametrize("kind", plugins.menu("targets"))
def test_larger_ones_take_more_memory_and_know_which_flag_would_help(kind: str) -> None:
    sizes = [target(kind, preset).bytes() for preset in ("quick", "standard", "published")]
    assert sizes == sorted(sizes)
    assert target(kind, "quick").smaller.startswith("--to.")
