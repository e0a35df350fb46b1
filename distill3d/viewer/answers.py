"""What a page's requests are answered with, messages and bytes; worked out in the thread that renders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from distill3d.viewer import frames, looks, properties, protocol
from distill3d.viewer.headers import DIFFERENCE
from distill3d.viewer.stage import Stage


def answer(stage: Stage, request: Any) -> tuple[Any, ...]:
    """The messages that answer a request. Raises ValueError, in a sentence, if it cannot be."""
    return ANSWERS[type(request)](stage, request)


def _difference(stage: Stage, request: protocol.RequestDifference) -> tuple[Any, ...]:
    first, second = (stage.of(number).showing.scene for number in (request.layer, request.other))
    camera = frames.cameras_of(request.camera)
    scores, frame = looks.difference(first, second, camera, request.background, seq=request.seq)
    numbers = {"layer": request.layer, "seq": request.seq, "pane": 0}
    return scores, frames.pack(frame, kind=DIFFERENCE, last=True, exact=True, **numbers)


def _property(stage: Stage, request: protocol.RequestProperty) -> tuple[Any, ...]:
    entry, numbers = stage.of(request.layer), {"layer": request.layer, "seq": request.seq}
    return (properties.array(entry.showing.scene, entry.meaning, request.name, **numbers),)


def _query(stage: Stage, request: protocol.RequestQuery) -> tuple[Any, ...]:
    entry = stage.of(request.layer)
    if entry.meaning is None:
        raise ValueError(f"{entry.name} has no parts and no features, so nothing in it can be asked for")
    if request.text is not None:
        values = entry.meaning.like_words(request.text)
    elif request.primitive is not None and request.primitive < entry.showing.primitives:
        values = entry.meaning.like_primitive(request.primitive)
    else:
        raise ValueError(f"expected words, or a primitive below {entry.showing.primitives}")
    return (properties.pack(values, layer=request.layer, seq=request.seq),)


def _pick(stage: Stage, request: protocol.RequestPick) -> tuple[Any, ...]:
    scene, camera = stage.of(request.layer).showing.scene, frames.cameras_of(request.camera)
    return (looks.pick(scene, camera, request.x_px, request.y_px, layer=request.layer, seq=request.seq),)


ANSWERS: dict[type, Callable[[Stage, Any], tuple[Any, ...]]] = {
    protocol.RequestDifference: _difference,
    protocol.RequestProperty: _property,
    protocol.RequestQuery: _query,
    protocol.RequestPick: _pick,
}
