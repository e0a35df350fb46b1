"""What a file says of each primitive beyond what is rendered: kept, carried along, and written again."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

EXTRA = "extra."
"""What their names begin with in a scene's state."""


class Extra(nn.Module):
    """Columns with a row for each primitive, by the names that they have in files.

    Names are those of other programs, so they go past the checks on names of attributes.
    """

    def __init__(self, columns: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        for name, values in (columns or {}).items():
            self._buffers[name] = values.detach().clone()

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], prefix: str = EXTRA) -> Extra:
        """The columns that a scene's state holds under `prefix`."""
        return cls({n.removeprefix(prefix): values for n, values in state.items() if n.startswith(prefix)})

    def take(self, rows: Tensor) -> None:
        """Keep these rows, in this order; a row may come more than once."""
        for name, values in self.named_buffers():
            self._buffers[name] = values[rows]
