"""Packed volume rendering, scans and resampling against laws and definitions, on every usable backend."""

from __future__ import annotations

import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.ops import backends, scan
from distill3d.ops._scan_kernels import _scan
from distill3d.ops._volume_kernels import _composite
from distill3d.ops.march import Samples
from distill3d.ops.proposal import interlevel_loss, resample, samples_between
from distill3d.ops.volume import RayImages, composite, selected, transmittance
from tests.ops.machines import Machine, compiled, usable

PREFIX = "d3d_volume_"
SCANS = (scan.exclusive_sum, scan.inclusive_sum, scan.exclusive_product, scan.inclusive_product)


@pytest.fixture(params=usable("volume", PREFIX), ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param


@pytest.fixture(params=compiled("volume", PREFIX), ids=str)
def kernels(request):
    with request.param.in_use():
        yield request.param


def packed(
    counts: list[int], *, spare: int = 0, seed: int = 0, dtype: torch.dtype = torch.float32
) -> Samples:
    """Rays with so many samples of uneven lengths, and entries that belong to none."""
    generator = torch.Generator().manual_seed(seed)
    starts, ends = [], []
    for count in counts:
        edges = 1 + torch.rand(2 * count, generator=generator, dtype=torch.float64).cumsum(0) * 0.1
        starts.append(edges[0::2])
        ends.append(edges[1::2])
    nothing = torch.zeros(spare, dtype=torch.float64)
    starts, ends = torch.cat([*starts, nothing]).to(dtype), torch.cat([*ends, nothing]).to(dtype)
    rays = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts, dtype=torch.long))
    rays = torch.cat([rays, torch.zeros(spare, dtype=torch.long)]).int()
    offsets = torch.tensor([0, *counts]).cumsum(0).int()
    return Samples(starts, ends, torch.zeros(len(starts), 3, dtype=dtype), rays, offsets, offsets[-1:].long())


def on(machine: Machine, samples: Samples) -> Samples:
    return Samples(*machine.put(*[getattr(samples, name) for name in Samples.__dataclass_fields__]))


def scene(
    counts: list[int], channels: int = 3, dtype: torch.dtype = torch.float32, spare: int = 0
) -> tuple[Samples, Tensor, Tensor, Tensor]:
    samples = packed(counts, spare=spare)
    generator = torch.Generator().manual_seed(1)
    speeds = 1 + torch.rand(len(counts), generator=generator)
    log_density = 1.5 * torch.randn(len(samples.starts), generator=generator) + 1
    values = torch.rand(len(samples.starts), channels, generator=generator)
    samples = replace(samples, starts=samples.starts.to(dtype), ends=samples.ends.to(dtype))
    return samples, speeds.to(dtype), log_density.to(dtype), values.to(dtype)


def images(result: RayImages) -> list[Tensor]:
    return [result.values, result.alpha, result.depth, result.distortion, result.weights]


# Laws of compositing


def test_even_fog_takes_light_exponentially(machine):
    samples, _, log_density, values = scene([40])
    samples, log_density, speeds, values = (
        on(machine, samples),
        *machine.put(torch.full_like(log_density, math.log(0.7)), torch.full((1,), 2.0), values),
    )
    way = (samples.ends - samples.starts).sum() * 2
    assert_close(composite(samples, speeds, log_density, values).alpha[0], 1 - torch.exp(-0.7 * way))


def test_weights_are_what_the_light_loses_and_sum_to_alpha(machine):
    samples, speeds, log_density, values = scene([9, 0, 14])
    samples, speeds, log_density, values = on(machine, samples), *machine.put(speeds, log_density, values)
    image = composite(samples, speeds, log_density, values)
    light = transmittance(samples, speeds, log_density)
    optical = log_density.exp() * (samples.ends - samples.starts) * speeds[samples.rays.long()]
    assert_close(image.weights, light * (1 - torch.exp(-optical)))
    assert_close(image.alpha[0], image.weights[:9].sum())
    assert image.alpha[1] == 0 and image.values[1].abs().max() == 0
    assert_close(image.values[2], image.weights[9:] @ values[9:])


def test_an_opaque_sample_hides_all_behind_and_gets_its_depth(machine):
    samples, speeds, log_density, values = scene([12])
    log_density[:5], log_density[5:] = -40, 20
    samples, speeds, log_density, values = on(machine, samples), *machine.put(speeds, log_density, values)
    image = composite(samples, speeds, log_density, values)
    assert_close(image.values[0], values[5])
    assert_close(image.depth[0], 0.5 * (samples.starts[5] + samples.ends[5]))
    assert (transmittance(samples, speeds, log_density)[6:] == 0).all()
    assert (image.weights[6:] == 0).all()


