"""Other people's kernels behind our calls. They need a GPU; here stands-ins of theirs are called instead."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import types
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.camera import Cameras
from distill3d.ops import _splat_gsplat, _surfels_gsplat, backends, splat_reference, surfels_reference
from distill3d.ops.splat import splat
from tests.ops.scenes import gaussians, views

CAMERAS = views(2, width=24, height=20)


def projection(means, covars, quats, scales, viewmats, Ks, width, height, *, eps2d, near_plane, far_plane,
               calc_compensations, opacities):  # fmt: skip
    """As gsplat's, from our definition."""
    assert covars is None and Ks.shape == (2, 3, 3)
    parts = []
    for matrix, k in zip(viewmats, Ks, strict=True):
        camera = Cameras(matrix, k[[0, 1, 0, 1], [0, 1, 2, 2]], width, height, near_plane, far_plane)
        centres, covariances, depth = splat_reference.project(means, quats, scales, camera, eps2d)
        xx, xy, yy = covariances.unbind(-1)
        conics = torch.stack([yy, -xy, xx], -1) / splat_reference.determinant(covariances)[:, None]
        radii = (3.4 * torch.stack([xx, yy], -1).sqrt()).ceil().int()
        loss = splat_reference.blur_loss(covariances, eps2d)
        parts.append((radii, centres, depth, conics, loss))
    stacked = [torch.stack(part) for part in zip(*parts, strict=True)]
    return (*stacked[:4], stacked[4] if calc_compensations else None)


def isect_tiles(means2d, radii, depths, tile_size, tile_width, tile_height, *, n_images):
    assert (tile_size, tile_width, tile_height, n_images) == (16, 2, 2, 2)
    order = depths.argsort(-1)
    return order, order, order


def isect_offset_encode(isect_ids, n_images, tile_width, tile_height):
    return torch.zeros(n_images, tile_height, tile_width, dtype=torch.int32)


def rasterize(means2d, conics, colors, opacities, image_width, image_height, tile_size, isect_offsets, ids):
    """Front to back, splat by splat, in the order that came from isect_tiles."""
    assert colors.shape[-1] <= 32 and isect_offsets.shape == (2, 2, 2)
    x, y = torch.meshgrid(torch.arange(image_width), torch.arange(image_height), indexing="xy")
    images, alphas = [], []
    for view in range(len(means2d)):
        light = torch.ones(image_height, image_width)
        image = torch.zeros(image_height, image_width, colors.shape[-1])
        for i in ids[view].tolist():
            dx, dy = x + 0.5 - means2d[view, i, 0], y + 0.5 - means2d[view, i, 1]
            a, b, c = conics[view, i]
            alpha = opacities[view, i] * torch.exp(-0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy)
            alpha = torch.where(alpha >= 1 / 255, alpha.clamp_max(0.999), 0)
            image = image + (alpha * light)[..., None] * colors[view, i]
            light = light * (1 - alpha)
        images.append(image)
        alphas.append(1 - light[..., None])
    return torch.stack(images), torch.stack(alphas)


def projection_2dgs(means, quats, scales, viewmats, Ks, width, height, *, near_plane, far_plane):
    assert scales.shape == (len(means), 3) and Ks.shape == (2, 3, 3)
    shape = (2, len(means))
    return (
        torch.ones(*shape, 2, dtype=torch.int32),
        torch.zeros(*shape, 2),
        torch.arange(float(len(means))).expand(shape),
        torch.zeros(*shape, 3, 3),
        torch.zeros(*shape, 3),
    )


def rasterize_2dgs(means2d, ray_transforms, colors, opacities, normals, densify, image_width, image_height,
                   tile_size, isect_offsets, ids, *, distloss):  # fmt: skip
    """Every pixel holds the sums of all values, so that channels can be told apart."""
    assert distloss and densify.shape == means2d.shape and colors.shape[-1] <= 32
    shape = (2, image_height, image_width)
    sums = colors.sum(1)[:, None, None].expand(*shape, -1)
    one = torch.ones(*shape, 1)
    return sums, 0.5 * one, torch.cat([one, 2 * one, 3 * one], -1), 5 * one, 6 * one


STANDS_IN: dict[str, Callable[..., object]] = {
    "fully_fused_projection": projection,
    "isect_tiles": isect_tiles,
    "isect_offset_encode": isect_offset_encode,
    "rasterize_to_pixels": rasterize,
    "fully_fused_projection_2dgs": projection_2dgs,
    "rasterize_to_pixels_2dgs": rasterize_2dgs,
}


def real_gsplat() -> types.ModuleType | None:
    """The package itself, if it is installed; it can be imported without a GPU."""
    if importlib.util.find_spec("gsplat") is None:
        return None
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import gsplat
    return gsplat


@pytest.fixture
def called() -> list[tuple[str, tuple[object, ...], dict[str, object]]]:
    """Every call of a stand-in."""
    return []


