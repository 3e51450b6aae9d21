"""One request to one endpoint: keys filled in, paced, tried again, paid for, and every failure said in a line."""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from suffice.errors import ModelError, ModelUnavailableError, UsageError
from suffice.models.http.allowed_hosts import check_host, shown_url
from suffice.models.http.keys import fill_headers, redact, redact_bytes
from suffice.models.http.pace import Pace
from suffice.models.http.retry import Retry, asked_delay_s
from suffice.models.http.spend import NO_USAGE, Spend, SpendCapError, Usage

if TYPE_CHECKING:
    import ssl

    import httpx

ANSWER_BYTES_MAX = 64 * 2**20
_STATUSES_TO_RETRY = frozenset({408, 425, 429, *range(500, 600)})
_STATUSES_OF_BAD_INPUT = frozenset({400, 413, 415, 422})
_LOST_ANSWERS_MAX = 5
"""So many requests in a row that used up all their retries mean that the endpoint is down."""


class RejectedError(ModelError):
    """The endpoint refuses this input (400, 413, 415, 422): sending it again is no use, sending others is."""


class Request(NamedTuple):
    """A request for `inputs` inputs; `body` is a JSON value, or bytes: a JPEG's unless a header says otherwise."""

    body: Any
    inputs: int = 1
    expected: Usage = NO_USAGE


class _Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class _AttemptError(Exception):
    """An attempt that may be made again."""

    def __init__(self, message: str, asked_s: float | None = None, reached: bool = True) -> None:
        super().__init__(message)
        self.asked_s, self.reached = asked_s, reached


