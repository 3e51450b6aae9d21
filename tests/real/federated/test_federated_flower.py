"""Our selector, optimiser and client inside Flower."""

from __future__ import annotations

import numpy as np
import pytest

flwr = pytest.importorskip("flwr", reason="Flower is not installed")

from flwr.app import ArrayRecord, Context, RecordDict  # noqa: E402
from flwr.supercore.task_identity import TaskIdentity  # noqa: E402

from suffice.federated.aggregate.optimisers import make_optimiser  # noqa: E402
from suffice.federated.cohort import evaluate  # noqa: E402
from suffice.federated.devices import TorchTrainer  # noqa: E402
from suffice.federated.flower import flower_client, flower_strategy  # noqa: E402
from suffice.federated.layout import Layout  # noqa: E402
from suffice.federated.tasks import DigitsTask  # noqa: E402

TASK = DigitsTask(12, gamma=1.0, style=False, model="logistic")
NODES = [10**15 + 7 * i for i in range(12)]


# Which task this process is, as Flower's own server would have said.
TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1


class Grid:
    """Twelve nodes that are always there."""

    def get_node_ids(self):
        return list(NODES)


def trainer(context) -> TorchTrainer:
    data = TASK.gather(np.array([NODES.index(context.node_id)]))
    return TorchTrainer(TASK.model(0), data.x, data.y)


def run(rounds: int, **options):
    """The weights after `rounds`, who was picked, and the metrics of the last round."""
    layout = Layout.of(TASK.model(0))
    strategy, app = flower_strategy(**options), flower_client(trainer)
    arrays = ArrayRecord([layout.flatten(TASK.model(0).state_dict()).astype(np.float32)])
    picked, metrics = [], None
    for round_index in range(1, rounds + 1):
        messages = list(strategy.configure_train(round_index, arrays, None, Grid()))
        picked.append([message.metadata.dst_node_id for message in messages])
        replies = []
        for message in messages:
            context = Context(
                run_id=1, node_id=message.metadata.dst_node_id, node_config={}, state=RecordDict(), run_config={}
            )
            replies.append(app(message, context))
        arrays, metrics = strategy.aggregate_train(round_index, replies)
    return arrays.to_numpy_ndarrays()[0], picked, metrics


@pytest.mark.parametrize("optimiser,rate", [("fedavg", 1.0), ("fedyogi", 0.05)])
def test_oort_and_our_optimiser_learn_the_digits(optimiser, rate):
    options = {"selector": "oort", "optimiser": optimiser, "learning_rate": rate, "count": 6}
    weights, picked, metrics = run(12, local_steps=20, local_learning_rate=0.3, **options)
    module = TASK.model(0)
    module.load_state_dict(Layout.of(module).unflatten(weights.astype(np.float64)))
    assert evaluate(module, "cross_entropy", TASK.test())[2][0] > 0.8
    assert all(len(set(nodes)) == 6 and set(nodes) <= set(NODES) for nodes in picked)
    assert metrics["clients"] == 6 and metrics["rejected"] == 0


def test_one_round_is_the_weighted_mean_of_what_the_trainers_did():
    layout = Layout.of(TASK.model(0))
    start = layout.flatten(TASK.model(0).state_dict())
    moved, weights = [], []
    for client in range(12):
        data = TASK.gather(np.array([client]))
        own = TorchTrainer(TASK.model(0), data.x, data.y)
        own.train_steps(5, 20, 0.05)
        moved.append(own.get_weights() - start)
        weights.append(own.samples)
    mean = np.array(weights) @ np.stack(moved) / sum(weights)
    expected = make_optimiser("fedavg", 1.0).step(start, mean, np.ones(len(start), bool))
    found, _, _ = run(1, selector="random", count=12)
    assert np.abs(found - expected).max() < 1e-6
