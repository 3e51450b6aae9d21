"""A member of a secure round, in a process of its own so that it can be killed: ADDRESS CLIENT UNTIL SIZE."""

from __future__ import annotations

import sys
import time

import grpc
import numpy as np

from suffice.federated.checkin.client import FederationClient
from suffice.federated.checkin.secure_round import words_of


def take_part(address: str, client: int, until: str, size: int) -> None:
    """Join, send and help to take off the masks; stops, and hangs, after the step `until` (``joined``, ``sent``)."""
    device = FederationClient(address, f"phone-{client}", "t")
    while (reply := device.check_in("d")).WhichOneof("answer") != "assignment":
        time.sleep(0.1)
    assignment = reply.assignment
    device.download(assignment)
    delta = np.random.default_rng(client).standard_normal(size).astype(np.float32)
    try:
        secure = device.join_secure(assignment)
        _hang(until == "joined", until)
        words = secure.masked(words_of(delta, client + 1, 0.5))
        sent = [device.upload_masked(assignment.token, "d", words) for _ in range(2)]
        assert sent[0].accepted and not sent[0].duplicate
        assert sent[1].duplicate or sent[1].reason == "the round is closed", "given up in between"
        _hang(until == "sent", until)
        secure.finish()
    except grpc.RpcError as error:
        # A round that was given up says so to those who are still waiting.
        assert error.code() in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED), error
    device.close()


def _hang(now: bool, word: str) -> None:
    if now:
        print(word, flush=True)
        time.sleep(600)


if __name__ == "__main__":
    take_part(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
