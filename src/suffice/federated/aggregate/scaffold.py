"""Correct each client's gradient for the direction its own data pulls in."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Floats, Floats32, Ints, State
from suffice.federated.updates import Updates


class ControlVariates:
    """SCAFFOLD's server variate c and client variates c_i, option II: ``c_i += -c - delta / (steps * rate)``.

    Karimireddy et al., *SCAFFOLD: Stochastic Controlled Averaging for Federated Learning*, ICML 2020. Only clients
    that took part hold a row. The server's variate weighs clients by `share` ``[N]``, as the objective does.
    """

    def __init__(self, share: Floats, size: int, learning_rate: float) -> None:
        self._share, self._learning_rate = share, learning_rate
        self._server = np.zeros(size)
        self._sent: Floats = self._server
        self._own: dict[int, Floats32] = {}

    def correction(self, clients: Ints) -> Floats32:
        """``[K, P]`` c - c_i, to be added to the gradients of a round."""
        self._sent = self._server.copy()
        server = self._server.astype(np.float32)
        return np.stack([server - self._own.get(int(client), np.float32(0.0)) for client in clients])

    def observe(self, updates: Updates) -> None:
        """Renew the variates of the clients in `updates`, given the server's as it was sent to them."""
        for client, delta, steps in zip(updates.clients, updates.delta, updates.steps, strict=True):
            change = (-self._sent - delta / (steps * self._learning_rate)).astype(np.float32)
            self._own[int(client)] = self._own.get(int(client), np.float32(0.0)) + change
            self._server += change * self._share[client]

    def state(self) -> State:
        """As arrays."""
        own = [self._own[client] for client in self._own]
        rows = np.stack(own) if own else np.zeros((0, len(self._server)), dtype=np.float32)
        return {"server": self._server, "clients": np.array(list(self._own), dtype=np.int64), "own": rows}

    def restore(self, state: State) -> None:
        """Take up what :meth:`state` saved."""
        self._server = state["server"].astype(np.float64)
        self._own = {
            int(client): row for client, row in zip(state["clients"], state["own"].astype(np.float32), strict=True)
        }