def test_the_distortion_is_that_of_its_equation(machine):
    samples, speeds, log_density, values = scene([7])
    samples, speeds, log_density, values = on(machine, samples), *machine.put(speeds, log_density, values)
    image = composite(samples, speeds, log_density, values)
    w, t = image.weights, 0.5 * (samples.starts + samples.ends)
    expected = (w[:, None] * w * (t[:, None] - t).abs()).sum() + (
        w.square() * (samples.ends - samples.starts)
    ).sum() / 3
    assert_close(image.distortion[0], expected)


def test_cutting_a_sample_in_two_changes_nothing(machine):
    samples, speeds, log_density, values = scene([6])
    middle = 0.5 * (samples.starts + samples.ends)
    finer = replace(
        samples,
        starts=torch.stack([samples.starts, middle], 1).flatten(),
        ends=torch.stack([middle, samples.ends], 1).flatten(),
        points=samples.points.repeat_interleave(2, 0),
        rays=samples.rays.repeat_interleave(2),
        offsets=2 * samples.offsets,
    )
    whole = composite(on(machine, samples), *machine.put(speeds, log_density, values))
    halves = [log_density.repeat_interleave(2), values.repeat_interleave(2, 0)]
    cut = composite(on(machine, finer), *machine.put(speeds, *halves))
    assert_close(cut.values, whole.values)
    assert_close(cut.alpha, whole.alpha)


def test_samples_that_no_light_reaches_can_be_left_out(machine):
    samples, speeds, log_density, values = scene([30, 0, 25])
    log_density += 2
    samples, speeds, log_density, values = on(machine, samples), *machine.put(speeds, log_density, values)
    kept = transmittance(samples, speeds, log_density) > 0
    assert 0 < kept.sum() < len(kept)
    fewer = selected(samples, kept)
    full = composite(samples, speeds, log_density, values)
    some = composite(fewer, speeds, log_density[kept], values[kept])
    for a, b in zip(images(full)[:4], images(some)[:4], strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["density", "values"])
def test_a_poisoned_sample_is_empty_space_without_gradients(machine, poison, where):
    samples, speeds, log_density, values = scene([8, 5])
    clean = log_density.clone()
    clean[3] = -200
    if where == "density":
        log_density[3] = poison
    else:
        values[3, 1] = poison
    samples, speeds, log_density, values, clean = (
        on(machine, samples),
        *machine.put(speeds, log_density, values, clean),
    )
    leaves = [log_density.requires_grad_(), values.requires_grad_()]
    image = composite(samples, speeds, *leaves)
    healthy = composite(samples, speeds, clean, values.detach().nan_to_num(0, 0, 0))
    for a, b in zip(images(image), images(healthy), strict=True):
        assert_close(a, b)
    total = sum(part.sum() for part in images(image))
    by_density, by_values = torch.autograd.grad(total, leaves)
    assert by_density.isfinite().all() and by_values.isfinite().all()
    assert by_density[3] == 0 and (by_values[3] == 0).all()


def test_enormous_densities_have_finite_gradients(machine):
    samples, speeds, log_density, values = scene([6, 6])
    log_density[2], log_density[8] = 300.0, 59.0
    samples, speeds, log_density, values = on(machine, samples), *machine.put(speeds, log_density, values)
    log_density.requires_grad_()
    image = composite(samples, speeds, log_density, values)
    (by_density,) = torch.autograd.grad(image.values.sum() + image.depth.sum(), log_density)
    assert by_density.isfinite().all() and image.alpha.max() <= 1


@pytest.mark.parametrize("counts", [[], [0], [0, 0, 0]])
def test_nothing_gives_empty_pictures_and_gradients_of_no_size(machine, counts):
    samples, speeds, log_density, values = scene(counts)
    samples, speeds, log_density, values = on(machine, samples), *machine.put(speeds, log_density, values)
    leaves = [log_density.requires_grad_(), values.requires_grad_()]
    image = composite(samples, speeds, *leaves)
    assert image.values.shape == (len(counts), 3) and not image.values.any() and not image.alpha.any()
    for leaf, gradient in zip(leaves, torch.autograd.grad(image.values.sum(), leaves), strict=True):
        assert gradient.shape == leaf.shape


# Laws of the scans


