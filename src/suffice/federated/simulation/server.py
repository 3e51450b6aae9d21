"""The model, and everything that happens to updates before they change it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from suffice.federated.aggregate import ControlVariates, Partial, fold, partial_of, screen, screen_rows, take
from suffice.federated.aggregate.compress import ErrorFeedback
from suffice.federated.aggregate.optimisers import ServerOptimiser
from suffice.federated.aggregate.privacy import clip, epsilon_spent, gaussian_noise
from suffice.federated.aggregate.robust import make_rule
from suffice.federated.aggregate.weightings import Weighting
from suffice.federated.arrays import Bools, Floats, Floats32, Ints, State
from suffice.federated.cohort import Updates
from suffice.federated.config import FederatedConfig


@dataclass
class Learnt:
    """What the server knows of the clients that reported in one step."""

    clients: list[Ints] = field(default_factory=list)
    samples: list[Ints] = field(default_factory=list)
    loss_mean: list[Floats] = field(default_factory=list)
    loss_rms: list[Floats] = field(default_factory=list)


@dataclass
class Server:
    """Weights ``[P]``, and the parts updates pass through: feedback and compression, screening, clipping, noise, the
    weighted sum or a robust rule, the optimiser."""

    config: FederatedConfig
    weights: Floats
    trained: Bools
    weighting: Weighting
    optimiser: ServerOptimiser
    feedback: ErrorFeedback | None
    control: ControlVariates | None
    version: int = 0

    def collect(self, chunks: Iterable[Updates], staleness: int, learnt: Learnt) -> tuple[Partial, list[Floats32]]:
        """Fold chunks of updates that set off `staleness` versions ago; a robust rule also needs the rows."""
        total, rows = Partial.empty(len(self.weights)), []
        for chunk in chunks:
            kept = self._screened(chunk)
            rejected = len(chunk.clients) - len(kept.clients)
            part = partial_of(kept, self.weighting, np.full(len(kept.clients), float(staleness)), rejected)
            total = fold([total, part], len(self.weights))
            rows += [kept.delta] if self.config.robust != "none" else []
            for name in ("clients", "samples", "loss_mean", "loss_rms"):
                getattr(learnt, name).append(getattr(kept, name))
        return total, rows

    def apply(self, total: Partial, rows: list[Floats32]) -> None:
        """Take the step; nothing changes when there is nothing usable."""
        if total.reports > 0:
            self.weights = self.optimiser.step(self.weights, self._delta(total, rows), self.trained)
        self.version += 1

    def epsilon(self, sampling_rate: float) -> float | None:
        """Privacy spent so far; None without it."""
        if self.config.privacy == "none":
            return None
        drawn_once = self.config.mode == "sync" and self.config.sample_mode == "random"
        rate = sampling_rate if drawn_once and self.config.privacy == "central" else 1.0
        return epsilon_spent(self.config.noise_factor, rate, self.version, self.config.privacy_delta)

    def state(self) -> State:
        """As arrays."""
        parts = {"optimiser": self.optimiser, "feedback": self.feedback, "control": self.control}
        named = {
            f"{part}.{name}": value for part, held in parts.items() if held for name, value in held.state().items()
        }
        return {"weights": self.weights, "version": np.array(self.version), **named}

    def restore(self, state: State) -> None:
        """Take up what :meth:`state` saved."""
        self.weights, self.version = state["weights"].astype(np.float64), int(state["version"])
        for part, held in (("optimiser", self.optimiser), ("feedback", self.feedback), ("control", self.control)):
            if held is not None:
                held.restore({k.partition(".")[2]: v for k, v in state.items() if k.startswith(part + ".")})

    def _delta(self, total: Partial, rows: list[Floats32]) -> Floats:
        if rows:
            return make_rule(self.config.robust)(np.concatenate(rows), self.config.hostile)
        if self.config.privacy == "central":
            return (total.delta_sum + self._noise(("central", 0))) / self.config.num_participants
        return total.mean

    def _screened(self, chunk: Updates) -> Updates:
        """What is usable of `chunk`, as it arrives. Whatever remembers a client (its variate, its compression error)
        hears of an update only after it was taken: one that is rejected must leave no trace."""
        sound = screen(chunk, norm_max=self.config.update_norm_max)
        sent, left = self._sent(sound)
        taken = screen_rows(sent, norm_max=self.config.update_norm_max)
        if self.feedback is not None and left is not None:
            self.feedback.settle(sound.clients[taken], left[taken])
        if self.control is not None:
            self.control.observe(take(sound, taken))
        return self._private(take(sent, taken))

    def _sent(self, sound: Updates) -> tuple[Updates, Floats32 | None]:
        if self.feedback is None or not len(sound.clients):
            return sound, None
        rng = self._rng(("compress", int(sound.clients[0])))
        sent, left = self.feedback.offer(sound.clients, sound.delta, rng)
        return replace(sound, delta=sent), left

    def _private(self, kept: Updates) -> Updates:
        if self.config.privacy == "none" or not len(kept.clients):
            return kept
        delta = clip(kept.delta, self.config.clip_threshold, self.trained)
        if self.config.privacy == "local":
            delta = delta + np.stack([self._noise(("local", int(c))) for c in kept.clients]).astype(np.float32)
        return replace(kept, delta=delta)

    def _noise(self, purpose: tuple[str, int]) -> Floats:
        return gaussian_noise(self.config.noise_factor, self.config.clip_threshold, self.trained, self._rng(purpose))

    def _rng(self, purpose: tuple[str, int]) -> np.random.Generator:
        kind = {"central": 1, "local": 2, "compress": 3}[purpose[0]]
        return np.random.default_rng([self.config.seed, self.version, kind, purpose[1]])
