from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from suffice.cli.federate import app
from suffice.errors import SufficeError, SufficeWarning, UsageError
from suffice.federated import FederatedConfig, read_config, simulate
from suffice.federated.simulation.report import gini
from suffice.federated.tasks import LinearTask, TableTask
from suffice.federated.traces import synthetic_traces, write_fedscale

SMALL = FederatedConfig(data_set="digits", clients=120, num_participants=8, rounds=12, learning_rate=0.1, method="vmap")


def test_the_digits_are_learnt():
    report = simulate(dataclasses.replace(SMALL, rounds=40, num_participants=20, gradient_policy="fed-yogi"))
    assert report.rounds[-1].accuracy > 0.75
    assert report.time_to_accuracy_s(0.5) < report.rounds[-1].virtual_s
    assert len(report.accuracy_by_decile) == 10 and sorted(report.accuracy_by_decile) == list(report.accuracy_by_decile)
    virtual = [record.virtual_s for record in report.rounds]
    assert virtual == sorted(virtual) and virtual[0] > 0


@pytest.mark.parametrize(
    "change",
    [
        {"sample_mode": "oort", "gradient_policy": "fed-adam"},
        {"mode": "async", "max_concurrency": 20},
        {"mode": "semi", "max_concurrency": 20, "period_s": 30.0},
        {"gradient_policy": "scaffold", "sample_mode": "power_of_choice"},
        {"compression": "topk:0.1", "privacy": "central"},
    ],
    ids=lambda change: "-".join(map(str, change.values())),
)
def test_a_run_stopped_and_resumed_ends_on_the_same_bits(tmp_path, change):
    config = dataclasses.replace(SMALL, rounds=10, **change)
    whole = simulate(config)
    half = simulate(dataclasses.replace(config, rounds=4), checkpoint=tmp_path / "run.npz")
    assert len(half.rounds) == 4
    rest = simulate(config, checkpoint=tmp_path / "run.npz")
    assert (rest.weights == whole.weights).all()
    assert rest.rounds == whole.rounds


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    simulate(dataclasses.replace(SMALL, rounds=1), checkpoint=tmp_path / "run.npz")
    with pytest.raises(SufficeError, match=r"of another run: learning_rate was 0\.1, now 0\.2"):
        simulate(dataclasses.replace(SMALL, learning_rate=0.2), checkpoint=tmp_path / "run.npz")
    (tmp_path / "junk.npz").write_bytes(b"junk")
    with pytest.raises(SufficeError, match="not a checkpoint"):
        simulate(SMALL, checkpoint=tmp_path / "junk.npz")


def test_the_same_seed_repeats_and_another_does_not():
    a, b = simulate(SMALL), simulate(SMALL)
    assert (a.weights == b.weights).all() and a.rounds == b.rounds
    assert (simulate(dataclasses.replace(SMALL, seed=1)).weights != a.weights).any()


def distance_to_optimum(**change) -> float:
    config = FederatedConfig(
        data_set="linear",
        clients=30,
        alpha=2.0,
        beta=0.6,
        num_participants=30,
        overcommitment=1.0,
        rounds=60,
        learning_rate=0.03,
        local_steps=20,
        batch_size=60,
        eval_interval=1000,
        **change,
    )
    optimum = LinearTask(30, alpha=2.0, beta=0.6).optimum()
    return float(np.linalg.norm(simulate(config).weights - optimum))


def test_scaffold_reaches_the_optimum_that_drift_keeps_fedavg_from(monkeypatch):
    from suffice.federated.simulation import parts
    from suffice.federated.traces import Traces

    monkeypatch.setattr(parts, "make_traces", lambda config, clients: Traces.always(clients))
    drifted, corrected = distance_to_optimum(), distance_to_optimum(gradient_policy="scaffold")
    assert drifted > 0.4 and corrected < drifted / 500


def test_privacy_is_spent_round_by_round():
    report = simulate(dataclasses.replace(SMALL, privacy="central", rounds=5))
    spent = [record.epsilon for record in report.rounds]
    assert spent == sorted(spent) and 0 < spent[0] < spent[-1]
    for change in ({"sample_mode": "clustered"}, {"mode": "async", "max_concurrency": 10}):
        other = simulate(dataclasses.replace(SMALL, privacy="central", rounds=2, **change))
        assert other.rounds[-1].epsilon > spent[1], "who is not drawn once, and alike, earns no amplification"


def test_a_buffer_that_nobody_else_can_fill_is_folded_as_it_is():
    report = simulate(dataclasses.replace(SMALL, clients=6, num_participants=20, mode="async", rounds=2))
    assert [0 < record.clients <= 6 for record in report.rounds] == [True, True]


def test_processes_share_the_work_and_change_nothing():
    one, two = simulate(SMALL), simulate(dataclasses.replace(SMALL, processes=2))
    assert np.abs(one.weights - two.weights).max() <= 1e-5


def test_gini():
    assert gini(np.array([3, 3, 3])) == 0.0
    assert gini(np.array([0, 0, 0, 9])) == pytest.approx(0.75)
    assert gini(np.zeros(4, int)) == 0.0


