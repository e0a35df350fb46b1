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
from distill3d.viewer import wire
from distill3d.viewer.meaning import Features, Parts, meaning_of
from distill3d.viewer.properties import FROM_FILE, MAPS, array, properties_of
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


def spoken(tmp_path: Path) -> Path:
    """A scene with features of a model that reads: along x it is roof, along y wall; and its words."""
    made = Gaussians.start(count=3)
    vectors = torch.tensor([[2.0, 0, 0, 0], [0, 3.0, 0, 0], [1.0, 1.0, 0, 0]])
    made.extra = Extra({"clip": vectors, "confidence": torch.tensor([0.1, 0.5, 0.9])})
    files.save(made, tmp_path / "house.safetensors")
    words = {"Roof": [5.0, 0, 0, 0], "wall": [0, 0.1, 0, 0], "front door": [0, 0, 0, 1.0]}
    (tmp_path / "house.words.json").write_text(json.dumps({"words": words}))
    return tmp_path / "house.safetensors"


def test_words_beside_a_file_are_asked_for_by_the_cosine_to_their_vectors(tmp_path: Path) -> None:
    """Neither the length of a word's vector counts nor a feature's; of two words, the mean direction does."""
    path = spoken(tmp_path)
    features = meaning_of(files.load(path), path)
    assert isinstance(features, Features)
    half = 0.5**0.5
    for text, expected in (
        ("the roof", [1, 0, half]),
        ("WALL!", [0, 1, half]),
        ("roof and wall", [half, half, 1]),
        ("front door", [0.0, 0, 0]),
    ):
        torch.testing.assert_close(features.like_words(text), torch.tensor(expected), atol=1e-6, rtol=0)
    for unknown in ("door", "submarine", "!"):
        with pytest.raises(ValueError, match="roof, wall, front door"):
            features.like_words(unknown)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"words": [1]}',
        '{"words": {"a": [1, 2]}}',
        '{"words": {"": [1, 2, 3, 4]}}',
        '{"words": {"a": [NaN, 1, 2, 3]}}',
        '{"words": {"a": "b"}}',
    ],
)
def test_words_that_do_not_fit_are_a_sentence(tmp_path: Path, content: str) -> None:
    path = spoken(tmp_path)
    path.with_name("house.words.json").write_text(content)
    with pytest.raises(UserError, match=r"words\.json does not fit .* 4 finite numbers"):
        meaning_of(files.load(path), path)


def test_maps_of_trust_stand_before_what_follows_from_the_shape(tmp_path: Path) -> None:
    made = Gaussians.start(count=4)
    columns = {"reliability": torch.rand(4, 1), "class_id": torch.arange(4).int(), "progress": torch.rand(4)}
    for suffix in ("safetensors", "ply"):
        kept = (
            ("reliability", "class_id", "progress") if suffix == "safetensors" else ("class_id", "progress")
        )
        made.extra = Extra({name: columns[name] for name in kept})
        files.save(made, tmp_path / f"scene.{suffix}")
        scene = files.load(tmp_path / f"scene.{suffix}")
        labels = [p.label for p in properties_of(scene, None) if p.kind == "scalar"]
        assert labels[: len(kept) - 1] == [name for name in MAPS if name in kept]
        assert labels[-1] == "class_id, from the file"
        name = f"{FROM_FILE}progress"
        header, payload = wire.unpack(array(scene, None, name, layer=0, seq=1))
        assert header.count == 4
        assert np.allclose(np.frombuffer(payload, np.float32), columns["progress"], atol=1e-6)
