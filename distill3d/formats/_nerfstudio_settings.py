"""What stands beside a checkpoint of nerfstudio: config.yml, and dataparser_transforms.json.

config.yml is YAML whose tags name Python's objects. Only its tree of words is read here (`yaml.compose`):
nothing that a tag names is looked up, let alone made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from jaxtyping import Float64
from torch import Tensor

from distill3d.errors import UserError
from distill3d.rotation import scale_and_rotation

CONFIG, TRANSFORMS = "config.yml", "dataparser_transforms.json"
MAX_BYTES = 1 << 22


class Settings:
    """The plain values that config.yml gives to the model, by their names."""

    def __init__(self, words: dict[str, str]) -> None:
        self.words = words

    @classmethod
    def beside(cls, folder: Path) -> Settings:
        """Those of a checkpoint in `folder`, which nerfstudio calls nerfstudio_models."""
        path = _find(folder, CONFIG)
        if path is None:
            raise UserError(
                f"a field of nerfstudio without its {CONFIG}; expected that file beside the checkpoint or "
                "one folder up, where nerfstudio writes it"
            )
        return cls.read(_text(path), str(path))

    @classmethod
    def read(cls, text: str, name: str) -> Settings:
        """Those in the text of the file called `name`."""
        try:
            model = _at(yaml.compose(text, Loader=yaml.SafeLoader), ("pipeline", "model"))
        except (yaml.YAMLError, RecursionError) as error:
            raise UserError(
                f"{name} is no YAML ({str(error).splitlines()[0][:80]}); fetch it again"
            ) from error
        if not isinstance(model, yaml.MappingNode):
            raise UserError(f"{name} has no pipeline with a model; expected the {CONFIG} of a training")
        return cls(
            {
                str(key.value): str(value.value)
                for key, value in model.value
                if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode)
            }
        )

    def number(self, name: str, default: float) -> float:
        """A finite number."""
        try:
            value = float(self.words.get(name, default))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UserError(f"{CONFIG}: {name} is {self.words[name][:40]}; expected a number")
        return value

    def whole(self, name: str, default: int) -> int:
        """A whole number over 0."""
        value = self.number(name, float(default))
        if value != int(value) or not 0 < value < 1 << 31:
            raise UserError(f"{CONFIG}: {name} is {value:g}; expected a whole number over 0")
        return int(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        word = self.words.get(name, str(default)).lower()
        if word not in ("true", "false"):
            raise UserError(f"{CONFIG}: {name} is {word[:40]}; expected true or false")
        return word == "true"


def from_photographs(folder: Path) -> Float64[Tensor, "4 4"] | None:
    """From the photographs' world to the trainer's: a similarity; None where there is no file of it."""
    path = _find(folder, TRANSFORMS)
    if path is None:
        return None
    similarity = torch.eye(4, dtype=torch.float64)
    try:
        content = json.loads(_text(path))
        similarity[:3] = float(content["scale"]) * torch.tensor(content["transform"], dtype=torch.float64)
        scale_and_rotation(similarity)
    except (ValueError, TypeError, KeyError, RuntimeError, RecursionError) as error:
        raise UserError(
            f"{path} is no transform ({str(error)[:80]}); expected 3 rows of 4 numbers, and a scale"
        ) from error
    return similarity


def _find(folder: Path, name: str) -> Path | None:
    return next((path / name for path in (folder, folder.resolve().parent) if (path / name).is_file()), None)


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path} has {path.stat().st_size} bytes; at most {MAX_BYTES} are read")
    return path.read_text(encoding="utf-8", errors="replace")


def _at(node: Any, keys: Sequence[str]) -> Any:
    """The node that `keys` lead to; None where they lead nowhere."""
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for name, value in node.value if name.value == key), None)
    return node
