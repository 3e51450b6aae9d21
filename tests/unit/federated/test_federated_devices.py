"""Four runtimes, one protocol: the same start and the same batches give the same weights."""

from __future__ import annotations

import numpy as np
import pytest

from suffice.assets import asset_path
from suffice.errors import SufficeError
from suffice.federated.devices import ExecuTorchTrainer, LiteRtTrainer, MlpShape, MnnTrainer, TorchTrainer
from suffice.federated.layout import Layout
from suffice.federated.tasks import DigitsTask

TOLERANCE = 2e-6
NAMES = ("torch", "litert", "mnn", "executorch")
PACKAGES = {"litert": "ai_edge_litert", "mnn": "MNN", "executorch": "executorch"}


def trainer_of(name: str, client: int):
    """The digits of `client` in runtime `name`, and the weights all of them start from."""
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name], reason=f"the runtime {name} is not installed")
    task = DigitsTask(8, gamma=1.0)
    module = task.model(0)
    layout = Layout.of(module)
    data = task.gather(np.array([client]))
    make = {
        "torch": lambda: TorchTrainer(module, data.x, data.y),
        "litert": lambda: LiteRtTrainer(asset_path("mlp_64_64_10.tflite"), MlpShape(), data.x, data.y),
        "mnn": lambda: MnnTrainer(MlpShape(), data.x, data.y),
        "executorch": lambda: ExecuTorchTrainer(asset_path("mlp_64_64_10.pte").read_bytes(), layout, data.x, data.y),
    }[name]
    return make(), layout.flatten(task.model(3).state_dict()).astype(np.float32)


@pytest.mark.parametrize("name", NAMES[1:])
def test_every_runtime_takes_the_steps_torch_takes(name):
    theirs, start = trainer_of(name, 2)
    ours, _ = trainer_of("torch", 2)
    for trainer in (theirs, ours):
        trainer.set_weights(start)
    assert np.abs(theirs.get_weights() - start).max() == 0.0
    assert theirs.samples == ours.samples
    assert theirs.evaluate() == pytest.approx(ours.evaluate(), abs=1e-5)
    for trainer in (theirs, ours):
        trainer.train_steps(40, 20, 0.1)
    assert np.abs(ours.get_weights() - start).max() > 0.05, "forty steps lead away from the start"
    assert np.abs(theirs.get_weights() - ours.get_weights()).max() < TOLERANCE
    assert theirs.evaluate() == pytest.approx(ours.evaluate(), abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_trainer_starts_anew_from_whatever_it_is_given(name):
    trainer, start = trainer_of(name, 1)
    trainer.set_weights(start)
    first = trainer.evaluate()
    trainer.train_steps(30, 16, 0.2)
    assert trainer.evaluate() < first - 0.3
    once = trainer.get_weights()
    trainer.set_weights(start)
    assert trainer.evaluate() == first
    trainer.train_steps(30, 16, 0.2)
    assert (trainer.get_weights() == once).all()
    with pytest.raises(SufficeError, match="weights"):
        trainer.set_weights(start[:-1])


def test_mnn_that_takes_no_step_says_so():
    trainer, start = trainer_of("mnn", 1)
    import MNN.expr

    trainer.set_weights(start)
    tensors = [MNN.expr.const(np.array(t.read()), t.shape, MNN.expr.NCHW) for t in trainer._net.parameters]
    trainer._net.load_parameters(tensors)
    with pytest.raises(SufficeError, match="took no step"):
        trainer.train_steps(1, 8, 0.1)
