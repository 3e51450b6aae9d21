from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import UsageError
from suffice.project import Budget, Project, ProjectMedia, load_project, project_statements

EXAMPLE = """
roots = ["street", "s3://bucket/scans"]

[store]
target = "town.suffice"

[budget]
max_calls = 10000
max_price = 2.5
max_seconds = 600

[media.street]
kind = "frames"
pattern = "street/*.mp4"
fps = 2

[media.scans]
kind = "pages"
pattern = "s3://bucket/scans/**"

[models.plates]
using = "onnx:models/plates.onnx"
options = { size = 320, labels = ["it's", 'a "b"'], mean = [0.5, 0.5, 0.5], flip = true, map = { a = 1 } }

[models.local]
using = "hf:./checkpoints/detr"

[models.hub]
using = "hf:facebook/detr-resnet-50"

[models.mine]
using = "python:code/mine.py:f"

[models.chat]
using = "openai:gpt-x"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "suffice.toml").write_text(text)
    return folder / "suffice.toml"


def test_the_example_loads(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, EXAMPLE))
    assert load_project(tmp_path) == project
    assert project.roots == (str(tmp_path / "street"), "s3://bucket/scans")
    assert project.target == str(tmp_path / "town.suffice")
    assert project.budget == Budget(10000, 2.5, 600)
    assert project.media[0] == ProjectMedia("street", "frames", str(tmp_path / "street/*.mp4"), {"fps": 2})


def test_statements_it_is_equal_to(tmp_path: Path) -> None:
    here = tmp_path / "it's here"
    here.mkdir()
    quoted = str(here).replace("'", "''")
    assert project_statements(load_project(write(here, EXAMPLE))) == [
        f"CREATE OR REPLACE MODEL plates USING 'onnx:{quoted}/models/plates.onnx' (size => 320, "
        """labels => ['it''s', 'a "b"'], mean => [0.5, 0.5, 0.5], flip => true, map => {'a': 1})""",
        f"CREATE OR REPLACE MODEL local USING 'hf:{quoted}/checkpoints/detr'",
        "CREATE OR REPLACE MODEL hub USING 'hf:facebook/detr-resnet-50'",
        f"CREATE OR REPLACE MODEL mine USING 'python:{quoted}/code/mine.py:f'",
        "CREATE OR REPLACE MODEL chat USING 'openai:gpt-x'",
        f"""CREATE OR REPLACE VIEW "street" AS SELECT * FROM frames('{quoted}/street/*.mp4', fps => 2)""",
        """CREATE OR REPLACE VIEW "scans" AS SELECT * FROM pages('s3://bucket/scans/**')""",
    ]


def test_an_empty_file_is_a_project(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    assert load_project(path) == Project(path, (), (), None, Budget(), None)
    assert project_statements(load_project(path)) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rots = []", r"the file has no key 'rots' \(did you mean 'roots'\?\)"),
        ("[medai.a]", r"the file has no key 'medai' \(did you mean 'media'\?\)"),
        ("[budget]\nmax_cals = 1", r"\[budget\] has no key 'max_cals' \(did you mean 'max_calls' or"),
        ("[budget]\nzzz = 1", r"\[budget\] has no key 'zzz'; its keys are max_calls, max_price, max_seconds"),
        ("[media.a]\nkind = 'frames'\npattern = 'a'\nfsp = 2", r"\[media.a\] has no key 'fsp' \(did you mean 'fps'"),
        ("[media.a]\nkind = 'frame'\npattern = 'a'", r"media.a.kind: expected 'frames' or .*did you mean 'frames'\?\)"),
        ("[media.a]\nkind = 'frames'\npattern = 'a'\nfps = 'two'", r"media.a.fps: expected a number, got 'two'"),
        ("[media.a]\nkind = 'frames'\npattern = 'a'\nfps = 0", r"media.a.fps: 0 is less than or equal to the minimum"),
        ("[media.a]\nkind = 'images'\npattern = 'a'\nfps = 2", r"media.a.fps: this is for kind 'frames' only"),
        ("[media.a]\nkind = 'images'", r"\[media.a\] lacks the key 'pattern'"),
        ("[media.a]", r"\[media.a\] lacks the key 'kind' \(and 1 more\)"),
        ("[media.'a b']\nkind = 'images'\npattern = 'a'", r"\[media\]: 'a b' is not a name"),
        ("[models.'x; DROP']\nusing = 'onnx:a'", r"\[models\]: 'x; DROP' is not a name"),
        ("[models.a]\nusing = 'x'\noptions = {'a, b' = 1}", r"\[models.a.options\]: 'a, b' is not a name"),
        ("[models.a]\nusing = 'x'\noptions = {a = 2026-01-01}", r"models.a.options.a: expected text, a number"),
        ("[models.a]\nusing = 7", r"models.a.using: expected text, got 7"),
        ("roots = 'street'", r"roots: expected a list, got 'street'"),
        ("store = 'x'", r"store: expected a table, got 'x'"),
        ("[budget]\nmax_calls = true", r"budget.max_calls: expected a whole number, got True"),
        ("roots = [", r"not TOML: "),
    ],
)
def test_problems_name_file_key_and_nearest_right_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=rf"suffice\.toml: {message}") as caught:
        load_project(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"suffice\.toml: cannot be read: No such file"):
        load_project(tmp_path)


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "suffice.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not TOML"):
        load_project(tmp_path)


def test_numbers_that_sql_cannot_write(tmp_path: Path) -> None:
    path = write(tmp_path, "[media.a]\nkind = 'frames'\npattern = 'a'\nfps = inf")
    with pytest.raises(UsageError, match="inf is not a number that SQL can write"):
        project_statements(load_project(path))


def test_the_published_schema_is_a_schema() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(json.loads(files("suffice").joinpath("suffice.schema.json").read_text()))


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
VALUES = st.one_of(TEXT, st.integers(-(2**62), 2**62), st.booleans(), st.lists(TEXT, min_size=1, max_size=3))


@settings(max_examples=60, deadline=None)
@given(pattern=TEXT, value=VALUES)
def test_whatever_stands_in_the_file_arrives_in_sql_as_it_is(pattern: str, value: Any) -> None:
    """DuckDB itself reads the literals back: nothing breaks out of its quotes."""
    media = ProjectMedia("m", "frames", pattern, {"option": value})
    [statement] = project_statements(Project(Path("x"), (media,), (), None, Budget(), None))
    arguments = statement.removeprefix('CREATE OR REPLACE VIEW "m" AS SELECT * FROM frames(').removesuffix(")")
    assert duckdb.sql(f"SELECT {arguments.replace('option => ', '')}").fetchone() == (pattern, value)
