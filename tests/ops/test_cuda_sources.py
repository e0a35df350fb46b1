"""The CUDA sources compile for sm_80 and sm_90, and the emulated library has all of the C interface."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from distill3d.ops import _library

CUDA = Path(__file__).parents[2] / "cuda"
SOURCES = sorted((CUDA / "gpu").glob("*.cu"))
NOT_YET_EMULATED: set[str] = set()
"""Operations whose CUDA kernels are not written."""


@pytest.fixture(scope="module")
def nvcc() -> str:
    homes = [Path(os.environ[name]) / "bin" for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    found = next((str(home / "nvcc") for home in homes if (home / "nvcc").exists()), shutil.which("nvcc"))
    if found is None:
        pytest.skip("there is no nvcc on the PATH or in CUDA_HOME")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_a_source_compiles_for_both_generations(nvcc, source, tmp_path):
    both = [f"-gencode=arch=compute_{arch},code=sm_{arch}" for arch in (80, 90)]
    command = [nvcc, "-std=c++17", "-O1", *both, "-Xcompiler=-Wall,-Wextra", f"-I{CUDA / 'include'}"]
    result = subprocess.run(
        [*command, "-c", str(source), "-o", str(tmp_path / "o")], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    ours = [line for line in result.stderr.splitlines() if "warning" in line and str(CUDA) in line]
    assert not ours


def functions(operation: str) -> list[str]:
    """What a header of the C interface declares."""
    text = (CUDA / "include" / "d3d" / f"abi_{operation}.h").read_text()
    return re.findall(r"D3D_EXPORT\s+\w+\s+(\w+)\(", text)


OPERATIONS = sorted(path.stem.removeprefix("abi_") for path in (CUDA / "include" / "d3d").glob("abi_*.h"))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_emulated_library_has_what_the_cpu_library_has(operation):
    why_not = _library.why_not("emulated")
    if why_not is not None:
        pytest.skip(why_not)
    cpu, emulated = _library.library("cpu"), _library.library("emulated")
    expected = [name for name in functions(operation) if cpu.has(name)]
    lacking = [name for name in expected if not emulated.has(name)]
    if operation in NOT_YET_EMULATED:
        assert lacking, f"{operation} is complete: take it out of NOT_YET_EMULATED"
        pytest.skip(f"not written for CUDA: {', '.join(lacking)}")
    assert not lacking
