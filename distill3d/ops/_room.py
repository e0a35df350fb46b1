"""How much room to give to lists whose length only the device knows, without waiting for it.

The first list of a kind is waited for. After that its length is read back while later work runs, and the
room grows before it is short. For kernels that stay right when it is too small, as those of splatting do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

import torch
from torch import Tensor

HEADROOM = 1.5
"""Room for as many times the longest list seen."""
TIGHT = 0.8
"""Room is made anew once a list takes more than this part of it."""
KINDS = 64


def grown(room: int, needed: int) -> int:
    """The room to have after a list of length `needed`."""
    return room if needed <= TIGHT * room else int(HEADROOM * needed) + 1


@dataclass
class _Kind:
    """One kind of list, and the reading of its length that is under way."""

    room: int
    length: Tensor = field(default_factory=lambda: torch.empty(1, dtype=torch.int64, pin_memory=True))
    read: torch.cuda.Event = field(default_factory=torch.cuda.Event)
    reading: bool = False

    def look(self, needed: Tensor) -> None:
        """Take in the reading under way if it is there, and then begin another."""
        if self.reading and self.read.query():
            self.room = grown(self.room, int(self.length))
            self.reading = False
        if not self.reading:
            self.length.copy_(needed, non_blocking=True)
            self.read.record()
            self.reading = True


_kinds: OrderedDict[Hashable, _Kind] = OrderedDict()


def room_for(kind: Hashable, needed: Tensor) -> int:
    """Room for a list of length `needed` [1] int64, of the kind that `kind` names beside the device.

    On the CPU the length itself. Raises RuntimeError where a CUDA graph records a kind never made before.
    """
    if needed.device.type != "cuda":
        return int(needed)
    key = (needed.device, kind)
    recording = torch.cuda.is_current_stream_capturing()
    if key not in _kinds:
        if recording:
            raise RuntimeError(
                "a CUDA graph was given an operation that has not run at this size, so that the length of "
                "its lists is not known; run it once before recording the graph"
            )
        _kinds[key] = _Kind(grown(0, int(needed)))
        if len(_kinds) > KINDS:
            _kinds.popitem(last=False)
    _kinds.move_to_end(key)
    if not recording:
        _kinds[key].look(needed)
    return _kinds[key].room