CONFIG = """
ps_ip: localhost
job_conf:
  - job_name: digits
  - num_participants: 5
  - data_set: digits
  - clients: 60
  - rounds: 3
  - overcommitment: 1.3
  - sample_mode: oort
"""


def test_the_command_prints_the_contract(tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SufficeWarning)
        result = CliRunner().invoke(app, ["run", str(tmp_path / "c.yaml"), "--rounds", "2", "--seed", "3", "--json"])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert {"rounds", "clients_per_s", "peak_memory_bytes"} <= set(printed)
    assert len(printed["rounds"]) == 2 and printed["settings"]["seed"] == 3
    assert {"virtual_s", "accuracy", "loss", "clients", "wasted"} <= set(printed["rounds"][0])


def test_fedscale_files_are_understood(tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    with pytest.warns(SufficeWarning, match="not used here: job_name, ps_ip"):
        config = read_config(tmp_path / "c.yaml")
    assert (config.num_participants, config.sample_mode, config.rounds) == (5, "oort", 3)
    write_fedscale(synthetic_traces(60), tmp_path / "capacity", tmp_path / "behave")
    changed = dataclasses.replace(config, device_conf_file=str(tmp_path / "capacity"), rounds=1)
    assert simulate(changed).rounds[0].clients == 5
    with pytest.raises(SufficeError, match="has 60 devices for 70 clients"):
        simulate(dataclasses.replace(changed, clients=70))


@pytest.mark.parametrize(
    "text,message",
    [
        ("num_participant: 5", "unknown key 'num_participant' .did you mean 'num_participants'"),
        ("device_avail_file: online.pkl", "device_avail_file .* needs device_conf_file"),
        ("rounds: many", "rounds should be int, not 'many'"),
        ("rounds: 2.5", "rounds should be int"),
        ("mode: asynch", "mode 'asynch' is not known .did you mean 'async'"),
        ("- 1", "expected 'key: value' lines"),
        ("a: [", "not a readable YAML file"),
        ("num_participants: 0", "num_participants must be at least 1"),
        ("seed: -1", "seed must be at least 0, not -1"),
        ("learning_rate: .nan", "learning_rate must be above 0, not nan"),
        ("learning_rate: .inf", "learning_rate must be above 0, not inf"),
        ("deadline_s: -5", "deadline_s must be above 0"),
        ("local_steps: -3", "local_steps must be at least 0"),
        ("momentum: 2", "must be below 1"),
        ("{privacy: central, robust: krum}", "bounds no client's influence"),
        ("{privacy: central, sample_mode: oort}", "chooses by losses, which no noise covers"),
        ("sample_mode: orot", None),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    if message is None:
        config = read_config(tmp_path / "c.yaml", data_set="digits", clients=20)
        with pytest.raises(UsageError, match="did you mean 'oort'"):
            simulate(config)
        return
    with pytest.raises(UsageError, match=message):
        read_config(tmp_path / "c.yaml")


def test_a_table_is_a_task():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 4))
    label = np.where(x[:, 0] > 0, "up", "down")
    table = pa.table({"client_id": rng.integers(0, 6, 300), "sample": x.tolist(), "label": label.tolist()})
    task = TableTask(table)
    assert task.samples.sum() == pytest.approx(240, abs=6) and task.card.labels == ("down", "up")
    assert len(task.test().y) + task.samples.sum() == 300
    with pytest.raises(SufficeError, match="no column 'label'"):
        TableTask(table.rename_columns(["client_id", "sample", "lable"]))
    with pytest.raises(SufficeError, match="equally many numbers"):
        TableTask(pa.table({"client_id": [1, 1], "sample": [[1.0], [1.0, 2.0]], "label": [0, 1]}))


@pytest.mark.parametrize("text", ["1 0.5", "[1, 0.5]", "1,0.5", " [1.0 5e-1] "])
def test_samples_are_numbers_however_they_are_written(text):
    table = pa.table({"client_id": [1, 1], "sample": [text, "2 3"], "label": [0, 1]})
    assert TableTask(table).gather(np.array([0])).x.tolist() == [[1.0, 0.5], [2.0, 3.0]]
    with pytest.raises(SufficeError, match=r"like '0.5 1 2' or '\[0.5, 1, 2\]': the first holds 'img/1.jpg'"):
        TableTask(pa.table({"client_id": [1, 1], "sample": ["img/1.jpg", "2 3"], "label": [0, 1]}))


def test_a_csv_is_a_task(tmp_path):
    lines = [f"{i % 4},{i / 40} {1 - i / 40},{int(i > 20)}" for i in range(40)]
    (tmp_path / "d.csv").write_text("\n".join(["client_id,sample,label", *lines]))
    config = FederatedConfig(data_set="csv", data_map_file=str(tmp_path / "d.csv"), num_participants=2, rounds=3)
    assert simulate(config).rounds[-1].clients >= 1
    with pytest.raises(SufficeError, match="not a readable CSV"):
        TableTask.from_csv(tmp_path / "missing.csv")
