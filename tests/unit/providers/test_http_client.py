"""What goes wrong on the wire, what is sent again, what it costs, and what the message says."""

from __future__ import annotations

import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from loopback_server import Reply, Seen, Server, serve

from suffice.errors import ModelError, ModelUnavailableError, UsageError
from suffice.models.http import http_client
from suffice.models.http.allowed_hosts import restrict_hosts
from suffice.models.http.http_json import runner
from suffice.models.http.http_model import HttpModel
from suffice.models.http.openai import runner as openai
from suffice.models.http.spend import SpendCapError

GOOD = Reply({"label": "ok"})
ROWS = [("ok",)]


def model_of(server: Server, **options: Any) -> HttpModel:
    return runner("m", server.url + "/x?q=1", request='{"t": "{t}"}', outputs="label VARCHAR", **options)


def predict(server: Server, count: int = 1, **options: Any) -> Any:
    model = model_of(server, **options)
    return model, model.predict([model.prepare(str(i)) for i in range(count)])


def assert_error(outcome: Any, *parts: str) -> None:
    assert isinstance(outcome, ModelError), outcome
    message = str(outcome)
    assert "\n" not in message and message.startswith("m: ") and all(part in message for part in parts), message


@pytest.mark.parametrize("body", [b"<html>busy</html>", b'{"label": "o', b"", b"\xff\xfe", b"[" * 100_000])
def test_an_answer_that_is_not_json_is_an_error_of_its_row_and_paid(server: Server, body: bytes) -> None:
    server.replies(Reply(body), GOOD)
    model, (bad, good) = predict(server, 2)
    assert_error(bad, f"{server.url}/x answered what is not JSON")
    assert good == ROWS
    assert model.spend.calls == 2 and len(server.seen) == 2


def test_429_waits_as_long_as_it_is_told(server: Server) -> None:
    server.replies(Reply({}, 429, {"Retry-After": "0.4"}), GOOD)
    model, (outcome,) = predict(server)
    assert outcome == ROWS and model.spend.calls == 1
    assert server.seen[1].time_s - server.seen[0].time_s >= 0.4


def test_429_that_asks_for_more_time_than_there_is(server: Server) -> None:
    server.replies(Reply({"error": {"message": "Slow down"}}, 429, {"Retry-After": "3600"}))
    _, (outcome,) = predict(server)
    assert_error(outcome, "answered 429: Slow down (after 1 attempt, and asks to wait 3600 s)")
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_three_failures_then_success(server: Server, status: int) -> None:
    server.replies(*[Reply(b"busy", status)] * 3, GOOD)
    model, (outcome,) = predict(server, max_retries=3)
    assert outcome == ROWS
    assert (len(server.seen), model.spend.calls) == (4, 1)


def test_three_failures_and_no_more_retries_cost_one_row(server: Server) -> None:
    server.replies(*[Reply({"detail": "boom"}, 500)] * 3, GOOD)
    model, (bad, good) = predict(server, 2, max_retries=2)
    assert_error(bad, f"{server.url}/x answered 500: boom (after 3 attempts)")
    assert good == ROWS and model.spend.calls == 1


def test_five_lost_requests_in_a_row_stop_the_query(server: Server) -> None:
    server.replies(Reply(b"", 500))
    model, outcomes = predict(server, 20, max_retries=0)
    assert len(server.seen) == 5 and len(outcomes) == 20
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [ModelError] * 4 + [ModelUnavailableError] * 16
    server.replies(GOOD)
    assert model.predict([model.prepare("x")]) == [ROWS]


def test_timeout_is_an_error_of_its_row_and_counts_as_a_call(server: Server) -> None:
    server.replies(Reply({"label": "late"}, delay_s=3.0), GOOD)
    model, (bad, good) = predict(server, 2, timeout_s=1.0, max_retries=0)
    assert_error(bad, "did not answer within 1 s (after 1 attempt)")
    assert good == ROWS and model.spend.calls == 2


def test_an_answer_that_only_drips_is_a_timeout(server: Server) -> None:
    server.replies(Reply({"label": "slow" * 20}, drip_s=0.05))
    _, (outcome,) = predict(server, timeout_s=0.3, max_retries=0)
    assert_error(outcome, "did not answer within 0.3 s")


@pytest.mark.parametrize(
    "broken", [Reply(reset=True), Reply(b'{"label"', headers={"Content-Length": "99", "Connection": "close"})]
)
def test_a_connection_that_breaks_is_tried_again(server: Server, broken: Reply) -> None:
    server.replies(broken, GOOD)
    model, (outcome,) = predict(server)
    assert outcome == ROWS
    assert (len(server.seen), model.spend.calls) == (2, 2)
    server.replies(broken)
    _, (outcome,) = predict(server, max_retries=1)
    assert_error(outcome, f"{server.url}/x broke off:", "(after 2 attempts)")


