from __future__ import annotations

import numpy as np
import pytest
import torch

from suffice.federated.cohort import Cohort, LocalTraining, choose_method
from suffice.federated.cohort.plan import plan_batches
from suffice.federated.layout import Layout
from suffice.federated.tasks import DigitsTask, LinearTask, SyntheticTask

TASKS = {
    "synthetic": SyntheticTask(60, seed=1),
    "digits": DigitsTask(60),
    "cnn": DigitsTask(60, model="cnn"),
    "linear": LinearTask(60),
}


def deltas(task, local, method, clients, key=(0, 3), correction=None):
    cohort = Cohort(task, local, method)
    start = cohort.layout.flatten(task.model(7).state_dict())
    chunks = list(cohort.train(start, clients, key, correction))
    ids = np.concatenate([chunk.clients for chunk in chunks])
    return np.concatenate([chunk.delta for chunk in chunks])[np.argsort(ids)]


@pytest.mark.parametrize("name", list(TASKS))
@pytest.mark.parametrize(
    "local",
    [
        LocalTraining(0.05, momentum=0.5, weight_decay=0.01, proximal_mu=0.2),
        LocalTraining(0.05, local_steps=None, epochs=2),
    ],
    ids=["steps", "epochs"],
)
def test_vectorised_equals_one_by_one(name, local):
    clients = np.arange(0, 60, 2)
    fast, slow = (deltas(TASKS[name], local, method, clients) for method in ("vmap", "loop"))
    assert np.abs(fast).max() > 1e-3
    assert np.abs(fast - slow).max() <= 1e-5


def test_the_company_changes_nothing():
    task, local = TASKS["digits"], LocalTraining()
    together = deltas(task, local, "vmap", np.arange(40))
    alone = np.concatenate([deltas(task, local, "vmap", np.array([k])) for k in range(40)])
    assert np.abs(together - alone).max() <= 1e-6


def test_a_correction_is_added_to_the_gradients():
    task, local = TASKS["linear"], LocalTraining(0.01, local_steps=1)
    clients = np.arange(10)
    extra = np.random.default_rng(0).standard_normal((10, 8)).astype(np.float32)
    for method in ("vmap", "loop"):
        moved = deltas(task, local, method, clients, correction=extra) - deltas(task, local, method, clients)
        assert moved == pytest.approx(-0.01 * extra, abs=1e-6)


def test_every_epoch_sees_every_sample_once():
    sizes = np.array([7, 40, 1])
    local = LocalTraining(batch_size=8, local_steps=None, epochs=3)
    plan = plan_batches(np.array([3, 900, 12]), sizes, local, (1, 2))
    for k, size in enumerate(sizes):
        taken = plan.index[k][plan.mask[k]]
        assert (np.bincount(taken, minlength=size) == 3).all()
        epochs = taken.reshape(3, size)
        assert all(len(set(epoch.tolist())) == size for epoch in epochs)
    assert local.samples_trained(sizes).tolist() == [21, 120, 3]
    other = plan_batches(np.array([3, 900, 12]), sizes, local, (1, 3))
    assert (other.index != plan.index).any()


def test_batchnorm_goes_one_by_one_and_its_buffers_travel():
    task = DigitsTask(20, model="cnn_batchnorm")
    assert choose_method(task, LocalTraining()) == "loop"
    cohort = Cohort(task, LocalTraining(), "loop")
    layout = cohort.layout
    assert set(layout.kinds) == {"parameter", "statistic", "counter"}
    start = layout.flatten(task.model(0).state_dict())
    (chunk,) = cohort.train(start, np.arange(4), (0, 0))
    state = layout.unflatten(start + chunk.delta[0].astype(np.float64))
    assert state["2.num_batches_tracked"].dtype == torch.int64 and int(state["2.num_batches_tracked"]) == 5
    assert not torch.equal(state["2.running_mean"], torch.zeros(8))
    assert layout.trained.sum() == sum(p.numel() for p in task.model(0).parameters())


def test_dropout_goes_one_by_one():
    class WithDropout(DigitsTask):
        def model(self, seed):
            return torch.nn.Sequential(torch.nn.Linear(64, 10), torch.nn.Dropout(0.5))

    assert choose_method(WithDropout(20), LocalTraining()) == "loop"


def test_weights_round_trip_and_digests_differ():
    module = DigitsTask(5).model(3)
    layout = Layout.of(module)
    back = layout.unflatten(layout.flatten(module.state_dict()))
    assert all(torch.equal(back[name], value) for name, value in module.state_dict().items())
    assert layout.digest != Layout.of(DigitsTask(5, model="logistic").model(3)).digest


def test_tasks_are_the_same_whenever_asked():
    for task in TASKS.values():
        a, b = task.gather(np.array([5, 6])), task.gather(np.array([6]))
        assert (a.x[a.offsets[1] :] == b.x).all() and (a.y[a.offsets[1] :] == b.y).all()
        assert (a.sizes == task.samples[[5, 6]]).all()
