"""How two layers differ from where one stands, and what is under the cursor."""

from __future__ import annotations

import time

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.files import kind_of
from distill3d.ops.mesh import rasterize
from distill3d.ops.splat_lift import contributors
from distill3d.ops.ssim import ssim
from distill3d.representations._primitives import Primitives
from distill3d.representations.gaussians import Gaussians
from distill3d.scene import Scene
from distill3d.sh import rgb_from_degree_0
from distill3d.viewer.frames import Frame, ramp
from distill3d.viewer.properties import columns_of
from distill3d.viewer.protocol import Fact, Picked, Scores, Vector

EQUAL = 1e-12
"""Mean squared error under which pictures count as the same."""


@torch.no_grad()
def difference(
    first: Scene, second: Scene, camera: Cameras, background: Vector, *, seq: int
) -> tuple[Scores, Frame]:
    """PSNR and SSIM of two scenes from one camera [1] over a colour, and |A - B| as a map.

    The map shows each pixel's largest difference of a channel, dark for none, light for the largest of all.
    """
    begun = time.perf_counter()
    a, b = (scene.render(camera)[0].over(background).clamp(0, 1).nan_to_num(0.0) for scene in (first, second))
    apart = (a - b).abs().amax(-1, keepdim=True)
    largest, error = float(apart.max()), float((a - b).square().mean())
    psnr = None if error < EQUAL else -10 * float(torch.tensor(error).log10())
    scores = Scores(seq, psnr, float(ssim(a, b)), largest)
    colours = ramp(1 - apart / max(largest, 1e-6))
    return scores, Frame(colours, torch.ones_like(apart), None, time.perf_counter() - begun)


@torch.no_grad()
def pick(scene: Scene, camera: Cameras, x_px: float, y_px: float, *, layer: int, seq: int) -> Picked:
    """What a scene has at a point of a picture; `camera` [1] is that of the whole picture."""
    nothing = Picked(seq, layer, None, None, ())
    if not (0 <= x_px < camera.width and 0 <= y_px < camera.height):
        return nothing
    pixel = _one_pixel(camera, x_px, y_px)
    shot = scene.render(pixel, want={"rgb", "alpha", "depth"})[0]
    if float(shot.alpha) < 0.01:
        return nothing
    z = float(shot.mean_depth())
    point = _on_ray(pixel, z)
    seen = (shot.rgb / shot.alpha.clamp_min(1e-4)).clamp(0, 1)[0, 0]
    facts = [
        Fact("point", _numbers(point)),
        Fact("depth", f"{z:.4g}"),
        Fact("opacity here", f"{float(shot.alpha):.3f}"),
        Fact("colour here", _hex(seen)),
    ]
    primitive, more = _primitive(scene, pixel, point)
    x, y, z_world = point.tolist()
    return Picked(seq, layer, primitive, (x, y, z_world), (*more, *facts))


def _primitive(
    scene: Scene, pixel: Cameras, point: Float[Tensor, "3"]
) -> tuple[int | None, tuple[Fact, ...]]:
    """The primitive that counts most in a pixel, and what is known of it."""
    if isinstance(scene, Gaussians):
        ids, weights = contributors(*scene.geometry, pixel, 64, antialiased=bool(scene.antialiased))
        chosen, count = int(ids[0, 0, 0, 0]), int((weights[0, 0, 0] > 0).sum())
        if chosen < 0:
            return None, ()
        share = Fact("weight here", f"{float(weights[0, 0, 0, 0]):.3f} of {count} that blend")
        return chosen, (*_of_primitive(scene, chosen), share)
    if isinstance(scene, Primitives):
        chosen = int((scene.means - point).norm(dim=1).nan_to_num(torch.inf).argmin())
        return chosen, _of_primitive(scene, chosen)
    if kind_of(scene) == "mesh":
        from distill3d.representations.mesh import Mesh

        assert isinstance(scene, Mesh)
        face = int(rasterize(scene.vertices(), scene.faces, pixel).triangle[0, 0, 0])
        return (None, ()) if face < 0 else (face, (Fact("triangle", str(face)),))
    return None, ()


def _of_primitive(scene: Primitives, chosen: int) -> tuple[Fact, ...]:
    columns = columns_of(scene)
    return (
        Fact("primitive", str(chosen)),
        Fact("centre", _numbers(scene.means[chosen])),
        Fact("deviations", _numbers(scene.log_scales[chosen].exp())),
        Fact("opacity", f"{float(scene.opacity_logits[chosen].sigmoid()):.3f}"),
        Fact("colour", _hex(rgb_from_degree_0(scene.sh[chosen, 0]).clamp(0, 1))),
        *(Fact(name, f"{float(values[chosen]):.4g}") for name, values in columns.items()),
    )


def _one_pixel(camera: Cameras, x_px: float, y_px: float) -> Cameras:
    """The camera of the pixel around a point alone."""
    shift = camera.intrinsics.new_tensor([0, 0, int(x_px), int(y_px)])
    return Cameras(camera.world_to_camera, camera.intrinsics - shift, 1, 1, camera.near, camera.far)


def _on_ray(pixel: Cameras, z: float) -> Float[Tensor, "3"]:
    origins, directions = pixel.rays()
    return (origins + z * directions)[0, 0, 0]


def _numbers(values: Tensor) -> str:
    return "  ".join(f"{value:.4g}" for value in values.tolist())


def _hex(rgb: Float[Tensor, "3"]) -> str:
    return "#" + "".join(f"{round(255 * value):02x}" for value in rgb.nan_to_num(0.0).tolist())