def test_one_rejected_row_keeps_the_others(server: Server) -> None:
    def answer(seen: Seen) -> Reply:
        return Reply({"error": "too long"}, 422) if seen.json["t"] == "1" else GOOD

    server.answer = answer
    model, (first, second, third) = predict(server, 3)
    assert first == third == ROWS
    assert_error(second, "answered 422: too long")
    assert (len(server.seen), model.spend.calls) == (3, 2)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, 401), "401: Incorrect API key"),
        (Reply({"error": "forbidden"}, 403), "answered 403: forbidden"),
        (Reply(b"nothing here", 404), "answered 404: nothing here"),
        (Reply({"error": {"message": "Pay first", "code": "insufficient_quota"}}, 429), "answered 429: Pay first"),
        (Reply(b"", 302, {"Location": "http://elsewhere.example/y?z=1"}), "moved (302) to http://elsewhere.example/y:"),
    ],
)
def test_what_no_retry_can_help_stops_the_query_at_once(server: Server, reply: Reply, message: str) -> None:
    server.replies(reply)
    with pytest.raises(ModelUnavailableError) as caught:
        predict(server, 5)
    assert_error(caught.value, message)
    assert len(server.seen) == 1


def test_what_was_answered_before_the_key_ran_out_is_kept(server: Server) -> None:
    server.replies(GOOD, GOOD, Reply({"error": "revoked"}, 401))
    _, outcomes = predict(server, 4)
    assert outcomes[:2] == [ROWS, ROWS]
    assert [type(outcome) for outcome in outcomes[2:]] == [ModelUnavailableError] * 2
    assert len(server.seen) == 3


def test_unreachable_endpoint_is_one_line_with_address_and_reason() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ModelUnavailableError) as caught:
            predict(Server(url))
    assert_error(caught.value, f"cannot reach {url}/x: ", "refused", "(after 3 attempts)")


def test_spending_cap_in_calls_keeps_what_is_paid(server: Server) -> None:
    server.replies(GOOD)
    model, outcomes = predict(server, 5, max_calls=3)
    assert outcomes[:3] == [ROWS] * 3
    for outcome in outcomes[3:]:
        assert isinstance(outcome, SpendCapError)
        assert_error(outcome, "max_calls => 3 is used up (3 calls, 0 spent)")
    with pytest.raises(SpendCapError):
        model.predict([model.prepare("x")])
    assert len(server.seen) == 3


def test_spending_cap_in_money_is_met_exactly(server: Server) -> None:
    server.replies(GOOD)
    model, outcomes = predict(server, 12, max_price=1.0, price_per_input=0.1)
    assert outcomes[:10] == [ROWS] * 10 and len(server.seen) == 10
    assert_error(outcomes[10], "the next call would exceed max_price => 1 (10 calls, 1 spent)")
    assert model.spend.price == pytest.approx(1.0) and model.signature.price == 0.1


def test_refused_calls_are_not_charged(server: Server) -> None:
    server.replies(Reply(b"", 500), Reply(b"", 429), GOOD)
    model, outcomes = predict(server, 2, max_calls=2, max_retries=4)
    assert outcomes == [ROWS, ROWS] and model.spend.calls == 2 and len(server.seen) == 4


def test_token_cap_learns_the_price_of_a_call(server: Server) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}
    server.replies(Reply({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}))
    price = {"price_per_million_input_tokens": 1000.0, "max_price": 2.5}
    model = openai("m", "gpt", prompt="{t}", base_url=server.url, **price)
    outcomes = model.predict([model.prepare("t")] * 4)
    assert [type(outcome) for outcome in outcomes] == [list, list, SpendCapError, SpendCapError]
    assert model.spend.price == pytest.approx(2.0) and len(server.seen) == 2


def test_spending_cap_holds_for_threads_together(server: Server) -> None:
    server.replies(Reply({"label": "ok"}, delay_s=0.05))
    model = model_of(server, max_calls=6, concurrency=4)

    def one(i: int) -> Any:
        try:
            return model.predict([model.prepare(str(i))])[0]
        except SpendCapError as error:
            return error

    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(one, range(20)))
    assert sum(outcome == ROWS for outcome in outcomes) == 6 == len(server.seen) == model.spend.calls


def test_concurrency_is_reached(server: Server) -> None:
    server.replies(Reply({"label": "ok"}, delay_s=0.6))
    model = model_of(server, concurrency=4)
    with ThreadPoolExecutor(model.signature.concurrency) as threads:
        outcomes = list(threads.map(lambda i: model.predict([model.prepare(str(i))]), range(8)))
    assert outcomes == [[ROWS]] * 8
    assert server.busy_max == 4


