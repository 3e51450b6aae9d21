"""Recall and precision promises hold whatever the scores are worth, and good scores make the answer small."""

import numpy as np
import pytest
from levels import LEVELS

from suffice.errors import UsageError
from suffice.estimate.lab import coverage
from suffice.estimate.populations import Population
from suffice.estimate.select_by_score import select_by_score


def scored(kind: str, count: int = 4000, share: float = 0.05) -> Population:
    rng = np.random.default_rng(0)
    yes = rng.random(count) < share
    noise = rng.random(count)
    score = {
        "good": 0.6 * yes + 0.4 * noise,
        "medium": 0.3 * yes + 0.7 * noise,
        "random": noise,
        "inverted": 1 - 0.6 * yes - 0.4 * noise,
        "constant": np.full(count, 0.5),
    }
    if kind == "over-confident":  # facts 4.3: the scores claim more than they keep
        score[kind] = rng.beta(0.5, 2, count)
        yes = noise < 0.85 * score[kind] + 0.02
    if kind == "blind":  # says nothing of every eighth of what is right
        score[kind] = np.where(yes & (rng.random(count) > 0.12), 0.5 + 0.5 * noise, 0.1 * noise)
    if kind == "calibrated":
        score[kind] = rng.beta(share, 1 - share, count)
        yes = noise < score[kind]
    return Population(kind, yes * 1.0, 0, 1, proxy=score[kind])


def quality(population: Population, certificate) -> tuple[float, float]:
    """True (recall, precision) of the answer, after the units between were asked."""
    yes = population.values > 0.5
    between = certificate.between(population.proxy)
    answer = np.union1d(certificate.returned(population.proxy), between[yes[between]])
    return yes[answer].sum() / max(yes.sum(), 1), yes[answer].mean() if answer.size else 1.0


KINDS = ["good", "medium", "calibrated", "random", "inverted", "constant", "over-confident", "blind"]
TARGETS = [{"recall": 0.9}, {"precision": 0.9}, {"precision": 0.6}, {"recall": 0.8, "precision": 0.8}]
TARGETS += [{"recall": 0.9, "precision": 0.9, "asks_rest": True}, {"recall": 0.9, "asks_rest": True}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("targets", TARGETS, ids=str)
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_promises_hold(kind: str, targets: dict[str, float], confidence: float, runs: int) -> None:
    budget = 4000 if "asks_rest" in targets else 600

    def procedure(p, rng):
        return select_by_score(p.proxy, lambda units: p.values[units], confidence, budget, rng, **targets)

    def held(p, certificate):
        recall, precision = quality(p, certificate)
        return recall >= targets.get("recall", 0) and precision >= targets.get("precision", 0)

    cell = coverage(procedure, scored(kind), max(runs // 2, 20), 21, held=held, nominal=confidence)
    assert cell.passed, cell
    assert cell.mean_n <= budget


def test_good_scores_make_small_answers() -> None:
    population = scored("good", 20_000)
    certificate = select_by_score(
        population.proxy, lambda units: population.values[units], 0.95, 2000, np.random.default_rng(1), recall=0.9
    )
    assert certificate.returned(population.proxy).size < 0.3 * 20_000
    assert quality(population, certificate)[0] >= 0.9


def test_where_all_in_doubt_is_asked_good_scores_leave_little_of_it() -> None:
    """Both promises on 20,000 units: a tenth of them is looked at; where scores say nothing, drawing stops early."""
    for kind, most in (("good", 2000), ("constant", 20_000)):
        population = scored(kind, 20_000)
        certificate = select_by_score(
            population.proxy, lambda units, p=population: p.values[units], 0.95, 20_000, np.random.default_rng(1),
            recall=0.9, precision=0.9, asks_rest=True,
        )  # fmt: skip
        assert certificate.n + certificate.between(population.proxy).size <= most
        assert min(quality(population, certificate)) >= 0.9
    assert certificate.n < 2000


def test_tiny_tables_and_budgets() -> None:
    population = scored("good", 20, 0.3)
    for budget in (0, 1, 20):
        certificate = select_by_score(
            population.proxy, lambda units: population.values[units], 0.9, budget, np.random.default_rng(0), recall=0.9
        )
        assert certificate.n <= budget
        assert quality(population, certificate)[0] >= 0.9
    with pytest.raises(UsageError, match="recall or a precision"):
        select_by_score([0.5], lambda units: [1], 0.9, 1, np.random.default_rng(0))
    with pytest.raises(UsageError, match="finite scores"):
        select_by_score([np.inf], lambda units: [1], 0.9, 1, np.random.default_rng(0), recall=0.9)
