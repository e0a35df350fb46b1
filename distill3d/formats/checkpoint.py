"""Checkpoints of torch: tensors and plain values alone, and nothing that a file names is run."""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distill3d.errors import UserError

MAGIC = b"PK"
HEAD_BYTES = 1 << 20
"""The names of a checkpoint's tensors stand in its first record, `data.pkl`."""
SCALARS: list[Any] = [
    *[(np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")],
    np.dtype,
    *[type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")],
]
"""What NumPy's numbers are made of, which trainers keep beside the tensors as losses."""


def names(data: bytes, *words: str) -> bool:
    """Whether a checkpoint names all of these; nothing is read yet."""
    head = data[:HEAD_BYTES]
    return data.startswith(MAGIC) and all(word.encode() in head for word in words)


def read(data: bytes, expected: str) -> Any:
    """The content of a checkpoint, which should be `expected`."""
    if not data.startswith(MAGIC):
        raise UserError("not a checkpoint of torch 1.6 or later; expected a zip of tensors")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as container:
            unpacked = sum(record.file_size for record in container.infolist())
        if unpacked > len(data):
            raise UserError(f"{len(data)} bytes that unpack to {unpacked}; torch stores tensors as they are")
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals(SCALARS):
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # damaged bytes are a program to the unpickler, and can fail in any way
        reason = (str(error).splitlines() or [""])[0][:120]
        raise UserError(f"not a checkpoint of tensors ({reason}); expected {expected}") from error


def write(content: Any) -> bytes:
    """Tensors and plain values as a checkpoint."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def all_there(tensor: Tensor) -> bool:
    """Whether the checkpoint has bytes for every number, so that none is to be repeated without end."""
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
