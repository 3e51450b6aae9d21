"""``openai-embedding:MODEL``: text embeddings behind OpenAI's API or any that speaks it.

Shape: https://platform.openai.com/docs/api-reference/embeddings (``data[].index``, ``data[].embedding``, ``usage``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from suffice.models.http.assemble import Columns, Endpoint, assemble
from suffice.models.http.http_client import Request
from suffice.models.http.http_model import HttpModel
from suffice.models.http.openai import BASE_URL, check_model, key_header
from suffice.models.http.options import COMMON, TOKENS
from suffice.models.http.spend import Usage
from suffice.models.http.template import as_text
from suffice.models.http.vector_of import vector_of
from suffice.models.options import Option, read_options
from suffice.models.protocol import Column, Row

REVISION = 1
OPTIONS = {
    "dimensions": Option(low=1, kind=int, in_version=True),
    "batch_size": Option(64, low=1),
    "base_url": Option(BASE_URL),
    **TOKENS,
    **COMMON,
}
INPUTS = (Column("text", "VARCHAR"),)
OUTPUTS = (Column("embedding", "FLOAT[]"),)
_CHARACTERS_PER_TOKEN = 4


def runner(name: str, locator: str, **options: Any) -> HttpModel:
    """An embedding model: text in, one vector out, `batch_size` texts to a request."""
    check_model(name, locator)
    known = read_options(f"model {name}", OPTIONS, options)
    url = known["base_url"].rstrip("/") + "/embeddings"
    endpoint = Endpoint("openai-embedding", REVISION, url, locator, key_header(known))
    exchange = EmbeddingExchange(locator, known["dimensions"])
    return assemble(
        name, endpoint, Columns(INPUTS, OUTPUTS, "scalar"), exchange, known, OPTIONS, Usage(_CHARACTERS_PER_TOKEN)
    )


@dataclass(frozen=True)
class EmbeddingExchange:
    """Embeddings of a list of texts."""

    model: str
    dimensions: int | None

    def piece(self, text: Any) -> str:
        return as_text(text)

    def request(self, pieces: Sequence[str]) -> Request:
        size = {"dimensions": self.dimensions} if self.dimensions else {}
        body = {"model": self.model, "input": list(pieces), "encoding_format": "float", **size}
        tokens = sum(len(text) for text in pieces) // _CHARACTERS_PER_TOKEN
        return Request(body, len(pieces), Usage(tokens))

    def usage(self, answer: Any) -> Usage:
        return Usage(int(answer["usage"]["prompt_tokens"]))

    def split(self, answer: Any, count: int) -> list[Any]:
        by_index = {int(item["index"]): item["embedding"] for item in answer["data"]}
        return [by_index[index] for index in range(count)]

    def rows(self, part: Any, piece: str) -> list[Row]:
        return [(vector_of(part, self.dimensions),)]
