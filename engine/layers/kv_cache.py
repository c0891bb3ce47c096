"""
Keys and values of earlier positions, for a decoder that computes one position at a time.

Three kinds behind one interface: `NoCache` recomputes the whole sequence at every step,
`DynamicCache` grows by blocks, `StaticCache` has memory of one size, at one address, for
torch.compile and CUDA graphs.
A stack of layers calls `begin` once per step, and each layer `update`.

The first `prefix` positions see each other in both directions; all later ones see what is before
them.
Rows of a batch whose prefix is shorter are padded, and `padding` is False where a position is none.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from voxgate.engine.errors import EngineError

BLOCK_POSITIONS = 128
"""By which a DynamicCache grows."""
WINDOW_POSITIONS = 256
"""
A StaticCache attends over a multiple of so many positions: few shapes occur, and a short sequence
does not read the memory of a long one.
"""


def visible(
    first: int, count: int, prefix: int, padding: Tensor | None, device: torch.device
) -> Tensor | None:
    """
    Return which keys each of `count` queries sees, from position `first`: bool (B or 1, 1, count,
    first + count), or None if each sees all of them.
    """
    total = first + count
    open_prefix = first == 0 and count <= prefix
    if padding is None and (count == 1 or open_prefix):
        return None
    keys = torch.arange(total, device=device)
    queries = keys[first:, None]
    sees = (keys <= queries) | ((queries < prefix) & (keys < prefix))
    if padding is None:
        return sees[None, None]
    real = nn.functional.pad(padding, (0, max(0, total - padding.shape[1])), value=True)
    return sees & real[:, None, None, :total]


class KVCache(ABC):
    """The interface of all kinds; `length` is the number of positions held."""

    def __init__(self, *, prefix: int = 0, padding: Tensor | None = None) -> None:
        self.prefix, self.padding = prefix, padding
        self._whole_padding = padding
        self.length = 0

    def restart(self) -> None:
        """Forget all positions, and have all rows again: for another pass over the same prefix."""
        self.padding, self.length = self._whole_padding, 0

    @abstractmethod
    def begin(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """
        Begin a step.

        Args:
            x: inputs of the new positions, (B, n, width).
            positions: (n,), for the rotary embedding.

        Returns: the inputs and positions to compute, and the mask of `visible`.
        """

    @abstractmethod
    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """
        Hold the new keys and values of a layer, (B, heads, n, head width) each; return all that the
        queries attend to.
        """

    @abstractmethod
    def keep(self, rows: Tensor) -> None:
        """Forget all rows of the batch but these, (b,) long."""

    def _keep_padding(self, rows: Tensor) -> None:
        self.padding = None if self.padding is None else self.padding[rows]


class NoCache(KVCache):
    """Hold the inputs and recompute every position at each step."""

    def __init__(self, *, prefix: int = 0, padding: Tensor | None = None) -> None:
        super().__init__(prefix=prefix, padding=padding)
        self._inputs: Tensor | None = None
        self._positions: Tensor | None = None

    def restart(self) -> None:
        """Forget the inputs: as `KVCache.restart`."""
        super().restart()
        self._inputs = self._positions = None

    def begin(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the inputs of all positions so far: as `KVCache.begin`."""
        if self._inputs is not None and self._positions is not None:
            x = torch.cat((self._inputs, x), dim=1)
            positions = torch.cat((self._positions, positions))
        self._inputs, self._positions, self.length = x, positions, x.shape[1]
        return x, positions, visible(0, self.length, self.prefix, self.padding, x.device)

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return them as they are: all positions are new."""
        return k, v

    def keep(self, rows: Tensor) -> None:
        """Forget the other rows: as `KVCache.keep`."""
        self._keep_padding(rows)
        self._inputs = None if self._inputs is None else self._inputs[rows]


class DynamicCache(KVCache):
    """Grow by blocks; a step copies one position and reads as many as there are."""

    def __init__(self, *, prefix: int = 0, padding: Tensor | None = None) -> None:
        super().__init__(prefix=prefix, padding=padding)
        self._first = 0
        self._stores: list[tuple[Tensor, Tensor]] = []

    def restart(self) -> None:
        """Forget the memory: as `KVCache.restart`."""
        super().restart()
        self._stores = []

    def begin(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the new inputs alone: as `KVCache.begin`."""
        count = x.shape[1]
        self._first, self.length = self.length, self.length + count
        return x, positions, visible(self._first, count, self.prefix, self.padding, x.device)

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append: as `KVCache.update`."""
        if layer == len(self._stores):
            self._stores.append((self._room(k), self._room(v)))
        keys, values = self._stores[layer]
        if keys.shape[2] < self.length:
            self._stores[layer] = keys, values = self._room(k, keys), self._room(v, values)
        keys.narrow(2, self._first, k.shape[2]).copy_(k)
        values.narrow(2, self._first, v.shape[2]).copy_(v)
        return keys.narrow(2, 0, self.length), values.narrow(2, 0, self.length)

    def _room(self, like: Tensor, old: Tensor | None = None) -> Tensor:
        """Return memory for `length` positions, rounded up to a block, with the old ones in it."""
        capacity = -(-self.length // BLOCK_POSITIONS) * BLOCK_POSITIONS
        room = like.new_empty((*like.shape[:2], capacity, like.shape[3]))
        if old is not None:
            room.narrow(2, 0, self._first).copy_(old.narrow(2, 0, self._first))
        return room

    def keep(self, rows: Tensor) -> None:
        """Forget the other rows: as `KVCache.keep`."""
        self._keep_padding(rows)
        self._stores = [(keys[rows], values[rows]) for keys, values in self._stores]


class StaticCache(KVCache):
    """
    Memory of one size, used again from sequence to sequence (`reset`).

    A compiled step writes with `index_copy_` at a position that is a tensor, so that neither the
    number of the step nor an address is part of the graph.
    """

    def __init__(
        self,
        *,
        layers: int,
        rows: int,
        heads: int,
        capacity: int,
        head_width: int,
        like: Tensor,
    ) -> None:
        super().__init__()
        self.capacity = -(-capacity // WINDOW_POSITIONS) * WINDOW_POSITIONS
        shape = (rows, heads, self.capacity, head_width)
        self.keys = [like.new_zeros(shape) for _ in range(layers)]
        self.values = [like.new_zeros(shape) for _ in range(layers)]
        self.window = WINDOW_POSITIONS
        self._order = torch.arange(self.capacity, device=like.device)
        self._step = torch.zeros(1, dtype=torch.long, device=like.device)
        self.index = self._step
        self._real: Tensor | None = None

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return self.keys[0].shape[0]

    def reset(self, *, prefix: int = 0, padding: Tensor | None = None) -> None:
        """Begin another sequence in the same memory."""
        self.prefix, self.padding, self.length = prefix, padding, 0
        self._whole_padding = padding
        self.window = WINDOW_POSITIONS
        self._real = (
            None
            if padding is None
            else nn.functional.pad(padding, (0, self.capacity - padding.shape[1]), value=True)
        )

    def begin(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """
        Return the new inputs alone: as `KVCache.begin`. The mask spans the window.

        Raises: EngineError if the sequence does not fit.
        """
        first, count = self.length, x.shape[1]
        if first + count > self.capacity:
            raise EngineError(
                f"a sequence of {first + count} positions does not fit into a static KV cache of "
                f"{self.capacity}; use a shorter chunk, or kv_cache=dynamic"
            )
        self.length = first + count
        self.window = -(-self.length // WINDOW_POSITIONS) * WINDOW_POSITIONS
        if count == 1:
            self.index = self._step.fill_(first)
            mask = (self._order[: self.window] <= self.index)[None, None, None]
            if self._real is not None:
                mask = mask & self._real[:, None, None, : self.window]
            return x, positions, mask
        self.index = self._order[first : self.length]
        sees = visible(first, count, self.prefix, self.padding, x.device)
        if sees is None:
            sees = self.index.new_ones((1, 1, count, self.length), dtype=torch.bool)
        return x, positions, nn.functional.pad(sees, (0, self.window - self.length), value=False)

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write in place: as `KVCache.update`, with the whole window."""
        keys, values = self.keys[layer], self.values[layer]
        keys.index_copy_(2, self.index, k)
        values.index_copy_(2, self.index, v)
        return keys[:, :, : self.window], values[:, :, : self.window]

    def keep(self, rows: Tensor) -> None:
        """Leave the rows: the memory has one size."""
