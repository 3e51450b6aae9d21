"""A trainer as Flower's ClientApp."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from suffice.federated.devices.protocol import Trainer
from suffice.federated.flower.installed import flower_installed


def flower_client(make_trainer: Callable[[Any], Trainer]) -> Any:
    """A ``flwr.clientapp.ClientApp`` that trains with ``make_trainer(context)``, on whatever runtime that is.

    It understands the messages of :func:`~suffice.federated.flower.flower_strategy`: one flat array of weights, and
    ``local-steps``, ``batch-size`` and ``learning-rate`` in the configuration.
    """
    flower_installed()
    from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp

    app = ClientApp()

    @app.train()  # type: ignore[untyped-decorator]
    def train(message: Message, context: Context) -> Message:
        began_s, trainer = time.perf_counter(), make_trainer(context)
        (weights,), config = message.content["arrays"].to_numpy_ndarrays(), message.content["config"]
        trainer.set_weights(np.asarray(weights, dtype=np.float32))
        loss = trainer.evaluate()
        trainer.train_steps(int(config["local-steps"]), int(config["batch-size"]), float(config["learning-rate"]))
        seconds = time.perf_counter() - began_s
        metrics = MetricRecord({"num-examples": trainer.samples, "loss": float(loss), "seconds": seconds})
        arrays = ArrayRecord([trainer.get_weights()])
        return Message(content=RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    return app
