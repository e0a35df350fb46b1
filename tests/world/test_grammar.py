"""Prompts and descriptions say the same thing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill3d.world.grammar import (
    RELATIONS,
    SIZES,
    SYNONYMS,
    Description,
    PromptError,
    Thing,
    UnknownWord,
    describe,
    vocabulary,
)
from distill3d.world.kinds import kinds
from distill3d.world.views import VIEWS

WORDS = vocabulary()
LABELS = {name: kind.labels for name, kind in kinds().items()}

shaded = st.tuples(
    st.sampled_from(["", "light ", "dark "]), st.sampled_from(WORDS["colour"] + WORDS["material"])
)
colours = shaded.map("".join)


@st.composite
def things(draw: st.DrawFn) -> tuple:
    """The fields of a `Thing`."""
    kind = draw(st.sampled_from(WORDS["kind"]))
    parts = draw(st.dictionaries(st.sampled_from(LABELS[kind]), colours, max_size=3))
    return kind, draw(st.none() | colours), draw(st.none() | st.sampled_from(SIZES)), parts


relations = st.none() | st.sampled_from(RELATIONS)


def described(first: tuple, second: tuple, relation: str | None, view: str | None) -> Description:
    named = (first,) if relation is None else (first, second)
    return Description(tuple(Thing(*fields) for fields in named), relation, view)


@settings(deadline=None)
@given(things(), things(), relations, st.none() | st.sampled_from(VIEWS))
def test_a_description_reads_its_own_text(
    first: tuple, second: tuple, relation: str | None, view: str | None
) -> None:
    description = described(first, second, relation, view)
    assert describe(description.text) == description


@settings(deadline=None)
@given(things(), things(), relations, st.sampled_from(VIEWS), st.booleans())
def test_the_view_may_stand_first_and_case_and_commas_do_not_matter(
    first: tuple, second: tuple, relation: str | None, view: str, loud: bool
) -> None:
    description = described(first, second, relation, view)
    prompt = f"{view} view of {description.subject}"
    assert describe(prompt.upper() if loud else prompt) == description
    assert describe(description.text.replace(",", "")) == description


def test_the_longest_prompt() -> None:
    description = describe(
        "a tiny dark red robot with blue eyes and a golden mouth on a wooden table, back view"
    )
    robot, table = description.things
    assert robot == Thing("robot", "dark red", "tiny", {"eyes": "blue", "mouth": "golden"})
    assert table == Thing("table", "wooden")
    assert (description.relation, description.view) == ("on", "back")


@pytest.mark.parametrize(
    ("prompt", "canonical"),
    [
        ("Robot", "a robot"),
        ("the big grey automobile", "a large gray car"),
        ("an orange cat with a blue eye", "an orange cat with blue eyes"),
        ("a cup on top of a table", "a mug on a table"),
        ("top view of a dog beside a kitten", "a dog next to a cat, overhead view"),
        ("a house in front of a castle, front view.", "a house in front of a castle, front view"),
    ],
)
def test_other_ways_to_say_it(prompt: str, canonical: str) -> None:
    assert describe(prompt).text == canonical


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("", 'the prompt is empty; name an object, such as "a red robot"'),
        ("a red", 'no object is named after "red"'),
        ("a red car robot", '"car" and "robot" stand side by side in "a red car robot"; put on, next to'),
        ("a red blue car", "two colours, red and blue, for one car"),
        ("a small tall car", "two sizes, small and tall, for one car"),
        ("a dark car", '"dark" must stand before a colour'),
        ("a mug on", 'an object is missing in "a mug on"'),
        ("a mug on a table on a car", "two relations"),
        ("a car with red mouth", "a car has no mouth in .* its parts are body, windows"),
        ("a car with wheels", "which colour have the wheels of the car"),
        ("a car with red", "what is red in"),
        ("a car with", '"with" what in "a car with"'),
        ("a car with red wheels and blue wheels", "two colours"),
        ("a car, red view", "which view is meant"),
        ("a front view car", "write the view at the end"),
        ("a with car", "no object is named"),
    ],
)
def test_a_wrong_prompt_is_answered_in_a_sentence(prompt: str, sentence: str) -> None:
    with pytest.raises(PromptError, match=sentence):
        describe(prompt)


def test_an_unknown_word_names_its_neighbours_and_the_size_of_the_world() -> None:
    with pytest.raises(UnknownWord) as raised:
        describe("a red robt")
    count = len({word for words in vocabulary().values() for word in words})
    assert str(raised.value).startswith('unknown word "robt" in "a red robt"; nearest known: robot, ')
    assert str(raised.value).endswith(f"the world knows {count} words (distill3d world lists them).")


def test_words_have_one_meaning() -> None:
    kinds_, parts = set(WORDS["kind"]), set(WORDS["part"])
    describing = set(WORDS["colour"] + WORDS["material"] + WORDS["shade"] + WORDS["size"])
    assert not kinds_ & describing
    assert not parts & describing
    assert len(describing) == sum(len(WORDS[name]) for name in ("colour", "material", "shade", "size"))
    assert set(SYNONYMS.values()) <= {word for words in WORDS.values() for word in words}
    assert not set(SYNONYMS) & (kinds_ | describing)


def test_descriptions_can_be_keys() -> None:
    assert len({describe("a red car"), describe("the red automobile"), describe("a blue car")}) == 2
