"""Every CREATE MODEL statement in docs/providers.md makes a model, and every option it names exists."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from typing import Any

import pytest

from suffice.models.http import google_vision, hf_endpoint, http_json, openai, openai_embedding
from suffice.models.http.options import COMMON, TOKENS

PAGE = (Path(__file__).parents[3] / "docs" / "providers.md").read_text()
SQL = "\n".join(re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL))
STATEMENT = re.compile(r"CREATE MODEL (\w+) USING '([\w-]+):([^']+)'\s*(\((?:[^()']|'[^']*')*\))?;")
OPTION = re.compile(r"(\w+) => ('[^']*'|[\d.]+)")
STATEMENTS = STATEMENT.findall(SQL)


def value_of(text: str) -> Any:
    return text[1:-1] if text[0] == "'" else float(text) if "." in text else int(text)


def test_no_statement_is_overlooked() -> None:
    assert len(STATEMENTS) == SQL.count("CREATE MODEL") > 15
    assert {runner for _, runner, _, _ in STATEMENTS} == {
        "openai",
        "openai-embedding",
        "hf-endpoint",
        "google-vision",
        "http",
    }


@pytest.mark.parametrize(("name", "runner", "locator", "options"), STATEMENTS, ids=[s[0] for s in STATEMENTS])
def test_statement_makes_a_model(name: str, runner: str, locator: str, options: str) -> None:
    given = {option: value_of(text) for option, text in OPTION.findall(options)}
    assert len(given) == options.count("=>")
    (point,) = importlib.metadata.entry_points(group="suffice.runners", name=runner)
    model = point.load()(name, locator, **given)
    assert model.signature.name == name and model.signature.inputs and model.signature.outputs


@pytest.mark.parametrize("module", [openai, openai_embedding, hf_endpoint, google_vision, http_json])
def test_every_option_is_on_the_page(module: Any) -> None:
    assert [option for option in {**module.OPTIONS, **COMMON, **TOKENS} if option not in PAGE] == []
