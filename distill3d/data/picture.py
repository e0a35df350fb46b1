"""One picture file as numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from distill3d.errors import UserError


def read(path: Path | str) -> Float[Tensor, "H W 4"]:
    """Colour in [0, 1], premultiplied by alpha; alpha is 1 where the file has none. Raises UserError."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"no picture {path}: there is no such file; expected a PNG or JPEG")
    try:
        with Image.open(path) as image:
            rgba = torch.from_numpy(np.asarray(image.convert("RGBA"), dtype=np.float32) / 255)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path} is not a picture that can be read ({error}); expected a PNG or JPEG"
        ) from error
    return torch.cat([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], -1)
