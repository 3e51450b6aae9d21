"""A model whose work is done by somebody else's server."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from suffice.errors import ModelError, ModelUnavailableError
from suffice.models.http.http_client import HttpClient, RejectedError, Request
from suffice.models.http.spend import Spend, Usage
from suffice.models.protocol import Row, Signature

Outcome = list[Row] | Exception


class Exchange(Protocol):
    """What one provider's JSON looks like. A shape that is not the documented one may raise anything."""

    def piece(self, *inputs: Any) -> Any:
        """What a request needs of one input: pictures encoded, prompt filled in."""
        ...

    def request(self, pieces: Sequence[Any]) -> Request:
        """One request for so many pieces."""
        ...

    def usage(self, answer: Any) -> Usage | None:
        """The tokens an answer says it has used, if it does."""
        ...

    def split(self, answer: Any, count: int) -> Sequence[Any]:
        """The part of the answer for each of `count` inputs, in their order."""
        ...

    def rows(self, part: Any, piece: Any) -> list[Row]:
        """The output rows in one part; raises :class:`ModelError` when the part is a complaint."""
        ...


@dataclass(frozen=True)
class HttpModel:
    """A :class:`~suffice.models.protocol.Model` that speaks to an endpoint."""

    signature: Signature
    client: HttpClient
    exchange: Exchange

    @property
    def spend(self) -> Spend:
        """Calls, tokens and money of this model since it was made."""
        return self.client.spend

    def prepare(self, *inputs: Any) -> Any:
        """The part of a request for one input row."""
        return self.exchange.piece(*inputs)

    def predict(self, batch: Sequence[Any]) -> list[Outcome]:
        """Rows or an exception for each input, ``signature.batch_size`` inputs to a request.

        A request that the endpoint rejects is halved until the bad input stands alone. When nothing more can be
        answered (:class:`ModelUnavailableError`) the inputs answered so far keep their rows and the others get
        that error; when none was answered yet, it is raised.
        """
        outcomes: list[Outcome] = []
        todo = deque(_chunks(batch, self.signature.batch_size))
        while todo:
            pieces = todo.popleft()
            try:
                outcomes += self._answer(pieces)
            except RejectedError as error:
                if len(pieces) == 1:
                    outcomes.append(error)
                else:
                    half = len(pieces) // 2
                    todo.extendleft((pieces[half:], pieces[:half]))
            except ModelUnavailableError as error:
                if not outcomes:
                    raise
                return outcomes + [error] * (len(batch) - len(outcomes))
            except ModelError as error:
                outcomes += [error] * len(pieces)
        return outcomes

    def _answer(self, pieces: Sequence[Any]) -> list[Outcome]:
        answer = self.client.send(self.exchange.request(pieces), self._usage)
        try:
            parts = self.exchange.split(answer, len(pieces))
            if len(parts) != len(pieces):
                raise ModelError(f"{len(parts)} results for {len(pieces)} inputs")
        except Exception as error:
            raise self._bad_shape(error, answer) from None
        return [self._outcome(part, piece) for part, piece in zip(parts, pieces, strict=True)]

    def _outcome(self, part: Any, piece: Any) -> Outcome:
        try:
            rows = self.exchange.rows(part, piece)
            if self.signature.returns == "scalar" and len(rows) != 1:
                raise ModelError(f"{len(rows)} rows where one is expected")
        except Exception as error:
            return self._bad_shape(error, part)
        return [tuple(map(_storable, row)) for row in rows]

    def _usage(self, answer: Any) -> Usage | None:
        try:
            return self.exchange.usage(answer)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def _bad_shape(self, error: Exception, answer: Any) -> ModelError:
        reason = str(error) if isinstance(error, ModelError) else f"{type(error).__name__} {error}"
        return ModelError(self.client.says(f"cannot use the answer: {reason}; it reads {str(answer)[:200]}"))


def _chunks(batch: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def _storable(value: Any) -> Any:
    """Half a surrogate pair is legal in JSON, and no database takes it."""
    if isinstance(value, list) and value and isinstance(value[0], (str, list)):
        return [_storable(item) for item in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
