"""Flower's simulation (Ray): one client a virtual node, every node in every round."""

from __future__ import annotations

import logging

from federated_task import CLIENTS, ROUNDS, accuracy, finish, mark, network, train
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

logging.getLogger("flwr").setLevel(logging.ERROR)
client_app, server_app = ClientApp(), ServerApp()


@client_app.train()
def fit(message: Message, context: Context) -> Message:
    net = network()
    net.load_state_dict(message.content["arrays"].to_torch_state_dict())
    train(net, int(context.node_config["partition-id"]))
    record = RecordDict({"arrays": ArrayRecord(net.state_dict()), "metrics": MetricRecord({"num-examples": 100})})
    return Message(content=record, reply_to=message)


@server_app.main()
def main(grid: Grid, context: Context) -> None:
    def evaluate(round_index: int, arrays: ArrayRecord) -> MetricRecord:
        if round_index:
            mark()
        return MetricRecord({})

    strategy = FedAvg(fraction_train=1.0, fraction_evaluate=0.0, min_available_nodes=CLIENTS)
    result = strategy.start(grid, ArrayRecord(network().state_dict()), ROUNDS, evaluate_fn=evaluate)
    net = network()
    net.load_state_dict(result.arrays.to_torch_state_dict())
    finish(accuracy(net), alone=False)


if __name__ == "__main__":
    run_simulation(
        server_app, client_app, CLIENTS, backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
    )