@pytest.fixture
def gsplat(monkeypatch, called) -> Iterator[types.ModuleType]:
    module = types.ModuleType("gsplat")
    for name, stand_in in STANDS_IN.items():

        def call(*arguments, _name=name, _stand_in=stand_in, **options):
            called.append((_name, arguments, options))
            return _stand_in(*arguments, **options)

        setattr(module, name, call)
    monkeypatch.setitem(sys.modules, "gsplat", module)
    yield module


def through_gsplat(scene: list[Tensor], **options) -> tuple[Tensor, ...]:
    return _splat_gsplat.splat(*scene, CAMERAS, options.pop("probe", None), 0.3, **options)


def by_definition(scene: list[Tensor], **options) -> tuple[Tensor, ...]:
    return splat_reference.splat(*scene, CAMERAS, options.pop("probe", None), 0.3, **options)


def soft(channels: int = 3) -> list[Tensor]:
    """So few and so clear that no pixel's light is used up."""
    scene = gaussians(9, channels)
    scene[3] = 0.5 * scene[3]
    return scene


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 40])
def test_gsplat_is_given_what_our_definition_means(gsplat, channels, antialiased):
    scene, options = soft(channels), {"antialiased": antialiased, "normals": True}
    options["sh"] = 0.3 * torch.randn(9, 4, 3, generator=torch.Generator().manual_seed(0))
    ours, theirs = by_definition(scene, **options), through_gsplat(scene, **options)
    for i in (0, 1, 2, 4, 5):
        assert theirs[i].shape == ours[i].shape
        assert_close(theirs[i], ours[i], rtol=0, atol=1e-4)
    assert theirs[3].shape == ours[3].shape


def test_the_probe_moves_the_centres_through_gsplat_too(gsplat):
    scene, probe = soft(), torch.full((2, 9, 2), 0.7)
    assert_close(
        through_gsplat(scene, probe=probe)[0], by_definition(scene, probe=probe)[0], rtol=0, atol=1e-4
    )


def test_each_camera_may_have_its_own_colours_through_gsplat(gsplat):
    scene = soft()
    scene[4] = torch.rand(2, 9, 3, generator=torch.Generator().manual_seed(1))
    assert_close(through_gsplat(scene)[0], by_definition(scene)[0], rtol=0, atol=1e-4)


def test_what_gsplat_lacks_is_refused(gsplat):
    with pytest.raises(ValueError, match="gsplat has no absolute_probe"):
        through_gsplat(soft(), absolute_probe=torch.zeros(2, 9, 2))
    wanting = views(2, width=24, height=20)
    wanting.intrinsics.requires_grad_()
    with pytest.raises(ValueError, match="gsplat gives no gradient to intrinsics"):
        _splat_gsplat.splat(*soft(), wanting, None, 0.3)


def test_surfels_come_back_from_gsplat_as_from_our_definition(gsplat):
    scene = soft(40)
    scene[2] = scene[2][:, :2]
    theirs = _surfels_gsplat.surfels(*scene, CAMERAS, torch.zeros(2, 9, 2))
    ours = surfels_reference.surfels(*scene, CAMERAS, None)
    assert [values.shape for values in theirs] == [values.shape for values in ours]
    colours, alpha, depth, median_depth, normal, distortion, radius_px = theirs
    assert_close(colours[0, 0, 0], scene[4].sum(0))
    assert depth.unique().tolist() == [36.0] and alpha.unique().tolist() == [0.5]
    assert distortion.unique().tolist() == [5.0] and median_depth.unique().tolist() == [6.0]
    assert (radius_px == 1).all()
    in_camera = normal[0, 0, 0] @ CAMERAS.world_to_camera[0, :3, :3].T
    assert_close(in_camera, torch.tensor([1.0, 2.0, 3.0]))


def test_calls_fit_the_signatures_of_the_installed_gsplat(called, request):
    """Taken before the stand-in takes the package's place."""
    package = real_gsplat()
    if package is None:
        pytest.skip("the package gsplat is not installed; pip install gsplat")
    signatures = {name: inspect.signature(getattr(package, name)) for name in STANDS_IN}
    request.getfixturevalue("gsplat")
    through_gsplat(soft(), normals=True)
    scene = soft()
    _surfels_gsplat.surfels(*scene[:2], scene[2][:, :2], *scene[3:], CAMERAS, None)
    assert {name for name, _, _ in called} == set(STANDS_IN)
    for name, arguments, options in called:
        signatures[name].bind(*arguments, **options)


@pytest.mark.parametrize("name", backends.ADAPTERS)
def test_an_adapter_that_cannot_be_used_says_why(name):
    reason = backends.why_not(name)
    if reason is None:
        pytest.skip(f"{name} can be used here")
    assert "not installed; pip install" in reason or "CUDA devices only" in reason
    with pytest.raises((RuntimeError, ValueError), match=r"not installed|CUDA|on cpu"), backends.use(name):
        backends.choose(backends.ADAPTERS[name][0], torch.zeros(1))


def test_gsplat_is_not_silently_replaced():
    with (
        pytest.raises(ValueError, match="the gsplat backend was given a tensor on cpu"),
        backends.use("gsplat"),
    ):
        splat(*soft(), CAMERAS)
