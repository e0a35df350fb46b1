"""What primitives mean: parts that have names, and features that have directions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from distill3d import files
from distill3d.errors import UserError
from distill3d.representations._extra import Extra
from distill3d.representations.gaussians import Gaussians
from distill3d.viewer.meaning import Features, Parts, meaning_of
from tests.viewer.conftest import Serve, talking

CASTLE = Path(__file__).parents[2] / "scenes" / "castle.ply"


def test_a_part_is_like_itself_and_fits_its_name() -> None:
    parts = Parts(("red roof", "wall", "roofs"), torch.tensor([0, 1, 2, 1]))
    assert parts.like_primitive(1).tolist() == [0, 1, 0, 1]
    assert parts.like_words("the Roof!").tolist() == [1, 0, 0, 0]
    assert len({tuple(c) for c in parts.colours().tolist()}) == 3
    with pytest.raises(ValueError, match="red roof, wall, roofs"):
        parts.like_words("sea")


def test_colours_of_features_know_neither_where_they_point_nor_how_long_they_are() -> None:
    """A common shift and scale change nothing; the first component has the most spread of values."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(500, 8, generator=generator) * torch.tensor([9.0, 5, 3, 1, 0.1, 0.1, 0.1, 0.1])
    colours = Features(vectors, "f").colours()
    assert torch.allclose(Features(3 * vectors + 7, "f").colours(), colours, atol=1e-4)
    along = [torch.corrcoef(torch.stack([colours[:, i], vectors[:, i]]))[0, 1].abs() for i in range(3)]
    assert min(along) > 0.95


def test_features_are_compared_by_their_direction() -> None:
    vectors = torch.tensor([[1.0, 0, 0], [2.0, 0, 0], [0, 1.0, 0], [-1.0, 0, 0]])
    features = Features(vectors, "f")
    assert torch.allclose(features.like_primitive(0), torch.tensor([1.0, 1, 0, -1]))
    with pytest.raises(ValueError, match="click"):
        features.like_words("roof")


def test_columns_of_vectors_in_a_file_are_features(tmp_path: Path) -> None:
    made = Gaussians.start(count=20)
    made.extra = Extra({"clip": torch.randn(20, 4), "confidence": torch.rand(20)})
    files.save(made, tmp_path / "lifted.safetensors")
    meaning = meaning_of(files.load(tmp_path / "lifted.safetensors"))
    assert isinstance(meaning, Features) and meaning.label == "clip"
    assert meaning_of(Gaussians.start(count=20)) is None


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"labels": ["a"], "part": [0]}', '{"labels": [], "part": [0, 0]}']
)
def test_parts_that_do_not_fit_are_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "ball.parts.json").write_text(content)
    with pytest.raises(UserError, match="does not fit"):
        meaning_of(Gaussians.start(count=2), tmp_path / "ball.ply")


def test_a_page_asks_for_the_roofs_of_the_castle(serve: Serve) -> None:
    server = serve(CASTLE)
    content = json.loads(CASTLE.with_name("castle.parts.json").read_text())
    roofs = np.array(content["part"]) == content["labels"].index("roofs")
    with talking(server) as talk:
        (layer,) = talk.hello(server.token)["layers"]
        assert layer["queries"] and "meaning" in [p["name"] for p in layer["properties"]]
        for question in (
            {"text": "roofs", "primitive": None},
            {"text": None, "primitive": int(roofs.argmax())},
        ):
            talk.ask("request_query", layer=0, **question)
            _, payload = talk.hear_bytes()
            assert (np.frombuffer(payload, np.float32).astype(bool) == roofs).all()
        talk.ask("request_query", layer=0, text="submarine", primitive=None)
        assert "roofs" in talk.hear_of("problem")["sentence"]
        talk.ask("request_query", layer=0, text=None, primitive=10**6)
        assert "expected" in talk.hear_of("problem")["sentence"]
        talk.ask("request_property", layer=0, name="meaning")
        header, payload = talk.hear_bytes()
        assert header.count * 3 == len(payload) == 3 * layer["primitives"]
