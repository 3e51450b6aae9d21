"""One model over its inputs on Ray's actors: stretches handed out, batches taken in, what was lost done again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from suffice.errors import ModelError, SufficeError
from suffice.models.engines.ray_pool import RayPool
from suffice.models.engines.ray_worker import Batch

LOST_MAX = 3
"""Workers that one stretch may cost before it is the stretch that is blamed."""
HEAR_S = 0.5
"""How long Ctrl-C may have to wait."""


@dataclass
class Piece:
    """A stretch: positions of inputs that are not in yet, and how many workers it has cost."""

    left: list[int]
    lost: int = 0


def _told(error: Exception) -> SufficeError:
    """What went wrong in a worker, in one line of ours."""
    if isinstance(error, SufficeError):
        return error
    return ModelError(f"a worker of Ray failed: {type(error).__name__}: {str(error).strip().splitlines()[0]}")


class RayRun:
    """Args: `begin` makes an actor take up a piece, and gives Ray's promise of its first batch."""

    def __init__(self, pool: RayPool, begin: Callable[[Any, list[int]], Any], pieces: list[list[int]]) -> None:
        self._pool, self._begin = pool, begin
        self._todo = deque(Piece(positions) for positions in pieces)
        self._hands: dict[Any, tuple[int, Piece, list[int]]] = {}

    def batches(self) -> Iterator[Batch]:
        """Batches as they come in, positions counted over all inputs. An actor computes on when its batch was taken."""
        for rank in range(min(self._pool.start(), len(self._todo))):
            self._take_up(rank)
        while self._hands:
            ready, _ = self._pool.ray.wait(list(self._hands), num_returns=1, timeout=HEAR_S)
            for promise in ready:
                rank, piece, given = self._hands.pop(promise)
                batch = self._heard(promise, rank, piece)
                if batch is None:
                    self._take_up(rank)
                    continue
                placed = [replace(one, position=given[one.position]) for one in batch.outcomes]
                done = {one.position for one in placed}
                piece.left = [position for position in piece.left if position not in done]
                yield replace(batch, outcomes=placed)
                self._hands[self._pool.actor(rank).more.remote()] = (rank, piece, given)

    def _take_up(self, rank: int) -> None:
        """The next stretch that has anything left goes to an actor."""
        while self._todo:
            piece = self._todo.popleft()
            if piece.left:
                given = list(piece.left)
                self._hands[self._begin(self._pool.actor(rank), given)] = (rank, piece, given)
                return

    def _heard(self, promise: Any, rank: int, piece: Piece) -> Batch | None:
        """What an actor says; None when its stretch is over, or it died and has a successor."""
        errors = self._pool.ray.exceptions
        try:
            batch: Batch | None = self._pool.ray.get(promise)
        except errors.RayActorError:
            self._lost(rank, piece)
            return None
        except errors.RayTaskError as error:
            raise _told(error.cause) from None
        return batch

    def _lost(self, rank: int, piece: Piece) -> None:
        piece.lost += 1
        if piece.lost > LOST_MAX:
            raise ModelError(f"{piece.lost} of Ray's workers died over the same {len(piece.left)} inputs")
        self._pool.replace(rank)
        self._todo.appendleft(piece)
