"""Our selectors and server optimisers as Flower's Strategy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from suffice.federated.aggregate import fold, partial_of, screen
from suffice.federated.aggregate.optimisers import make_optimiser
from suffice.federated.aggregate.weightings import by_samples
from suffice.federated.arrays import Floats, Ints
from suffice.federated.flower.installed import flower_installed
from suffice.federated.selectors import Feedback, Moment, Population, make_selector
from suffice.federated.traces import Traces
from suffice.federated.updates import Updates


class Rounds:
    """What a strategy remembers: which client is which node, what the selector learnt, the optimiser, the weights.

    Holds nothing of Flower's, so it can be read, and tested, without.
    """

    def __init__(self, selector: str, optimiser: str, learning_rate: float, nodes_max: int, norm_max: float) -> None:
        ones, nobody_knows = np.ones(nodes_max, dtype=np.int64), np.ones(nodes_max)
        population = Population(ones, nobody_knows, np.zeros(nodes_max, dtype=np.int64), Traces.always(nodes_max))
        self._selector, self._optimiser = make_selector(selector, population), make_optimiser(optimiser, learning_rate)
        self._client_of: dict[int, int] = {}
        self._norm_max = norm_max
        self.weights: Floats = np.zeros(0)
        self.rejected = 0

    def select(self, nodes: Iterable[int], count: int, round_index: int) -> list[int]:
        """`count` of the nodes connected, as the selector likes."""
        online = np.array([self._client_of.setdefault(node, len(self._client_of)) for node in nodes], dtype=np.int64)
        node_of = {client: node for node, client in self._client_of.items()}
        rng = np.random.default_rng([round_index, 0xF10])
        chosen = self._selector.select(np.sort(online), count, Moment(round_index, float(round_index)), rng)
        return [node_of[int(client)] for client in chosen]

    def step(self, nodes: list[int], found: list[Floats], told: list[dict[str, float]], round_index: int) -> Floats:
        """Fold the weights ``found`` that ``nodes`` came back with, take the server's step, learn of the clients."""
        clients = np.array([self._client_of[node] for node in nodes], dtype=np.int64)
        samples = np.array([int(one["num-examples"]) for one in told], dtype=np.int64)
        loss = np.array([one["loss"] for one in told])
        delta = (np.stack(found) - self.weights).astype(np.float32)
        steps = np.ones(len(clients), dtype=np.int64)
        kept = screen(Updates(clients, delta, samples, loss, loss, steps), norm_max=self._norm_max)
        self.rejected += len(clients) - len(kept.clients)
        total = fold([partial_of(kept, by_samples)], len(self.weights))
        self._observe(kept.clients, clients, samples, loss, np.array([one["seconds"] for one in told]), round_index)
        if total.reports:
            self.weights = self._optimiser.step(self.weights, total.mean, np.ones(len(self.weights), dtype=bool))
        return self.weights

    def _observe(
        self, kept: Ints, clients: Ints, samples: Ints, loss: Floats, seconds: Floats, round_index: int
    ) -> None:
        completed = np.isin(clients, kept)
        self._selector.observe(Feedback(round_index, clients, completed, samples, loss, loss, seconds))


def flower_strategy(
    *,
    selector: str = "oort",
    optimiser: str = "fedavg",
    learning_rate: float = 1.0,
    count: int = 10,
    nodes_max: int = 100_000,
    norm_max: float = float("inf"),
    local_steps: int = 5,
    batch_size: int = 20,
    local_learning_rate: float = 0.05,
) -> Any:
    """A ``flwr.serverapp.strategy.Strategy`` for clients of :func:`~suffice.federated.flower.flower_client`.

    Args:
        selector, optimiser: names of :func:`~suffice.federated.selectors.make_selector` and
            :func:`~suffice.federated.aggregate.optimisers.make_optimiser`; learning_rate is the server's.
        count: clients a round. nodes_max: the most nodes that will ever connect.
        norm_max: longer updates are rejected.

    Start it with the model as one flat array: ``strategy.start(grid, ArrayRecord([weights]), num_rounds=…)``.
    """
    flower_installed()
    from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
    from flwr.serverapp.strategy import FedAvg

    rounds = Rounds(selector, optimiser, learning_rate, nodes_max, norm_max)
    told = ConfigRecord({"local-steps": local_steps, "batch-size": batch_size, "learning-rate": local_learning_rate})

    class SufficeStrategy(FedAvg):  # type: ignore[misc]
        def configure_train(self, server_round: int, arrays: Any, config: Any, grid: Any) -> list[Any]:
            rounds.weights = arrays.to_numpy_ndarrays()[0].astype(np.float64)
            record = RecordDict({"arrays": arrays, "config": told})
            nodes = rounds.select(grid.get_node_ids(), count, server_round)
            return [Message(content=record, message_type=MessageType.TRAIN, dst_node_id=node) for node in nodes]

        def aggregate_train(self, server_round: int, replies: Any) -> tuple[Any, Any]:
            sound = [reply for reply in replies if not reply.has_error()]
            if not sound:
                return None, None
            nodes = [reply.metadata.src_node_id for reply in sound]
            found = [reply.content["arrays"].to_numpy_ndarrays()[0].astype(np.float64) for reply in sound]
            metrics = [dict(reply.content["metrics"]) for reply in sound]
            weights = rounds.step(nodes, found, metrics, server_round)
            loss = float(np.mean([one["loss"] for one in metrics]))
            summary = MetricRecord({"clients": len(sound), "loss": loss, "rejected": rounds.rejected})
            return ArrayRecord([weights.astype(np.float32)]), summary

    return SufficeStrategy(fraction_evaluate=0.0)
