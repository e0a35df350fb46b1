"""A generated scene against the world's truth: how right it is (PSNR, IoU), how many faces it grew (Janus).

A prompt fixes an object up to its instance and its rotation about the vertical axis, since score distillation
is free to choose both. So a scene is measured against the instance and the rotation that fit it best, found
in two steps: each instance's rotation on turntables every 5 degrees, then the best of them, to 1 degree, on
held-out cameras. All pictures are compared over white.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import binary_fill_holes
from torch import Tensor

from distill3d.camera import Cameras, orbit, turntable
from distill3d.fusion import fuse, voxel_centres
from distill3d.rendering import Rendering
from distill3d.world.grammar import Description
from distill3d.world.model import Model

Renderer = Callable[[Cameras], Rendering]

FRAMES = 72
FRAME_DEG = 360 / FRAMES
TURNTABLE_ELEVATION_RAD = 0.3
SMALL_PX = 40  # turntables need not be larger
FRONT_DEG = 30
LONGEST_GAP = 2  # frames: two misread pictures do not split a face in two
SHORTEST_FACE = 3  # frames: one or two misread pictures do not make a face
ENTROPY_BINS = 12
HELD_OUT_VIEWS = 24
HELD_OUT_ELEVATIONS_DEG = (-10.0, 60.0)
FINALISTS = 3
LEAST_ERROR = 1e-10  # pictures that agree to the last bit count as 100 dB, so that reports stay finite


@dataclass(frozen=True)
class Poses:
    """What a turntable of a scene looks like to someone who knows the object."""

    faces: int
    """How many fronts the turntable shows (poses within 30 degrees); a good object has one."""
    repeats: int
    """How often the side that is shown most often is shown, be it the front or not; 1 for a good object."""
    janus: bool
    """Two faces or more, or another side that is shown twice or more."""
    pose_coherence: float
    """|mean exp(i (seen pose - camera azimuth))|: 1 for a consistent object, however it is turned."""
    pose_entropy: float
    """Of the seen poses in 12 bins, in nats; ln 12 = 2.48 for a good object, 0 if every side is the same."""


@dataclass(frozen=True)
class WorldReport:
    """Measured numbers of one scene, JSON by `asdict`; poses are None for kinds without a front."""

    prompt: str
    psnr: float
    """dB, from the mean squared error of all held-out pictures over white; at most 100."""
    iou: float
    """Of the volumes of the scene's solid and the truth, 0 to 1."""
    instance: int
    """Place among the candidates of the one that fits best."""
    rotation_deg: float
    """How far that candidate is turned counter-clockwise seen from above, -180 to 180."""
    faces: int | None
    repeats: int | None
    janus: bool | None
    pose_coherence: float | None
    pose_entropy: float | None


def held_out(size: int) -> Cameras:
    """The fixed cameras that score a scene: low-discrepancy, from slightly below to well above.

    Azimuths step by 1/√2 turns and elevations evenly through -10 to 60 degrees. Training draws its cameras
    from a continuum, so it meets none of these; nothing but measuring may use them.
    """
    index = torch.arange(HELD_OUT_VIEWS)
    low, high = (math.radians(e) for e in HELD_OUT_ELEVATIONS_DEG)
    azimuths_rad = torch.remainder(index * (2 * math.pi / math.sqrt(2)), 2 * math.pi)
    elevations_rad = low + (high - low) * (index + 0.5) / HELD_OUT_VIEWS
    return orbit(azimuths_rad, elevations_rad, width=size, height=size)