@pytest.mark.parametrize("scanned", SCANS)
def test_scans_are_running_sums_and_products_of_each_ray(machine, scanned):
    offsets = torch.tensor([0, 4, 4, 7], dtype=torch.int32)
    values = torch.tensor([2.0, 0, 3, 4, 5, 6, 7, 9])
    join = torch.cumsum if scanned.__name__.endswith("sum") else torch.cumprod
    neutral = 0.0 if scanned.__name__.endswith("sum") else 1.0
    expected = torch.zeros(8)
    for first, end in ((0, 4), (4, 7)):
        row = join(values[first:end], 0)
        if scanned.__name__.startswith("exclusive"):
            row = torch.cat([torch.tensor([neutral]), row[:-1]])
        expected[first:end] = row
    assert_close(scanned(*machine.put(values, offsets)).cpu(), expected)


@pytest.mark.parametrize("scanned", SCANS)
def test_gradients_of_scans_are_those_of_the_definition(kernels, scanned):
    counts = kernels.size([50, 0, 3, 70], [5, 0, 40])
    samples = packed(counts, spare=3)
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(len(samples.starts), generator=generator) + 0.5
    values[::9] = 0
    cotangent = torch.randn(len(values), generator=generator)

    def both(values: Tensor, offsets: Tensor, cotangent: Tensor) -> list[Tensor]:
        values.requires_grad_()
        result = scanned(values, offsets)
        return [result.detach(), *torch.autograd.grad(result, values, cotangent)]

    ours = both(*kernels.put(values.clone(), samples.offsets, cotangent))
    with backends.use("reference"):
        exact = both(values.double(), samples.offsets, cotangent.double())
    for a, b in zip(ours, exact, strict=True):
        assert (a.cpu() - b).norm() <= 1e-5 * b.norm()


# The kernels against the definition in float64


@pytest.mark.parametrize("channels", [0, 1, 3, 9, 40])
def test_pictures_and_gradients_are_those_of_the_definition(kernels, channels):
    counts = kernels.size([20, 0, 1, 150, 33] * 20, [5, 0, 1, 70])

    def both(machine: Machine | None, dtype: torch.dtype) -> list[Tensor]:
        samples, speeds, log_density, values = scene(counts, channels, dtype, spare=4)
        generator = torch.Generator().manual_seed(7)
        sizes = [(len(counts), channels), *[(len(counts),)] * 3, (len(log_density),)]
        cotangents = [torch.randn(size, generator=generator).to(dtype) for size in sizes]
        cotangents[4][sum(counts) :] = 0
        if machine is not None:
            samples, (speeds, log_density, values) = (
                on(machine, samples),
                machine.put(speeds, log_density, values),
            )
            cotangents = machine.put(*cotangents)
        leaves = [log_density.requires_grad_(), values.requires_grad_()]
        result = images(composite(samples, speeds, *leaves))
        gradients = torch.autograd.grad(result, leaves, cotangents, allow_unused=True)
        light = transmittance(samples, speeds, log_density)
        return [t.detach().cpu() for t in (*result, light, *gradients) if t is not None]

    ours = both(kernels, torch.float32)
    with backends.use("reference"):
        exact = both(None, torch.float64)
    for a, b in zip(ours, exact, strict=True):
        assert (a - b).norm() <= 1e-5 * b.norm() + 1e-7


def test_the_definitions_own_gradient_is_its_derivative():
    samples, speeds, log_density, values = scene([5, 0, 3], 2, torch.float64)
    leaves = [log_density.requires_grad_(), values.requires_grad_()]
    with backends.use("reference"):
        assert torch.autograd.gradcheck(lambda *x: tuple(images(composite(samples, speeds, *x))), leaves)


# Resampling


def test_edges_stand_at_even_shares_of_the_weights(machine):
    samples, _, log_density, _ = scene([9, 0, 4])
    weights = log_density.exp()
    samples, weights = on(machine, samples), machine.put(weights)[0]
    edges = resample(samples, weights, 6)
    assert (edges[1] == 0).all() and (edges.diff(dim=1) >= 0).all()
    for ray, (first, end) in ((0, (0, 9)), (2, (9, 13))):
        starts, ends, w = samples.starts[first:end], samples.ends[first:end], weights[first:end]
        inside = ((edges[ray][:, None] - starts) / (ends - starts)).clamp(0, 1)
        wanted = (torch.arange(7, device=w.device) + 0.5) / 7
        assert_close((inside * w).sum(1) / w.sum(), wanted, rtol=1e-4, atol=1e-5)


