"""What a camera sees of a Gaussian, in double: its gradients are its derivatives."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INCLUDE = HERE.parents[1] / "cuda" / "include"


def test_gradients_in_double_are_derivatives(tmp_path):
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    program = tmp_path / "gradients"
    command = [compiler, "-std=c++17", "-O1", "-march=native", "-Wno-psabi", f"-I{INCLUDE}"]
    subprocess.run([*command, str(HERE / "facing_gradients.cpp"), "-o", str(program)], check=True)
    result = subprocess.run([str(program)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert "compared 678 derivatives" in result.stdout