@dataclass
class HttpClient:
    """Sends requests of one model from any number of threads.

    Attributes:
        headers: templates; ``${VARIABLE}`` is read from the environment at every request.
        requests, tokens: what every attempt has to wait for.
    """

    name: str
    url: str
    spend: Spend
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    connect_timeout_s: float = 10.0
    timeout_s: float = 60.0
    retry: Retry = field(default_factory=lambda: Retry(5, 120.0))
    requests: Pace = field(default_factory=lambda: Pace(None))
    tokens: Pace = field(default_factory=lambda: Pace(None))
    connections_max: int = 8
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _http: httpx.Client | None = field(default=None, repr=False)
    _reached: bool = False
    _lost_in_a_row: int = 0

    def send(self, request: Request, usage_of: Callable[[Any], Usage | None]) -> Any:
        """The JSON answer to `request`.

        Raises:
            RejectedError: the endpoint refuses these inputs.
            ModelUnavailableError: no request can succeed: no such host or page, key refused, spending cap.
            ModelError: this request failed: retries used up, or an answer that is not JSON.
        """
        started_s, retries = time.monotonic(), 0
        while True:
            try:
                answer = self._attempt(request, usage_of)
            except _AttemptError as failure:
                delay_s = self._retry_for(failure).delay_s(retries, time.monotonic() - started_s, failure.asked_s)
                if delay_s is None:
                    raise self._lost(failure, retries + 1) from None
                retries += 1
                self._wait(delay_s, for_all=failure.asked_s is not None)
            except RejectedError:
                self._lost_in_a_row = 0
                raise
            else:
                self._lost_in_a_row = 0
                return answer

    def says(self, text: str) -> str:
        """A message of this model: one line, no secrets."""
        _, secrets = self._filled_headers()
        line = " ".join(redact(text, secrets).split())
        return f"{self.name}: {line if len(line) <= 400 else line[:397] + '...'}"

    def _attempt(self, request: Request, usage_of: Callable[[Any], Usage | None]) -> Any:
        check_host(self.url)
        headers, _ = self._filled_headers()
        reserved = self._reserve(request)
        paid: Usage | None = None
        try:
            self.requests.take()
            self.tokens.take(sum(request.expected))
            # Until we know better the call may have been billed.
            paid = request.expected
            reply = self._exchange(request, headers)
            self._reached = True
            answer = _json_or_none(reply.body)
            if not 200 <= reply.status < 300:
                paid = None
                raise self._refused(reply, answer)
            paid = (usage_of(answer) if answer is not None else None) or request.expected
        except _AttemptError as failure:
            paid = paid if failure.reached else None
            raise
        finally:
            self._account(request, reserved, paid)
        if answer is None:
            raise ModelError(self.says(f"{shown_url(self.url)} answered what is not JSON: {_text(reply.body)[:120]!r}"))
        return answer

    def _reserve(self, request: Request) -> float:
        try:
            return self.spend.reserve(request.inputs, request.expected)
        except SpendCapError as error:
            raise SpendCapError(self.says(str(error))) from None

    def _account(self, request: Request, reserved: float, paid: Usage | None) -> None:
        if paid is None:
            self.spend.release(reserved)
        else:
            self.spend.settle(reserved, request.inputs, paid)
            self.tokens.correct(sum(paid) - sum(request.expected))

    def _exchange(self, request: Request, headers: Mapping[str, str]) -> _Reply:
        import httpx

        url = shown_url(self.url)
        try:
            return self._read(request, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _AttemptError(f"cannot reach {url}: {_reason(error)}", reached=False) from None
        except httpx.TimeoutException:
            raise _AttemptError(f"{url} did not answer within {self.timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _AttemptError(f"{url} broke off: {_reason(error)}") from None

    def _read(self, request: Request, headers: Mapping[str, str]) -> _Reply:
        import httpx

        end_s, body = time.monotonic() + self.timeout_s, bytearray()
        url = httpx.URL(self.url)
        if self.method == "GET":
            url = url.copy_merge_params(request.body)
        with self._client().stream(self.method, url, **_content(self.method, request.body, headers)) as reply:
            for chunk in reply.iter_bytes():
                body += chunk
                if time.monotonic() > end_s:
                    raise httpx.ReadTimeout("slow answer")
                if len(body) > ANSWER_BYTES_MAX:
                    raise ModelError(
                        self.says(f"{shown_url(self.url)} answered more than {ANSWER_BYTES_MAX >> 20} MiB")
                    )
            return _Reply(reply.status_code, reply.headers, redact_bytes(bytes(body), self._filled_headers()[1]))

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._http is None:
                import httpx

                timeout = httpx.Timeout(self.timeout_s, connect=self.connect_timeout_s, pool=None)
                limits = httpx.Limits(max_connections=self.connections_max)
                # Redirects stay off: they would lead past the host check, and carry the key along.
                self._http = httpx.Client(
                    verify=_certificates(), timeout=timeout, limits=limits, follow_redirects=False
                )
                weakref.finalize(self, self._http.close)
            return self._http

    def _filled_headers(self) -> tuple[dict[str, str], frozenset[str]]:
        try:
            return fill_headers(self.headers)
        except ModelUnavailableError as error:
            raise ModelUnavailableError(f"{self.name}: {error}") from None

    def _refused(self, reply: _Reply, answer: Any) -> Exception:
        """What an answer with an error status means."""
        status, url = reply.status, shown_url(self.url)
        message = f"{url} answered {status}: {(_complaint(answer) or _text(reply.body))[:200]}"
        if 300 <= status < 400:
            message = f"{url} moved ({status}) to {shown_url(reply.headers.get('location', '?'))}: use that address"
        if status in _STATUSES_TO_RETRY and _code(answer) != "insufficient_quota":
            return _AttemptError(message, asked_delay_s(reply.headers, answer))
        kind = RejectedError if status in _STATUSES_OF_BAD_INPUT else ModelUnavailableError
        return kind(self.says(message))

    def _retry_for(self, failure: _AttemptError) -> Retry:
        # An address that never answered is more likely mistyped than overloaded.
        if failure.reached or self._reached:
            return self.retry
        return Retry(min(2, self.retry.retries_max), self.retry.time_s)

    def _lost(self, failure: _AttemptError, attempts: int) -> ModelError:
        self._lost_in_a_row += 1
        down = not failure.reached or self._lost_in_a_row >= _LOST_ANSWERS_MAX
        kind = ModelUnavailableError if down else ModelError
        asked = "" if failure.asked_s is None else f", and asks to wait {failure.asked_s:g} s"
        return kind(self.says(f"{failure} (after {attempts} attempt{'s' if attempts > 1 else ''}{asked})"))

    def _wait(self, delay_s: float, *, for_all: bool) -> None:
        if for_all:
            self.requests.pause(delay_s)
        else:
            time.sleep(delay_s)


@cache
def _certificates() -> ssl.SSLContext:
    """Reading them takes a tenth of a second, so all models share them."""
    import httpx

    return httpx.create_ssl_context()


def _content(method: str, body: Any, headers: Mapping[str, str]) -> dict[str, Any]:
    if method == "GET":
        return {"headers": headers}
    if isinstance(body, bytes):
        return {"content": body, "headers": {"Content-Type": "image/jpeg", **headers}}
    return {"content": json.dumps(body).encode(), "headers": {"Content-Type": "application/json", **headers}}


def _json_or_none(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text(body: bytes) -> str:
    return body[:400].decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _complaint(answer: Any) -> str | None:
    """The sentence in an error answer, wherever the provider keeps it."""
    while isinstance(answer, (dict, list)):
        if isinstance(answer, list):
            answer = answer[0] if answer else None
        else:
            answer = next((answer[key] for key in ("error", "message", "detail") if answer.get(key)), None)
    return None if answer is None else str(answer)


def _code(answer: Any) -> Any:
    error = answer.get("error") if isinstance(answer, dict) else None
    return error.get("code") if isinstance(error, dict) else None


def need_http_extra() -> None:
    """Raise :class:`UsageError` with what to install when the extra is missing."""
    try:
        import httpx  # noqa: F401
        import jmespath  # noqa: F401
    except ImportError:
        raise UsageError("models behind HTTP need two more packages: pip install 'suffice[http]'") from None
