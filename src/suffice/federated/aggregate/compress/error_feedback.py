"""What compression left out is not lost: it goes into the next update."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suffice.federated.arrays import Floats32, Ints, State

Compressor = Callable[[Floats32, np.random.Generator], Floats32]


class ErrorFeedback:
    """Each client adds what it could not send last time (Karimireddy et al., ICML 2019)."""

    def __init__(self, compress: Compressor) -> None:
        self._compress = compress
        self._left: dict[int, Floats32] = {}

    def offer(self, clients: Ints, delta: Floats32, rng: np.random.Generator) -> tuple[Floats32, Floats32]:
        """What the server reads of `delta` ``[K, P]`` of `clients`, and what is left over; nothing is kept yet."""
        wanted = delta + np.stack([self._left.get(int(client), np.zeros_like(delta[0])) for client in clients])
        sent = self._compress(wanted, rng)
        return sent, wanted - sent

    def settle(self, clients: Ints, left: Floats32) -> None:
        """Remember what is `left` ``[K, P]`` of those whose update was taken; one refused must leave no trace."""
        self._left |= {int(client): row for client, row in zip(clients, left, strict=True)}

    def state(self) -> State:
        """As arrays."""
        rows = np.stack(list(self._left.values())) if self._left else np.zeros((0, 0), dtype=np.float32)
        return {"clients": np.array(list(self._left), dtype=np.int64), "left": rows}

    def restore(self, state: State) -> None:
        """Take up what :meth:`state` saved."""
        self._left = {int(c): row for c, row in zip(state["clients"], state["left"].astype(np.float32), strict=True)}
