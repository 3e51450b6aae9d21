"""Made-up devices with the shape of real ones."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Floats, Floats32, Ints
from suffice.federated.traces.columns import WEEK_S, Traces

_DAY_S = 86_400.0
_HOUR_S = 3_600.0
_CHUNK_CLIENTS = 50_000
_TOP_UPS = 16
_NIGHT_SHARE = 0.5
_DESK_SHARE = 0.15


def synthetic_traces(clients: int, *, seed: int = 0) -> Traces:
    """A week of `clients` invented phones; nothing in it was recorded from anybody.

    Shape, after the figures printed for keyboard-app traces (FLASH, WWW 2021; REFL, EuroSys 2023) and production
    (Bonawitz et al., MLSys 2019): online means charging; a long charge every other night, top-ups of minutes by day,
    now and then hours at a desk; the online share swings about five-fold between night and day. Speed is log-normal
    (median 30 ms a sample, ten times between the slowest and the fastest tenth), bandwidth log-normal and heavy-tailed
    (median 8 Mbit/s down; up is about a quarter).
    """
    rng = np.random.default_rng([seed, 0x7ACE])
    speed = rng.lognormal(np.log(30.0), 0.9, clients).astype(np.float32)
    down = rng.lognormal(np.log(8_000.0), 1.0, clients).astype(np.float32)
    up = (down * rng.lognormal(np.log(0.25), 0.4, clients)).astype(np.float32)
    sizes = [min(_CHUNK_CLIENTS, clients - first) for first in range(0, clients, _CHUNK_CLIENTS)]
    chunks = [_chunk(rng, size) for size in sizes]
    counts = np.concatenate([chunk[0] for chunk in chunks])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    start_s, end_s = (np.concatenate([chunk[column] for chunk in chunks]) for column in (1, 2))
    return Traces(speed, down, up, np.full(clients, WEEK_S, dtype=np.float32), offsets, start_s, end_s)


def _chunk(rng: np.random.Generator, clients: int) -> tuple[Ints, Floats32, Floats32]:
    shift_s = rng.normal(0.0, 2.5 * _HOUR_S, (clients, 1))
    night_s, night_length_s = _nights(rng, clients)
    top_up_s, top_up_length_s = _top_ups(rng, clients)
    start_s = np.mod(np.hstack([night_s, top_up_s]) + shift_s, WEEK_S)
    start_s[np.isnan(start_s)] = np.inf
    end_s = start_s + np.hstack([night_length_s, top_up_length_s])
    over = np.where(np.isfinite(end_s), end_s - WEEK_S, 0.0).max(axis=1, keepdims=True)
    start_s = np.hstack([np.where(over > 0, 0.0, np.inf), start_s])
    end_s = np.hstack(
        [np.where(over > 0, over, np.inf), np.where(np.isfinite(end_s), np.minimum(end_s, WEEK_S), np.inf)]
    )
    return _disjoint(start_s, end_s)


def _nights(rng: np.random.Generator, clients: int) -> tuple[Floats, Floats]:
    shape = (clients, 7)
    start_s = np.arange(7) * _DAY_S + rng.normal(23 * _HOUR_S, 1.5 * _HOUR_S, shape)
    start_s[rng.random(shape) > _NIGHT_SHARE] = np.nan
    return start_s, np.clip(rng.normal(6.5 * _HOUR_S, 1.5 * _HOUR_S, shape), _HOUR_S, 11 * _HOUR_S)


def _top_ups(rng: np.random.Generator, clients: int) -> tuple[Floats, Floats]:
    shape = (clients, _TOP_UPS)
    start_s = rng.integers(0, 7, shape) * _DAY_S + rng.normal(15 * _HOUR_S, 4 * _HOUR_S, shape)
    at_a_desk = rng.random(shape) < _DESK_SHARE
    return start_s, rng.lognormal(np.where(at_a_desk, np.log(3 * _HOUR_S), np.log(180.0)), 0.8, shape)


def _disjoint(start_s: Floats, end_s: Floats) -> tuple[Ints, Floats32, Floats32]:
    """Sort the sessions of each row and join those that overlap; inf marks an empty place."""
    order = np.argsort(start_s, axis=1)
    start_s, end_s = (np.take_along_axis(column, order, axis=1) for column in (start_s, end_s))
    reach_s = np.maximum.accumulate(np.where(np.isfinite(start_s), end_s, -np.inf), axis=1)
    opens = np.isfinite(start_s)
    opens[:, 1:] &= start_s[:, 1:] > reach_s[:, :-1]
    closes = np.hstack([opens[:, 1:] | ~np.isfinite(start_s[:, 1:]), np.ones((len(start_s), 1), bool)])
    closes &= np.isfinite(start_s)
    return opens.sum(axis=1), start_s[opens].astype(np.float32), reach_s[closes].astype(np.float32)
