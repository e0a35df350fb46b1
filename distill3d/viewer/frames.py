"""Frames: what the server renders for the page, and how it is packed."""

from __future__ import annotations

import io
import math
import time
from dataclasses import dataclass

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops.splat_lift import contributors
from distill3d.pictures import NEAR_TO_FAR, to_bytes
from distill3d.rendering import Rendering
from distill3d.representations.gaussians import Gaussians
from distill3d.scene import Scene
from distill3d.viewer import protocol, wire
from distill3d.viewer.headers import FRAME, JPEG, PNG, FrameHeader

QUALITY = 85
"""Of JPEG."""
MOST_COUNTED = 64
"""Contributions to a pixel; as many or more have the last colour."""
OPAQUE = 0.05
"""Alpha from which a pixel has a depth."""
MOST_DISTANT = 1e-6
"""Inverse depth of what is as good as nowhere."""


@dataclass(frozen=True)
class Frame:
    """A rendered layer: premultiplied colours, and depth as mean camera z, infinite where nothing is."""

    rgb: Float[Tensor, "H W 3"]
    alpha: Float[Tensor, "H W 1"]
    depth: Float[Tensor, "H W 1"] | None
    seconds: float


def cameras_of(camera: protocol.Camera, divisor: int = 1) -> Cameras:
    """One camera of the page, [1], with its sides divided.

    Raises ValueError, in a sentence, for a camera that is none.
    """
    if not (1 <= camera.width <= protocol.MAX_SIDE_PX and 1 <= camera.height <= protocol.MAX_SIDE_PX):
        raise ValueError(
            f"a picture of {camera.width} x {camera.height}; "
            f"expected sides of 1 to {protocol.MAX_SIDE_PX} pixels"
        )
    if len(camera.world_to_camera) != 16:
        raise ValueError(f"a camera of {len(camera.world_to_camera)} numbers; expected 4 x 4")
    pose = torch.tensor(camera.world_to_camera, dtype=torch.float64).reshape(4, 4)
    rotation, last = pose[:3, :3], pose[3]
    if (rotation @ rotation.T - torch.eye(3).double()).abs().max() > 1e-3 or last.tolist() != [0, 0, 0, 1]:
        raise ValueError("a camera that is no rigid motion; expected a rotation and a translation")
    if torch.linalg.det(rotation) < 0 or pose.abs().max() > 1e6:
        raise ValueError("a camera that mirrors or is out of reach; expected a rotation and a translation")
    lens = (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px)
    if not all(1e-3 < focal < 1e6 for focal in lens[:2]) or max(map(abs, lens[2:])) > 1e6:
        raise ValueError(f"a lens of {lens}; expected focal lengths and a centre in pixels")
    full = Cameras(pose.float()[None], torch.tensor([lens]), camera.width, camera.height)
    if divisor == 1:
        return full
    return full.resized(max(1, camera.width // divisor), max(1, camera.height // divisor))


@torch.no_grad()
def render(scene: Scene, camera: Cameras, channel: protocol.Channel, *, depth: bool) -> Frame:
    """A channel of the scene from one camera [1], as a picture."""
    begun = time.perf_counter()
    if channel == "contributions":
        return _contributions(scene, camera, begun)
    want = {"rgb", "alpha"} | ({channel} - {"rgb", "alpha"}) | ({"depth"} if depth else set())
    shot = scene.render(camera, want=want)[0]
    return Frame(
        _coloured(shot, channel),
        shot.alpha.clamp(0, 1).nan_to_num(0.0) if channel != "alpha" else torch.ones_like(shot.alpha),
        shot.mean_depth() if depth else None,
        time.perf_counter() - begun,
    )


def _coloured(shot: Rendering, channel: protocol.Channel) -> Float[Tensor, "H W 3"]:
    if channel == "rgb":
        return shot.rgb.nan_to_num(0.0)
    if channel == "alpha":
        return shot.alpha.expand(*shot.alpha.shape[:2], 3)
    if channel == "normal":
        if shot.normal is None:
            raise ValueError("this kind of scene has no normals; choose another channel")
        return ((shot.normal + shot.alpha) / 2).nan_to_num(0.0)
    mean = shot.mean_depth()
    seen = mean[mean.isfinite() & (shot.alpha > 0.5)]
    low, high = (float(seen.min()), float(seen.max())) if seen.numel() else (0.0, 1.0)
    grey = 1 - ((mean - low) / max(high - low, 1e-6)).clamp(0, 1) * 0.9
    return (grey.nan_to_num(0.0) * shot.alpha).expand(*shot.alpha.shape[:2], 3)


def _contributions(scene: Scene, camera: Cameras, begun: float) -> Frame:
    """How many Gaussians each pixel blends, dark to light on a scale of logarithms."""
    if not isinstance(scene, Gaussians):
        raise ValueError("only Gaussians have contributions that can be counted; choose another channel")
    antialiased = bool(scene.antialiased)
    _, weights = contributors(*scene.geometry, camera, MOST_COUNTED, antialiased=antialiased)
    count = (weights[0] > 0).sum(-1, keepdim=True)
    share = count.float().log1p() / math.log1p(MOST_COUNTED)
    return Frame(ramp(1 - share) * (count > 0), (count > 0).float(), None, time.perf_counter() - begun)


def ramp(place: Float[Tensor, "*S 1"]) -> Float[Tensor, "*S 3"]:
    """Colours from light (0) to dark (1)."""
    colours = torch.tensor(NEAR_TO_FAR)
    at = place.clamp(0, 1) * (len(colours) - 1)
    below = at[..., 0].long().clamp(max=len(colours) - 2)
    return torch.lerp(colours[below], colours[below + 1], at - below[..., None])


def pack(
    frame: Frame, *, kind: int = FRAME, layer: int, seq: int, pane: int, last: bool, exact: bool
) -> bytes:
    """The binary message of a frame; `exact` is without loss."""
    pixels = to_bytes(frame.rgb).contiguous().numpy()
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if exact:
        image.save(buffer, "PNG", compress_level=1)
    else:
        image.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    near, far, depth = (1.0, 1.0, b"") if frame.depth is None else _depth(frame)
    header = FrameHeader(
        kind=kind,
        codec=PNG if exact else JPEG,
        layer=layer,
        seq=seq,
        width=pixels.shape[1],
        height=pixels.shape[0],
        colour_bytes=buffer.tell(),
        near=near,
        far=far,
        pane=pane,
        last=int(last),
        has_depth=int(frame.depth is not None),
        milliseconds=round(1000 * frame.seconds),
    )
    return wire.pack(header, buffer.getvalue(), to_bytes(frame.alpha[..., 0]).numpy().tobytes(), depth)


def _depth(frame: Frame) -> tuple[float, float, bytes]:
    """Near, far and the 16-bit inverse depths of a frame; see `FrameHeader`."""
    assert frame.depth is not None
    inverse = frame.depth[..., 0].reciprocal()
    there = (inverse > MOST_DISTANT) & inverse.isfinite() & (frame.alpha[..., 0] > OPAQUE)
    seen = inverse[there]
    if not seen.numel():
        return 1.0, 1.0, bytes(2 * inverse.numel())
    least, most = (float(bound) for bound in torch.aminmax(seen))
    steps = (inverse - least) * (65534 / max(most - least, 1e-9)) + 1
    steps = torch.where(there, steps.clamp(1, 65535), 0.0).round()
    return 1 / most, 1 / least, steps.numpy().astype("<u2").tobytes()
