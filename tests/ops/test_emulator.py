"""The emulator runs CUDA's threads as CUDA says, and says so where a kernel does what CUDA forbids."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from distill3d.ops._library import CLaunch

HERE = Path(__file__).parent
CUDA = HERE.parents[1] / "cuda"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    library = tmp_path_factory.mktemp("emulator") / "kernels.so"
    sources = [
        HERE / "emulator.cu",
        CUDA / "gpu" / "device.cu",
        *sorted((CUDA / "emulator").glob("*.cpp")),
    ]
    command = [compiler, "-std=c++17", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror"]
    command += [f"-I{CUDA / folder}" for folder in ("include", "gpu")]
    subprocess.run([*command, "-o", library, "-x", "c++", *sources], check=True)
    return ctypes.CDLL(str(library))


LAUNCH = ctypes.byref(CLaunch(1, 0, None))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def test_a_block_adds_up_numbers_through_shared_memory(kernels):
    values = np.arange(200, dtype=np.float32)
    total = np.full(1, -1, np.float32)
    assert kernels.test_sum(LAUNCH, pointer(values), len(values), pointer(total)) == 0
    assert total[0] == values.sum()


@pytest.mark.parametrize("warps", [1, 3])
def test_lanes_exchange_what_cuda_says(kernels, warps):
    out = np.zeros((32 * warps, 12), np.int32)
    assert kernels.test_exchanges(LAUNCH, warps, pointer(out)) == 0
    lane = np.arange(32 * warps) % 32
    expected = [
        np.full_like(lane, 5),
        lane ^ 3,
        np.where(lane >= 2, lane - 2, lane),
        np.where(lane < 30, lane + 2, lane),
        lane // 8 * 8 + 1,
        np.full_like(lane, sum(1 << i for i in range(0, 32, 3))),
        15 << lane // 4 * 4,
        np.full_like(lane, 496),
        lane * (lane + 1) // 2,
        np.full_like(lane, 31),
        np.full_like(lane, 7 * warps),
        np.where(lane < 16, lane ^ 1, 0),
    ]
    for column, values in enumerate(expected):
        assert (out[:, column] == values.astype(np.int32)).all(), column


FORBIDDEN = {
    0: "waits at a barrier for threads that have ended",
    1: "waits at a barrier and thread 0 at another one",
    2: "waits for lanes that never come",
    3: "a block has 1 to 1024 threads, and not 2048",
    4: "at most 232448 bytes of dynamic shared memory",
}


@pytest.mark.parametrize("which", FORBIDDEN)
def test_what_cuda_forbids_is_reported_and_the_next_launch_works(kernels, capfd, which):
    assert kernels.test_forbidden(LAUNCH, which) == 2
    said = capfd.readouterr().err
    assert FORBIDDEN[which] in said
    assert said.count("\n") == 1
    if which < 3:
        assert "emulator.cu:" in said
    total = np.zeros(1, np.float32)
    assert kernels.test_sum(LAUNCH, pointer(np.ones(5, np.float32)), 5, pointer(total)) == 0
    assert total[0] == 5


def test_shared_memory_holds_nothing_when_a_block_starts(kernels):
    found = np.zeros(4 * 32, np.float32)
    assert kernels.test_trace(LAUNCH, pointer(found)) == 0
    assert np.isnan(found).all()


def test_a_forgotten_barrier_shows(kernels):
    out = np.zeros(64, np.float32)
    assert kernels.test_race(LAUNCH, pointer(out)) == 0
    assert np.isnan(out).sum() == 32


@pytest.mark.parametrize("bits", [(0, 32), (4, 12)])
def test_sorting_keeps_the_order_of_equal_keys(kernels, bits):
    generator = np.random.default_rng(0)
    keys = generator.integers(0, 1 << 32, 100, dtype=np.uint32)
    values, counts = np.arange(100, dtype=np.uint32), generator.integers(0, 9, 100, dtype=np.int32)
    digits = keys.astype(np.uint64) >> bits[0] & (1 << bits[1] - bits[0]) - 1
    order = np.argsort(digits, kind="stable")
    expected, sums = keys[order], np.cumsum(counts) - counts
    sorted_keys, sorted_values = np.zeros_like(keys), np.zeros_like(values)
    arrays = [pointer(a) for a in (sorted_keys, sorted_values, counts, np.zeros(256, np.uint8))]
    assert kernels.test_sort(LAUNCH, pointer(keys), pointer(values), 100, *bits, *arrays) == 0
    assert (sorted_keys == expected).all()
    assert (sorted_values == order).all()
    assert (counts == sums).all()


def test_no_items_need_no_work(kernels):
    nothing = np.zeros(0, np.uint32)
    assert kernels.test_sort(LAUNCH, *[pointer(nothing)] * 2, 0, 0, 32, *[pointer(nothing)] * 4) == 0
