"""A vision transformer with random weights, saved and read as a learned one is; none is at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from distill3d.errors import UserError
from distill3d.extractor import FeatureMaps
from distill3d.extractors.transformer import Tokens, Transformer
from distill3d.lift.lifting import Lifting
from distill3d.pictures import shoot
from distill3d.representations.gaussians import Gaussians

transformers = pytest.importorskip("transformers")
SMALL = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 4,
    "image_size": 24,
}


@pytest.fixture(scope="module", params=["dinov2", "registers", "vit", "clip"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network of a kind, as the hub's copies of it lie on a disk."""
    path = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    t = transformers
    made: dict[str, Any] = {
        "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**SMALL)),
        "registers": lambda: t.Dinov2WithRegistersModel(t.Dinov2WithRegistersConfig(**SMALL)),
        "vit": lambda: t.ViTModel(t.ViTConfig(**SMALL, intermediate_size=16)),
        "clip": lambda: t.CLIPModel(
            t.CLIPConfig(
                vision_config=SMALL | {"intermediate_size": 16},
                text_config={"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
                             "intermediate_size": 8, "vocab_size": 16},
                projection_dim=8,
            )
        ),
    }  # fmt: skip
    made[request.param]().save_pretrained(path)
    kind = {"vit": "ViTImageProcessor", "clip": "CLIPImageProcessor"}.get(request.param, "BitImageProcessor")
    settings = {"image_processor_type": kind, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
    (path / "preprocessor_config.json").write_text(json.dumps(settings))
    return path


def opened(folder: Path, **settings: Any) -> Tokens:
    scene = Gaussians.start(count=50, opacity=0.9)
    return Transformer(model=str(folder), **settings).maps(scene, views=3, size=1, seed=0)


def test_tokens_of_patches_are_in_rows_as_the_picture_is(folder: Path) -> None:
    """A patch that changes changes its own token most."""
    network = opened(folder).network
    plain = torch.full((24, 24, 3), 0.5)
    marked = plain.clone()
    marked[8:12, 16:20] = torch.tensor([1.0, 0.0, 0.0])
    change = (network.tokens(marked, 0) - network.tokens(plain, 0)).norm(dim=-1)
    assert change.shape == (6, 6) and change.argmax() == 2 * 6 + 4


def test_maps_are_what_the_network_says_of_pictures_over_white(folder: Path) -> None:
    maps = opened(folder, rays=2)
    assert isinstance(maps, FeatureMaps) and maps.channels == 12 and not maps.words
    assert (maps.patch, maps.cameras.width, maps.pictured.width) == (2, 12, 24)
    picture = shoot(maps.scene, maps.pictured[1:2]).over((1.0, 1.0, 1.0))[0]
    pixels = (picture - torch.tensor([0.5, 0.4, 0.3])) / torch.tensor([0.2, 0.3, 0.4])
    with torch.no_grad():
        said = maps.network.model(pixels.permute(2, 0, 1)[None]).last_hidden_state[0, -36:]
    assert_close(
        maps[1].vectors.flatten(0, 1), torch.nn.functional.normalize(said, dim=-1), atol=1e-4, rtol=1e-3
    )


def test_other_sizes_and_layers_are_read(folder: Path) -> None:
    assert opened(folder, side=32)[0].vectors.shape == (8, 8, 12)
    first, last = opened(folder, layer=1)[0], opened(folder)[0]
    assert first.vectors.shape == last.vectors.shape and not torch.allclose(
        first.vectors, last.vectors, atol=0.1
    )
    for settings, sentence in (
        ({"side": 30}, "side 30 is not made of the network's patches of 4 pixels"),
        ({"layer": 3}, "layer 3 is not there"),
    ):
        with pytest.raises(UserError, match=sentence):
            opened(folder, **settings)


def test_what_it_says_is_lifted(folder: Path) -> None:
    maps = opened(folder)
    lifting = Lifting(maps.scene, maps, refine=2, damping=0.3)  # pyright: ignore[reportArgumentType]
    *_, last = lifting.steps()
    assert last.parts["seen"] > 0.9 and 0 < last.parts["reliability"] <= 1
    assert maps.judge(lifting.features, lifting.evidence.mass) == {}


def test_a_network_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    scene = Gaussians.start(count=3)
    for name in ("", str(tmp_path), "facebook/dinov2-small"):
        with pytest.raises(UserError, match=r"has no config\.json; expected a local copy .* hf download"):
            Transformer(model=name).maps(scene, views=1, size=8, seed=0)
    (tmp_path / "config.json").write_text('{"model_type": "dinov2"}')
    with pytest.raises(UserError, match="cannot be read") as said:
        Transformer(model=str(tmp_path)).maps(scene, views=1, size=8, seed=0)
    assert "\n" not in str(said.value)
    model = transformers.Dinov2Model(transformers.Dinov2Config(**SMALL))
    state = {name: values for name, values in model.state_dict().items() if "layer.1" not in name}
    model.save_pretrained(tmp_path, state_dict=state)
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "BitImageProcessor"}')
    with pytest.raises(UserError, match=r"lacks the weights encoder\.layer\.1"):
        Transformer(model=str(tmp_path)).maps(scene, views=1, size=8, seed=0)
    with pytest.raises(ValueError, match="0 rays"):
        Transformer(rays=0)