@torch.no_grad()
def measure(
    render: Renderer,
    description: Description,
    *,
    candidates: Sequence[Model],
    size: int = 64,
    resolution: int = 64,
) -> WorldReport:
    """Numbers of the scene that `render` shows, against the best of `candidates`, the prior's instances.

    `render` must give depth. `size` is that of the held-out pictures in pixels, `resolution` the voxels a
    side for the IoU. Turntables of the candidates are kept, so measuring again with the same models is
    cheaper.
    """
    if not candidates:
        raise ValueError("no candidates to measure against; give the instances that the prior knows")
    factor = next(f for f in range(max(size // SMALL_PX, 1), 0, -1) if size % f == 0)
    small, small_px = _averaged(render, factor), size // factor
    scene, truth = _tour(small, small_px), _tours(tuple(candidates), small_px)
    best, rotation_rad = _aligned(small, candidates, _squared_errors(scene.expand_as(truth), truth), small_px)
    cameras = held_out(size)
    target = _over_white(candidates[best].render, turned(cameras, rotation_rad))
    poses = read_poses(seen_poses(scene, truth)) if candidates[best].has_front else None
    return WorldReport(
        prompt=description.text,
        psnr=psnr(_over_white(render, cameras), target),
        iou=iou(render, candidates[best], rotation_rad, resolution=resolution),
        instance=best,
        rotation_deg=math.degrees(math.remainder(rotation_rad, 2 * math.pi)),
        faces=poses.faces if poses else None,
        repeats=poses.repeats if poses else None,
        janus=poses.janus if poses else None,
        pose_coherence=poses.pose_coherence if poses else None,
        pose_entropy=poses.pose_entropy if poses else None,
    )


def turned(cameras: Cameras, rotation_rad: float) -> Cameras:
    """Cameras that see an object as `cameras` would if it were turned by `rotation_rad` about +z."""
    cos, sin = math.cos(rotation_rad), math.sin(rotation_rad)
    turn = cameras.world_to_camera.new_tensor(
        [[cos, -sin, 0, 0], [sin, cos, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    )
    return replace(cameras, world_to_camera=cameras.world_to_camera @ turn)


def psnr(pictures: Float[Tensor, "*B"], truth: Float[Tensor, "*B"]) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1], from their mean squared error; at most 100."""
    return -10 * math.log10(max((pictures - truth).square().mean().item(), LEAST_ERROR))


def iou(render: Renderer, model: Model, rotation_rad: float = 0.0, *, resolution: int = 64) -> float:
    """Volume of the intersection over the union of a scene's solid and a model turned by `rotation_rad`.

    The scene's solid is fused from its renders; the model's is where its signed distance is negative. Closed
    cavities count as solid in both, for no picture can tell (a mug is closed by its coffee).
    """
    scene = fuse(render, resolution=resolution, size_px=2 * resolution).inside.cpu()
    cos, sin = math.cos(rotation_rad), math.sin(rotation_rad)
    to_model = torch.tensor([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    points = voxel_centres(resolution, 1.0).reshape(-1, 3) @ to_model.T
    truth = (model.signed_distance(points) < 0).reshape(scene.shape)
    scene, truth = _without_cavities(scene), _without_cavities(truth)
    return ((scene & truth).sum() / (scene | truth).sum().clamp_min(1)).item()


def _without_cavities(inside: Bool[Tensor, "N N N"]) -> Bool[Tensor, "N N N"]:
    return torch.from_numpy(binary_fill_holes(inside.numpy()))


def seen_poses(scene: Float[Tensor, "F D"], truth: Float[Tensor, "K F D"]) -> Int[Tensor, " F"]:
    """For every frame of a turntable of flat pictures the frame of the candidates' that looks most like it.

    Colours are matched first, so that a scene that is too dark or too saturated as a whole is still read.
    """
    return _squared_errors(_colour_matched(scene, truth), truth).amin(1).argmin(-1)


def read_poses(seen: Int[Tensor, " F"]) -> Poses:
    """Poses from a turntable of F frames: frame i, at i / F turns, looks like the truth at `seen` / F.

    A front that fills more of the circle than one should counts as the faces that would fit in it. A scene
    may also show its back or a flank all around: so the runs of every side count, and a long one as two only
    if it is twice as long as it should be, since some side is always shown a little too long.
    """
    step_rad = 2 * math.pi / len(seen)
    offset_rad = (seen - torch.arange(len(seen))) * step_rad
    coherence = torch.polar(torch.ones(len(seen)), offset_rad.float()).mean().abs().item()
    share = torch.bincount(seen * ENTROPY_BINS // len(seen), minlength=ENTROPY_BINS) / len(seen)
    honest = 2 * FRONT_DEG / 360 * len(seen)
    faces = sum(max(1, round(length / honest)) for length in _shown(seen, 0))
    repeats = max(
        sum(max(1, int(length / (honest + 1))) for length in _shown(seen, side)) for side in range(len(seen))
    )
    entropy = torch.special.entr(share).sum().item()
    return Poses(faces, repeats, repeats >= 2 or faces >= 2, coherence, entropy)


def _shown(seen: Int[Tensor, " F"], side: int) -> list[int]:
    """How many frames in a row show the side around the pose `side`, run by run around the circle.

    Gaps of up to `LONGEST_GAP` frames are closed first and runs shorter than `SHORTEST_FACE` are dropped, so
    that single misread pictures neither split a face nor make one.
    """
    step_rad = 2 * math.pi / len(seen)
    # the tolerance keeps frames at exactly 30 degrees, whatever the rounding of the cosine
    shown = ((seen - side) * step_rad).cos() >= math.cos(math.radians(FRONT_DEG)) - 1e-6
    closed = _without_short_runs(shown.tolist(), of=False, shortest=LONGEST_GAP + 1)
    return [
        length for flag, length in _runs(_without_short_runs(closed, of=True, shortest=SHORTEST_FACE)) if flag
    ]


def _without_short_runs(flags: list[bool], *, of: bool, shortest: int) -> list[bool]:
    """A circle of flags, begun elsewhere, in which runs of `of` shorter than `shortest` are switched."""
    runs = _runs(flags)
    return [
        flag if len(runs) == 1 or flag != of or length >= shortest else not of
        for flag, length in runs
        for _ in range(length)
    ]


def _runs(flags: list[bool]) -> list[tuple[bool, int]]:
    """The runs of equal flags around a circle, and their lengths."""
    start = next((i for i, flag in enumerate(flags) if flag != flags[i - 1]), 0)
    return [(flag, len(list(run))) for flag, run in groupby(flags[start:] + flags[:start])]


def _aligned(
    render: Renderer, candidates: Sequence[Model], errors: Float[Tensor, "F K F"], size_px: int
) -> tuple[int, float]:
    """The best candidate and its rotation: rotations found by turntable, the winner by held-out cameras."""
    frame = torch.arange(FRAMES)
    cameras = held_out(size_px)
    scene = _over_white(render, cameras)

    def error(k: int, degrees: float) -> float:
        truth = _over_white(candidates[k].render, turned(cameras, math.radians(degrees)))
        return (scene - truth).square().mean().item()

    # by_shift[k, s]: the scene's frame a against candidate k turned by s frames, which shows its pose a - s
    by_shift = torch.stack([errors[frame, :, (frame - s) % FRAMES].mean(0) for s in range(FRAMES)], -1)
    degrees = [shift * FRAME_DEG for shift in by_shift.argmin(-1).tolist()]
    finalists = sorted(range(len(candidates)), key=lambda k: error(k, degrees[k]))[:FINALISTS]
    best = min((*_refined(lambda d, k=k: error(k, d), degrees[k]), k) for k in finalists)
    return best[2], math.radians(best[1])


def _refined(error: Callable[[float], float], degrees: float) -> tuple[float, float]:
    """The least error and where it is, by steps of 2 and then 1 degrees from a start right to 2.5."""
    best = (error(degrees), degrees)
    for step in (2.0, 1.0):
        best = min(best, *((error(d), d) for d in (best[1] - step, best[1] + step)))
    return best


def _colour_matched(scene: Float[Tensor, "F D"], truth: Float[Tensor, "K F D"]) -> Float[Tensor, "K F D"]:
    """The scene's turntable in the colours of each candidate's: mean and deviation of each channel agree.

    One gain and one offset serve a whole turntable, so they cannot hide what tells its frames apart.
    """
    scene, truth = scene.unflatten(-1, (-1, 3)), truth.unflatten(-1, (-1, 3))
    (scene_mean, scene_deviation), (mean, deviation) = (
        (x.mean((-3, -2), keepdim=True), x.std((-3, -2), keepdim=True)) for x in (scene, truth)
    )
    return ((scene - scene_mean) / scene_deviation.clamp_min(1e-3) * deviation + mean).flatten(2)


def _squared_errors(scene: Float[Tensor, "K F D"], truth: Float[Tensor, "K F D"]) -> Float[Tensor, "F K F"]:
    """Mean squared error of every frame of the scene (per candidate) against every frame of the candidate."""
    squares = [x.square().sum(-1) for x in (scene, truth)]
    squared = squares[0][:, :, None] + squares[1][:, None] - 2 * scene @ truth.mT
    return (squared / scene.shape[-1]).clamp_min(0).transpose(0, 1)


@lru_cache(maxsize=4)
def _tours(candidates: tuple[Model, ...], size_px: int) -> Float[Tensor, "K F D"]:
    return torch.stack([_tour(model.render, size_px) for model in candidates])


def _tour(render: Renderer, size_px: int) -> Float[Tensor, "F D"]:
    """A turntable that starts at the front, one flat picture a row."""
    cameras = turntable(FRAMES, elevation_rad=TURNTABLE_ELEVATION_RAD, width=size_px, height=size_px)
    return _over_white(render, cameras).flatten(1)


def _averaged(render: Renderer, factor: int) -> Renderer:
    """Small pictures of a scene as means over `factor` x `factor` pixels of large ones.

    A scene that was learned at one size must not be drawn at a smaller one: what is smaller than a pixel is
    drawn too fat or missed.
    """

    def small(image: Tensor) -> Tensor:
        channels_first = image.movedim(-1, -3)
        return torch.nn.functional.avg_pool2d(channels_first, factor).movedim(-3, -1)

    def render_small(cameras: Cameras) -> Rendering:
        large = render(cameras.resized(cameras.width * factor, cameras.height * factor))
        return Rendering(small(large.rgb), small(large.alpha))

    return render_small


def _over_white(render: Renderer, cameras: Cameras, *, batch: int = 24) -> Float[Tensor, "V H W 3"]:
    pictures = [render(cameras[i : i + batch]).over((1.0, 1.0, 1.0)) for i in range(0, len(cameras), batch)]
    return torch.cat(pictures).cpu().clamp(0, 1)
