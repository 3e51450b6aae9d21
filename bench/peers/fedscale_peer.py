"""FedScale 1.0's own client, as its executor calls it: weights pickled down, TorchClient trains, results pickled up,
and the plain mean its aggregator takes. Its gRPC calls, its polling (0.1 and 1 s) and its data loader are left out,
which flatters it; momentum 0.9 and weight decay 5e-4 are fixed in its code, so its accuracy is another optimiser's.
"""

from __future__ import annotations

import logging
import pickle
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from federated_task import BATCH, CLIENTS, RATE, ROUNDS, X, Y, accuracy, finish, mark, network

# Its client imports these for language models and for testing, and they import half of PyPI.
for name, needed in (
    ("fedscale.dataloaders.nlp", "mask_tokens"),
    ("fedscale.utils.model_test_module", "test_pytorch_model"),
):
    sys.modules[name] = ModuleType(name)
    setattr(sys.modules[name], needed, None)

from fedscale.cloud.execution.torch_client import TorchClient  # noqa: E402

logging.disable(logging.INFO)
CONF = {
    "tokenizer": None,
    "local_steps": Y.shape[1] // BATCH,
    "batch_size": BATCH,
    "gradient_policy": "fed-avg",
    "learning_rate": RATE,
    "loss_decay": 0.2,
    "task": "cv",
    "model": "mlp",
}


class Batches(list):  # type: ignore[type-arg]
    """A client's mini-batches; `dataset` is what its client asks the number of samples of."""

    def __init__(self, client: int) -> None:
        x, y = torch.from_numpy(X[client]), torch.from_numpy(Y[client])
        super().__init__((x[first : first + BATCH], y[first : first + BATCH]) for first in range(0, len(y), BATCH))
        self.dataset = y


def main() -> None:
    net, args = network(), SimpleNamespace(use_cuda=False, task="cv")
    weights = [value.numpy() for value in net.state_dict().values()]
    for _ in range(ROUNDS):
        total = [np.zeros_like(value) for value in weights]
        for client in range(CLIENTS):
            received = pickle.loads(pickle.dumps(weights))
            net.load_state_dict(dict(zip(net.state_dict(), map(torch.from_numpy, received), strict=True)))
            conf = SimpleNamespace(client_id=client, **CONF)
            result = pickle.loads(pickle.dumps(TorchClient(args).train(Batches(client), net, conf)))
            assert result["success"]
            total = [a + b for a, b in zip(total, result["update_weight"].values(), strict=True)]
        weights = [value / CLIENTS for value in total]
        mark()
    net.load_state_dict(dict(zip(net.state_dict(), map(torch.from_numpy, weights), strict=True)))
    finish(accuracy(net))


if __name__ == "__main__":
    main()
