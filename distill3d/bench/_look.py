"""What a scene looks like to the exact classifier of the closed world, how colourful it is, and its picture.

After Wang et al. 2024, "Taming Mode Collapse in Score Distillation" (arXiv 2401.00909): with y what a
classifier sees in the picture x_c from camera c,

    inception quality  IQ = mean_c H(p(y | x_c))     low where every picture is clear
    inception variety  IV = H(mean_c p(y | x_c))     high where the pictures differ
    inception gain     IG = IV - IQ                  the mutual information of camera and class, in nats

There y is a class of photographs and the classifier a network. Here y is the side that the object shows, one
of `POSE_BINS`, and p(y | x) is Bayes' posterior over the world's own pictures, seen through noise of level
`NOISE_LEVEL`. An object that shows every side once has IQ near 0 and IV and IG near ln 12 = 2.48; one that is
a face from all sides has IV and IG of 0. Sides are told apart of kinds with a front alone.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from distill3d.camera import turntable
from distill3d.world.metrics import Renderer, turned
from distill3d.world.model import Model

FRAMES = 36
POSE_BINS = 12
ELEVATION_RAD = 0.3
CLASSIFIED_PX = 32
NOISE_LEVEL = 0.5
"""t of the cosine schedule, where signal and noise are equal: right pictures are still told apart."""
STRIP_FRAMES, STRIP_PX, STRIP_QUALITY = 6, 64, 75
AT_ONCE = 12  # pictures that are rendered together


@dataclass(frozen=True)
class Look:
    """How one scene looks from all around; JSON by `asdict`."""

    quality: float | None
    """IQ in nats; None for kinds without a front, as are the next two."""
    variety: float | None
    """IV in nats."""
    gain: float | None
    """IG in nats; ln 12 = 2.48 for a good object."""
    saturation: float
    """Mean saturation (HSV) of what is seen, over that of the truth; 1 is right, 2 is twice as colourful."""
    strip: str
    """Pictures from all around, the front first, side by side: WebP in base64."""


@torch.no_grad()
def look(
    render: Renderer, candidates: Sequence[Model], *, instance: int, rotation_rad: float, size: int
) -> Look:
    """How the scene that `render` shows at `size` px looks, beside the instances that the prior knows.

    instance: place among `candidates` of the one that fits best, when turned by `rotation_rad`.
    """
    scene, truths = _tour(render, size), _tours(tuple(candidates), size)
    quality = variety = gain = None
    if candidates[instance].has_front:
        quality, variety, gain = inception(posterior(scene.pictures, truths.pictures))
    return Look(
        quality,
        variety,
        gain,
        (scene.saturation / truths.saturation[instance].clamp_min(1e-3)).item(),
        _strip(render, rotation_rad, size),
    )


def posterior(scene: Float[Tensor, "F H W 3"], truths: Float[Tensor, "K F H W 3"]) -> Float[Tensor, "F P"]:
    """P(y | x): which of the P sides each picture shows, from turntables of K candidates that start in front.

    p(x) is the mixture of the candidates' pictures with a deviation of tan(π t / 2) for pictures in [-1, 1]
    with the energy of 16 x 16 pixels, at t = `NOISE_LEVEL`.
    """
    deviation = math.tan(NOISE_LEVEL * math.pi / 2) * scene.shape[1] / 16 / 2
    distances = torch.cdist(scene.flatten(1), truths.flatten(0, 1).flatten(1))
    by_render = torch.softmax(-0.5 * (distances / deviation).square(), -1)
    return by_render.unflatten(-1, (len(truths), POSE_BINS, -1)).sum((1, 3))


def inception(p: Float[Tensor, "F P"]) -> tuple[float, float, float]:
    """IQ, IV and IG in nats, of the class probabilities of each picture."""
    quality = torch.special.entr(p).sum(-1).mean().item()
    variety = torch.special.entr(p.mean(0)).sum().item()
    return quality, variety, variety - quality


@dataclass(frozen=True)
class _Tour:
    pictures: Tensor
    """Over white, [..., F, H, W, 3]."""
    saturation: Tensor
    """Mean of what is seen, [...]."""


@lru_cache(maxsize=4)
def _tours(candidates: tuple[Model, ...], size: int) -> _Tour:
    tours = [_tour(model.render, size) for model in candidates]
    return _Tour(*(torch.stack([getattr(t, name) for t in tours]) for name in ("pictures", "saturation")))


def _tour(render: Renderer, size: int) -> _Tour:
    """A turntable, drawn at the size that the scene was learned at and then averaged down."""
    cameras = turntable(FRAMES, elevation_rad=ELEVATION_RAD, width=size, height=size)
    pictures, chroma, seen = [], torch.zeros(()), torch.zeros(())
    for i in range(0, FRAMES, AT_ONCE):
        shot = render(cameras[i : i + AT_ONCE])
        alpha = shot.alpha.cpu().clamp(0, 1)
        brightest, darkest = shot.rgb.cpu().clamp(0, 1).aminmax(dim=-1, keepdim=True)[::-1]
        saturation = (brightest - darkest) / brightest.clamp_min(1e-6)
        chroma, seen = chroma + (alpha * saturation).sum(), seen + alpha.sum()
        over_white = shot.over((1.0, 1.0, 1.0)).cpu().clamp(0, 1).movedim(-1, 1)
        pictures.append(adaptive_avg_pool2d(over_white, CLASSIFIED_PX).movedim(1, -1))
    return _Tour(torch.cat(pictures), chroma / seen.clamp_min(1e-6))


def _strip(render: Renderer, rotation_rad: float, size: int) -> str:
    cameras = turntable(STRIP_FRAMES, elevation_rad=ELEVATION_RAD, width=size, height=size)
    pictures = render(turned(cameras, -rotation_rad)).over((1.0, 1.0, 1.0)).cpu().clamp(0, 1)
    pixels = (torch.cat(list(pictures), 1) * 255).round().to(torch.uint8).numpy()
    image = Image.fromarray(pixels).resize((STRIP_FRAMES * STRIP_PX, STRIP_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=STRIP_QUALITY)
    return base64.b64encode(buffer.getvalue()).decode()


def strip_image(strip: str) -> Image.Image:
    """The pictures of `Look.strip`."""
    return Image.open(io.BytesIO(base64.b64decode(strip))).convert("RGB")
