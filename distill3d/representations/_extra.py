"""What a file says of each primitive beyond what is rendered: kept, carried along, and written again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

EXTRA = "extra."
"""What their names begin with in a scene's state."""


class Extra(nn.Module):
    """Columns with a row for each primitive, by the names that they have in files.

    Names are those of other programs, so they go past the checks on names of attributes.
    """

    def __init__(self, columns: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        self._put(columns or {})

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], prefix: str = EXTRA) -> Extra:
        """The columns that a scene's state holds under `prefix`."""
        extra = cls()
        extra._load_from_state_dict(state, prefix)
        return extra

    def _put(self, columns: Mapping[str, Tensor]) -> None:
        self._buffers.clear()
        self._buffers.update({name: values.detach().clone() for name, values in columns.items()})

    def _load_from_state_dict(self, state_dict: Mapping[str, Tensor], prefix: str, *rest: Any) -> None:
        """As nn.Module, for any columns."""
        self._put(
            {n.removeprefix(prefix): values for n, values in state_dict.items() if n.startswith(prefix)}
        )

    def put(self, name: str, values: Tensor) -> None:
        """Set one column, which is new or replaces that of its name."""
        self._buffers[name] = values.detach().clone()

    def take(self, rows: Tensor) -> None:
        """Keep these rows, in this order; a row may come more than once."""
        for name, values in self.named_buffers():
            self._buffers[name] = values[rows]
