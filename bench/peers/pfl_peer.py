"""pfl-research: one resident model, one process."""

from __future__ import annotations

import torch
from federated_task import BATCH, CLIENTS, RATE, ROUNDS, X, Y, accuracy, finish, mark, network
from pfl.aggregate.simulate import SimulatedBackend
from pfl.aggregate.weighting import WeightByDatapoints
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.pytorch import PyTorchTensorDataset
from pfl.data.sampling import MinimizeReuseUserSampler
from pfl.hyperparam.base import NNEvalHyperParams, NNTrainHyperParams
from pfl.metrics import Metrics, Weighted
from pfl.model.pytorch import PyTorchModel


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def loss(self, x: torch.Tensor, y: torch.Tensor, **_: object) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(self.net(x), y.squeeze())

    def metrics(self, x: torch.Tensor, y: torch.Tensor, **_: object) -> dict[str, Weighted]:
        return {"loss": Weighted(float(self.loss(x, y)) * len(y), len(y))}


class Marks(TrainingProcessCallback):
    def after_central_iteration(self, aggregate_metrics, model, *, central_iteration):  # type: ignore[no-untyped-def]
        mark()
        return False, Metrics()


def main() -> None:
    net = Net()
    model = PyTorchModel(net, torch.optim.SGD, torch.optim.SGD(net.parameters(), 1.0))
    data = [[torch.from_numpy(X[client]), torch.from_numpy(Y[client])] for client in range(CLIENTS)]
    users = FederatedDataset(lambda user: PyTorchTensorDataset(data[user]), MinimizeReuseUserSampler(range(CLIENTS)))
    backend = SimulatedBackend(users, users, postprocessors=[WeightByDatapoints()])
    FederatedAveraging().run(
        NNAlgorithmParams(
            central_num_iterations=ROUNDS,
            evaluation_frequency=10**6,
            train_cohort_size=CLIENTS,
            val_cohort_size=0,
        ),
        backend,
        model,
        NNTrainHyperParams(local_num_epochs=1, local_learning_rate=RATE, local_batch_size=BATCH),
        NNEvalHyperParams(local_batch_size=None),
        callbacks=[Marks()],
    )
    finish(accuracy(net.net))


if __name__ == "__main__":
    main()