def test_rate_limit_holds_for_threads_together(server: Server) -> None:
    server.replies(GOOD)
    model = model_of(server, concurrency=8, rate_per_s=10)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda i: model.predict([model.prepare(str(i))]), range(11)))
    times_s = sorted(seen.time_s for seen in server.seen)
    # Ten intervals of 100 ms, less how late the first may have come in; without a limit it would take a few ms.
    assert times_s[-1] - times_s[0] >= 0.6


def test_tokens_per_minute_hold_back_the_next_call(server: Server) -> None:
    usage = {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000}
    server.replies(Reply({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}))
    model = openai("m", "gpt", prompt="{t}", base_url=server.url, tokens_per_minute=60_000)
    model.predict([model.prepare("t")] * 3)
    gaps_s = [b.time_s - a.time_s for a, b in zip(server.seen, server.seen[1:], strict=False)]
    # 1000 tokens at 1000 a second, known from the answer; the estimate before it was far less.
    assert all(gap_s >= 0.5 for gap_s in gaps_s)


def test_an_answer_without_end_is_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "ANSWER_BYTES_MAX", 1 << 20)
    server.replies(Reply(b" " * (2 << 20)))
    _, (outcome,) = predict(server)
    assert_error(outcome, "answered more than 1 MiB")


SECRET = "sk-proj-1234567890"


def leaks(seen: Seen) -> str:
    return f"bad key: {seen.headers['authorization']} and more"


@pytest.mark.parametrize(
    "reply_of",
    [
        lambda seen: Reply({"error": {"message": leaks(seen)}}, 401),
        lambda seen: Reply(leaks(seen).encode(), 400),
        lambda seen: Reply({"message": leaks(seen)}, 500),
        lambda seen: Reply(leaks(seen).encode()),
        lambda seen: Reply({"label": {"echo": leaks(seen)}}),
        lambda seen: Reply({"other": leaks(seen)}),
        lambda seen: Reply({"label": [*("x" * 9 for _ in range(5)), leaks(seen)]}),
        lambda seen: Reply(b"x" * 110 + leaks(seen).encode()),
        lambda seen: Reply({"error": "x" * 190 + leaks(seen)}, 400),
        lambda seen: Reply(b"", 302, {"Location": "http://h/" + seen.headers["authorization"][7:]}),
    ],
)
def test_a_key_never_reaches_a_message_a_log_or_the_signature(
    server: Server, reply_of: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    server.answer = reply_of
    model = model_of(server, headers={"Authorization": "Bearer ${MY_KEY}"}, max_retries=1)
    with caplog.at_level(logging.INFO):
        try:
            (outcome,) = model.predict([model.prepare("x")])
        except ModelUnavailableError as error:
            outcome = error
    assert server.seen[0].headers["authorization"] == f"Bearer {SECRET}"
    assert_error(outcome)
    assert outcome.__cause__ is None
    everything = f"{outcome!r} {caplog.text} {model!r} {model.client!r} {json.dumps(dict(model.signature.options))}"
    assert "sk-" not in everything


def test_a_key_that_comes_back_in_an_answer_is_not_stored(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    server.answer = lambda seen: Reply({"label": leaks(seen)})
    assert predict(server, api_key_env="MY_KEY")[1] == [[("bad key: Bearer *** and more",)]]


def test_a_key_that_cannot_be_a_header_is_named_by_its_variable_only(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-one\r\nX-Evil: two")
    with pytest.raises(ModelUnavailableError) as caught:
        predict(server, api_key_env="MY_KEY")
    assert_error(caught.value, "environment variable MY_KEY holds characters")
    assert "sk-one" not in str(caught.value) and server.seen == []


def test_only_allowed_hosts_are_called_and_redirects_lead_nowhere(server: Server) -> None:
    host = server.url.removeprefix("http://")
    server.replies(GOOD)
    restrict_hosts(["api.openai.com"])
    with pytest.raises(ModelUnavailableError, match=r"may not call '127\.0\.0\.1'"):
        predict(server)
    restrict_hosts([host])
    assert predict(server)[1] == [ROWS]
    with serve() as inner:
        inner.replies(GOOD)
        server.replies(Reply(b"", 307, {"Location": inner.url}))
        with pytest.raises(ModelUnavailableError, match=r"moved \(307\)"):
            predict(server)
        assert inner.seen == []
    assert len(server.seen) == 2


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    with pytest.raises(UsageError, match=r"pip install 'suffice\[http\]'"):
        openai("m", "gpt", prompt="x")