def test_resampling_agrees_with_the_definition(kernels):
    samples, _, log_density, _ = scene(kernels.size([40, 0, 9, 1] * 8, [6, 0, 1]))
    weights = log_density.exp()
    weights[3], weights[:2], weights[-1] = -1, 0, 0
    jitter = torch.rand(len(samples.offsets) - 1, generator=torch.Generator().manual_seed(2))
    moved = kernels.put(weights, jitter)
    ours = resample(on(kernels, samples), moved[0], 16, jitter=moved[1])
    with backends.use("reference"):
        exact = resample(
            replace(samples, starts=samples.starts.double(), ends=samples.ends.double()),
            weights.double(),
            16,
            jitter=jitter.double(),
        )
    assert_close(ours.cpu().double(), exact, rtol=0, atol=2e-5)


def test_stretches_between_edges_are_packed_samples():
    edges = torch.tensor([[1.0, 2, 4], [0, 1, 2]])
    samples = samples_between(edges, torch.zeros(2, 3), torch.eye(3)[:2])
    assert samples.starts.tolist() == [1, 2, 0, 1] and samples.ends.tolist() == [2, 4, 1, 2]
    assert samples.offsets.tolist() == [0, 2, 4] and samples.rays.tolist() == [0, 0, 1, 1]
    assert samples.points[:, 0].tolist() == [1.5, 3, 0, 0]


def test_a_proposal_that_covers_everything_costs_nothing_and_one_that_misses_does():
    edges, weights = torch.tensor([[0.0, 1, 2, 3]]), torch.tensor([[0.1, 0.6, 0.2]])
    assert interlevel_loss(edges, weights, edges, weights) < 1e-12
    assert interlevel_loss(edges, weights, torch.tensor([[0.0, 3]]), torch.ones(1, 1)) == 0
    proposed = torch.tensor([[0.3, 0.3, 0.3]], requires_grad=True)
    loss = interlevel_loss(edges, weights, edges, proposed)
    assert_close(loss, torch.tensor(0.3**2 / 0.6))
    (gradient,) = torch.autograd.grad(loss, proposed)
    assert gradient[0, 1] < 0 and gradient[0, 0] == gradient[0, 2] == 0


# The operators


def test_any_number_of_threads_gives_the_same_bits():
    def both() -> list[Tensor]:
        samples, speeds, log_density, values = scene([20, 0, 70] * 30)
        leaves = [log_density.requires_grad_(), values.requires_grad_()]
        result = images(composite(samples, speeds, *leaves))
        return [*result, *torch.autograd.grad(sum(r.square().sum() for r in result), leaves)]

    threads = torch.get_num_threads()
    first = both()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        second = both()
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_operators_keep_torchs_contracts():
    samples, speeds, log_density, values = scene([5, 3])
    leaves = (log_density.requires_grad_(), values.requires_grad_())
    arguments = ("cpu", samples.starts, samples.ends, samples.offsets, speeds, *leaves)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    torch.library.opcheck(_composite, arguments, test_utils=tests)
    torch.library.opcheck(_scan, ("cpu", 1, True, log_density, samples.offsets), test_utils=tests)


def test_inputs_need_not_be_contiguous(kernels):
    samples, speeds, log_density, values = scene([5, 3])
    samples, speeds, log_density, values = on(kernels, samples), *kernels.put(speeds, log_density, values)
    strided = composite(samples, speeds, torch.stack([log_density] * 2, 1)[:, 0], values.T.contiguous().T)
    assert torch.equal(strided.values, composite(samples, speeds, log_density, values).values)


# Errors


def test_shapes_that_do_not_agree_are_refused():
    samples, speeds, log_density, values = scene([5, 3])
    for wrong, name in (
        ((speeds[:1], log_density, values), "speeds"),
        ((speeds, log_density[:5], values), "log_density"),
        ((speeds, log_density, values[:5]), "values"),
    ):
        with pytest.raises((ValueError, TypeError), match=name):
            composite(samples, *wrong)
    with pytest.raises((ValueError, TypeError), match="weights"):
        resample(samples, log_density[:4], 3)
    with pytest.raises(ValueError, match="count 0"):
        resample(samples, log_density, 0)


def test_other_float_types_are_refused_by_name():
    samples, speeds, log_density, values = scene([5, 3], dtype=torch.float64)
    with pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        composite(samples, speeds, log_density, values)


def test_gradients_in_double_are_derivatives(tmp_path):
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    here, program = Path(__file__).parent, tmp_path / "gradients"
    command = [compiler, "-std=c++17", "-O1", "-Wno-psabi", f"-I{here.parents[1] / 'cuda' / 'include'}"]
    subprocess.run([*command, str(here / "march_gradients.cpp"), "-o", str(program)], check=True)
    result = subprocess.run([str(program)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert "compared 240 derivatives" in result.stdout
