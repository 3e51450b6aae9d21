"""``openai:MODEL``: chat models, with or without pictures, behind OpenAI's API or any that speaks it.

Shapes: https://platform.openai.com/docs/api-reference/chat (request, ``choices[].message``, ``usage``) and
https://platform.openai.com/docs/guides/structured-outputs (``response_format``, ``refusal``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from suffice.errors import ModelError, UsageError
from suffice.models.http.assemble import Columns, Endpoint, assemble
from suffice.models.http.columns import input_columns, json_schema, plain_columns, row_of
from suffice.models.http.http_client import Request
from suffice.models.http.http_model import HttpModel
from suffice.models.http.jpeg import encode_jpeg
from suffice.models.http.keys import bearer
from suffice.models.http.options import COMMON, MAX_SIDE_PX, TOKENS
from suffice.models.http.spend import Usage
from suffice.models.http.template import Part, as_text, fields_of, parse_template
from suffice.models.options import Option, one_of, read_options
from suffice.models.protocol import IMAGE, Column, Row

REVISION = 1
BASE_URL = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
PARAMETERS = {
    "temperature": Option(low=0, kind=float, in_version=True),
    "top_p": Option(low=0, kind=float, in_version=True),
    "seed": Option(low=0, kind=int, in_version=True),
    "max_tokens": Option(low=1, kind=int, in_version=True),
    "max_completion_tokens": Option(low=1, kind=int, in_version=True),
    "reasoning_effort": Option(kind=str, in_version=True),
}
"""Sent as they are, and only when given."""
OPTIONS = {
    "prompt": Option(kind=str, in_version=True, required=True),
    "system": Option(kind=str, in_version=True),
    "inputs": Option(kind=str),
    "output": Option(kind=str, in_version=True),
    "returns": Option("scalar", kind=one_of(("scalar", "rows")), in_version=True),
    "detail": Option(kind=one_of(("low", "high", "auto")), in_version=True),
    "max_side_px": MAX_SIDE_PX,
    "base_url": Option(BASE_URL),
    **PARAMETERS,
    **TOKENS,
    **COMMON,
}
# Priors, corrected by the usage of each answer.
_CHARACTERS_PER_TOKEN = 4
_TOKENS_OF_PICTURE = 765
_TOKENS_OF_ANSWER = 64


def runner(name: str, locator: str, **options: Any) -> HttpModel:
    """A chat model as a function of the columns its prompt names.

    Without `output` the answer is one VARCHAR; with it, strict structured output gives those columns: one row,
    or with ``returns => 'rows'`` 0..n rows.
    """
    check_model(name, locator)
    known = read_options(f"model {name}", OPTIONS, options)
    prompt = parse_template(f"model {name}: prompt", known["prompt"])
    inputs = input_columns(f"model {name}: prompt", fields_of(prompt), known["inputs"])
    outputs = _outputs(name, known["output"])
    returns: Literal["scalar", "rows"] = known["returns"] if known["output"] else "scalar"
    exchange = ChatExchange(_fixed(locator, known, outputs, returns), prompt, inputs, outputs, returns, **_chat(known))
    url = known["base_url"].rstrip("/") + "/chat/completions"
    endpoint = Endpoint("openai", REVISION, url, locator, key_header(known))
    expected = Usage(len(known["prompt"]) // _CHARACTERS_PER_TOKEN, exchange.answer_tokens)
    return assemble(name, endpoint, Columns(inputs, outputs, returns), exchange, known, OPTIONS, expected)


def check_model(name: str, locator: str) -> None:
    """Raise :class:`UsageError` when no model is named."""
    if not locator.strip():
        raise UsageError(f"model {name}: name the provider's model after the colon, as in 'openai:gpt-4o-mini'")


def key_header(options: dict[str, Any]) -> dict[str, str]:
    """OpenAI's own key goes to OpenAI only; another `base_url` gets the key its user names, or none."""
    variable = options["api_key_env"] or (KEY_VARIABLE if options["base_url"] == BASE_URL else None)
    return bearer(variable) if variable else {}


