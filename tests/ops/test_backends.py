"""A backend is chosen in one place, and what cannot be used says why."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from distill3d.ops import backends
from distill3d.ops.splat import splat
from tests.ops.scenes import gaussians, views

REPORT = (
    "from distill3d.ops import _library, backends; print(backends.backends()['cpu']); print(_library.isa())"
)


def with_isa(isa: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", REPORT],
        env={**os.environ, "DISTILL3D_ISA": isa},
        capture_output=True,
        text=True,
    )


def test_cpu_tensors_go_to_the_kernels_unless_another_backend_is_named():
    assert backends.choose("splat", torch.zeros(1)) == "cpu"
    with backends.use("reference"):
        assert backends.choose("splat", torch.zeros(1)) == "reference"
    assert backends.choose("splat", torch.zeros(1)) == "cpu"


def test_a_name_that_is_not_a_backend_is_refused():
    with pytest.raises(ValueError, match="name one of cuda, cpu, reference"), backends.use("metal"):
        pass


def test_the_named_backend_ends_with_its_block_even_after_an_error():
    with pytest.raises(KeyError), backends.use("reference"):
        raise KeyError
    assert backends.choose("splat", torch.zeros(1)) == "cpu"


def test_missing_kernels_are_an_error_that_says_how_to_build_them(monkeypatch):
    monkeypatch.setattr(
        backends._library, "why_not", lambda name: "the kernels are missing; build it with `pip install .`"
    )
    assert "pip install" in backends.backends()["cpu"]
    with pytest.raises(RuntimeError, match="pip install"):
        splat(*gaussians(2), views(1))


def test_the_oldest_instructions_can_be_asked_for():
    if backends._library.isa() == "native":
        pytest.skip("only x86-64 has several levels")
    assert with_isa("v2").stdout.split() == ["usable", "v2"]


def test_an_unknown_instruction_set_is_refused_with_a_sentence():
    if backends._library.isa() == "native":
        pytest.skip("only x86-64 has several levels")
    assert "expected v2, v3 or v4" in with_isa("v9").stdout
