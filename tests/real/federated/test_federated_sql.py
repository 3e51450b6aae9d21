"""Ask, learn, ask: rows of a query train a model across their owners, and the model answers in the next query."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import suffice
from suffice.errors import SufficeError, SufficeWarning, UsageError
from suffice.federated import FederatedConfig, save_run, simulate
from suffice.federated.finished.runner import federated
from suffice.federated.tasks import DigitsTask
from suffice.models.roots import allowed_roots

LEARN = """
data_set: sql
data_db: town.suffice
data_query: SELECT writer AS client_id, pixels AS sample, digit AS label FROM digits WHERE digit < 5
model: logistic
num_participants: 20
rounds: 25
learning_rate: 0.5
local_steps: 10
eval_interval: 25
"""


def command(folder, *arguments):
    run = [sys.executable, "-m", "suffice", *arguments]
    return subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)


def test_ask_learn_ask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = DigitsTask(40, gamma=2.0, style=False)
    data = task.gather(np.arange(40))
    writer = np.repeat(np.arange(40), data.sizes)
    pq.write_table(pa.table({"writer": writer, "pixels": data.x.tolist(), "digit": data.y}), "digits.parquet")
    with suffice.connect("town.suffice") as con:
        con.sql("CREATE TABLE digits AS SELECT * FROM 'digits.parquet'")
    (tmp_path / "learn.yaml").write_text(LEARN)
    learnt = command(tmp_path, "federate", "run", "learn.yaml", "--out", "runs/low", "--json")
    assert learnt.returncode == 0, learnt.stderr
    assert json.loads(learnt.stdout)["rounds"][-1]["accuracy"] > 0.9
    assert "accuracy" in (tmp_path / "runs/low/report.html").read_text().lower()
    with suffice.connect("town.suffice") as con:
        con.sql("CREATE MODEL read_digit USING 'federated:runs/low'")
        [(right, all_)] = con.sql(
            "SELECT count(*) FILTER (read_digit(pixels) = digit), count(*) FROM digits WHERE digit < 5"
        ).fetchall()
        assert right / all_ > 0.9
        with pytest.warns(SufficeWarning, match="1 inputs failed"):
            assert con.sql("SELECT read_digit([1.0, 2.0])").fetchall() == [(None,)]
        assert "expected a list of 64 numbers, got 2" in str(con.sql("SELECT * FROM problems").fetchall())


def test_a_model_of_pictures_reads_pictures(tmp_path):
    config = FederatedConfig(data_set="digits", num_participants=20, rounds=30, learning_rate=0.5, local_steps=10)
    task = DigitsTask(60, gamma=2.0, style=False)
    report = simulate(config, task=task)
    save_run(tmp_path / "run", report)
    model = federated("read", str(tmp_path / "run"))
    test = task.test()
    pictures = [Image.fromarray(np.rint(x.reshape(8, 8) * 255).astype(np.uint8)).resize((32, 32), 0) for x in test.x]
    rows = model.predict([model.prepare(np.asarray(p.convert("RGB"))) for p in pictures])
    right = np.mean([row[0][0] == y for row, y in zip(rows, test.y, strict=True)])
    assert right == pytest.approx(report.rounds[-1].accuracy, abs=0.01) and right > 0.8
    assert model.signature.outputs[0].type == "BIGINT" and model.signature.inputs[0].type == "IMAGE"


def test_runs_that_are_not_there_or_not_allowed(tmp_path):
    save_run(tmp_path / "one", simulate(FederatedConfig(clients=20, num_participants=3, rounds=1)))
    with pytest.raises(UsageError, match=r"no finished run in .*onn.*did you mean .*one"):
        federated("read", str(tmp_path / "onn"))
    with pytest.raises(UsageError, match="has no option 'side'"):
        federated("read", str(tmp_path / "one"), side=3)
    with allowed_roots([tmp_path / "elsewhere"]), pytest.raises(UsageError, match="outside the roots"):
        federated("read", str(tmp_path / "one"))
    (tmp_path / "one" / "run.json").write_text("{}")
    with pytest.raises(SufficeError, match="is not a finished run"):
        federated("read", str(tmp_path / "one"))
