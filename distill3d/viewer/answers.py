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
    scene = stage.of(request.layer).showing.scene
    return (properties.array(scene, request.name, layer=request.layer, seq=request.seq),)


def _query(stage: Stage, request: protocol.RequestQuery) -> tuple[Any, ...]:
    name = stage.of(request.layer).name
    raise ValueError(f"{name} has no features, so nothing in it can be asked for; lift some onto it first")


def _pick(stage: Stage, request: protocol.RequestPick) -> tuple[Any, ...]:
    scene, camera = stage.of(request.layer).showing.scene, frames.cameras_of(request.camera)
    return (looks.pick(scene, camera, request.x_px, request.y_px, layer=request.layer, seq=request.seq),)


ANSWERS: dict[type, Callable[[Stage, Any], tuple[Any, ...]]] = {
    protocol.RequestDifference: _difference,
    protocol.RequestProperty: _property,
    protocol.RequestQuery: _query,
    protocol.RequestPick: _pick,
}