@dataclass(frozen=True)
class ChatExchange:
    """Chat completions; `fixed` are the fields every request shares."""

    fixed: dict[str, Any]
    prompt: tuple[Part, ...]
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    returns: str
    system: str | None
    detail: str | None
    max_side_px: int | None
    answer_tokens: int

    def piece(self, *inputs: Any) -> list[dict[str, Any]]:
        """The parts of the user's message; pictures the prompt does not name come last."""
        values = dict(zip((column.name for column in self.inputs), inputs, strict=True))
        types = dict(self.inputs)
        unnamed = [name for name in types if types[name] == IMAGE and Part(name, True) not in self.prompt]
        parts = [*self.prompt, *(Part(name, True) for name in unnamed)]
        content: list[dict[str, Any]] = []
        for part in parts:
            if part.is_field and types[part.text] == IMAGE:
                content.append(self._picture(values[part.text]))
            else:
                _append_text(content, as_text(values[part.text]) if part.is_field else part.text)
        return content

    def request(self, pieces: Sequence[list[dict[str, Any]]]) -> Request:
        (content,) = pieces
        text_only = len(content) == 1 and content[0]["type"] == "text"
        user = {"role": "user", "content": content[0]["text"] if text_only else content}
        system = [{"role": "system", "content": self.system}] if self.system else []
        characters = sum(len(part.get("text", "")) for part in content) + len(self.system or "")
        pictures = sum(part["type"] == "image_url" for part in content)
        tokens = characters // _CHARACTERS_PER_TOKEN + pictures * _TOKENS_OF_PICTURE
        return Request({**self.fixed, "messages": [*system, user]}, 1, Usage(tokens, self.answer_tokens))

    def usage(self, answer: Any) -> Usage:
        usage = answer["usage"]
        return Usage(int(usage["prompt_tokens"]), int(usage["completion_tokens"]))

    def split(self, answer: Any, count: int) -> list[Any]:
        return [answer["choices"][0]]

    def rows(self, part: Any, piece: Any) -> list[Row]:
        message, finish = part["message"], part.get("finish_reason")
        if message.get("refusal"):
            raise ModelError(f"the model refuses: {message['refusal']}")
        if finish in ("length", "content_filter"):
            raise ModelError("cut off at max_tokens" if finish == "length" else "withheld by the content filter")
        if not isinstance(message["content"], str):
            raise ModelError("no text in it")
        if "response_format" not in self.fixed:
            return [(message["content"],)]
        value = _parsed(message["content"])
        return [row_of(item, self.outputs) for item in (value["rows"] if self.returns == "rows" else [value])]

    def _picture(self, image: Any) -> dict[str, Any]:
        detail = {"detail": self.detail} if self.detail else {}
        return {"type": "image_url", "image_url": {"url": encode_jpeg(image, self.max_side_px).data_url, **detail}}


def _outputs(name: str, output: str | None) -> tuple[Column, ...]:
    return (Column("answer", "VARCHAR"),) if output is None else plain_columns(f"model {name}: output", output)


def _chat(options: dict[str, Any]) -> dict[str, Any]:
    answer_tokens = options["max_completion_tokens"] or options["max_tokens"] or _TOKENS_OF_ANSWER
    return {"answer_tokens": answer_tokens, **{key: options[key] for key in ("system", "detail", "max_side_px")}}


def _fixed(model: str, options: dict[str, Any], outputs: Sequence[Column], returns: str) -> dict[str, Any]:
    fields = {"model": model, **{key: options[key] for key in PARAMETERS if options[key] is not None}}
    if options["output"] is None:
        return fields
    schema = json_schema(outputs)
    if returns == "rows":
        rows = {"rows": {"type": "array", "items": schema}}
        schema = {"type": "object", "properties": rows, "required": ["rows"], "additionalProperties": False}
    named = {"name": "answer", "strict": True, "schema": schema}
    return {**fields, "response_format": {"type": "json_schema", "json_schema": named}}


def _parsed(content: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise ModelError("its text is not JSON") from None
    if not isinstance(value, dict):
        raise ModelError("its text is not a JSON object")
    return value


def _append_text(content: list[dict[str, Any]], text: str) -> None:
    """Add text, joined to the text before it."""
    if content and content[-1]["type"] == "text":
        content[-1]["text"] += text
    elif text:
        content.append({"type": "text", "text": text})
