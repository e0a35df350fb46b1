"""The maths of cuda/include compiles as CUDA, and in double its gradients are its derivatives."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[2] / "cuda" / "include"
HERE = Path(__file__).parent

INSTANTIATE = """
#include "d3d/mesh.h"
#include "d3d/splat.h"

using Gaussian = d3d::Gaussian<float>;
using Camera = d3d::Camera<float>;
using Splat = d3d::Splat<float>;

__global__ void kernel(Gaussian g, Camera camera, Splat splat, float* out) {
    auto footprint = d3d::project(g, camera, 0.f, 0.f, 0.3f);
    auto gradient = d3d::project_gradient(g, camera, 1.f, 1.f, 1.f, 1.f, 1.f, 1.f);
    d3d::Pixel<float> pixel{1.f, -1.f};
    auto fragment = d3d::evaluate(splat, 0.5f, 0.5f);
    float weight = d3d::blend(pixel, fragment, 0.f);
    d3d::PixelGradient<float> back{pixel.transmittance, 0.f, pixel.last};
    d3d::Moments<float> moments{};
    weight += d3d::unblend(back, moments, fragment, 1.f, 0.f);
    d3d::Triangle triangle;
    d3d::Camera<double> exact{};
    double corners[3][3] = {};
    bool drawn = d3d::set_up(corners, exact, triangle);
    auto sample = d3d::sample(triangle, 0.f, 0.f);
    weight += drawn && d3d::covers(sample, 0.1f, 9.f);
    out[0] = footprint.x + gradient.mean[0] + weight + moments.one;
}
"""


@pytest.fixture(scope="module")
def nvcc() -> str:
    found = shutil.which("nvcc")
    if found is None:
        pytest.skip("nvcc is not on the PATH")
    return found


def test_the_headers_compile_as_cuda(nvcc, tmp_path):
    source = tmp_path / "headers.cu"
    source.write_text(INSTANTIATE)
    architectures = [f"-gencode=arch=compute_{arch},code=sm_{arch}" for arch in (80, 90)]
    command = [
        nvcc,
        "-std=c++17",
        *architectures,
        f"-I{INCLUDE}",
        "-c",
        str(source),
        "-o",
        str(tmp_path / "o.o"),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_gradients_in_double_are_derivatives(tmp_path):
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    program = tmp_path / "gradients"
    command = [compiler, "-std=c++17", "-O1", "-march=native", "-Wno-psabi", f"-I{INCLUDE}"]
    subprocess.run([*command, str(HERE / "gradients.cpp"), "-o", str(program)], check=True)
    result = subprocess.run([str(program)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert "compared 480 derivatives" in result.stdout
