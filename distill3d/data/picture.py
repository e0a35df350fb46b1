"""One picture file as numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from distill3d.errors import UserError

ORIENTATION, ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)
"""The tag in which cameras say how they were held, and its values for quarter turns (EXIF 2.3, 4.6.4)."""


def lies_on_its_side(image: Image.Image) -> bool:
    """Whether an opened picture says of itself that it stands upright after a quarter turn."""
    return image.getexif().get(ORIENTATION) in ON_ITS_SIDE


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as it says of itself."""
    return ImageOps.exif_transpose(image)


def in_mode(image: Image.Image, mode: str) -> Float[np.ndarray, "H W *C"]:
    """An opened picture in PIL's RGBA or L, in [0, 1]. Raises ValueError for pixels of no known white."""
    if image.mode.startswith("I"):  # 16 bits of grey, which PIL would clip at 255
        grey = np.asarray(image, dtype=np.float32) / 65535
        return grey if mode == "L" else np.stack([grey, grey, grey, np.ones_like(grey)], -1)
    if image.mode == "F":
        raise ValueError("its pixels are floats, and which of them is white is not known")
    return np.asarray(image.convert(mode), dtype=np.float32) / 255


def read(path: Path | str) -> Float[Tensor, "H W 4"]:
    """Colour in [0, 1], premultiplied by alpha; alpha is 1 where the file has none. Raises UserError."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"no picture {path}: there is no such file; expected a PNG or JPEG")
    try:
        with Image.open(path) as image:
            rgba = torch.from_numpy(in_mode(image, "RGBA"))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path} is not a picture that can be read ({error}); expected a PNG or JPEG"
        ) from error
    return torch.cat([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], -1)
