"""What a sample did not show: rows of groups never met, and the largest group that can have been missed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from suffice.estimate.count import count_bounds, smallest


def unseen_rows(keys: Sequence[Hashable], population: int, confidence: float) -> int:
    """An upper bound on the number of rows whose group key occurs nowhere in the sample.

    `keys` are the sample's group keys in the order drawn, without replacement, from `population` rows; the sample
    size is fixed in advance. Proof: let U be the rows still unseen-keyed at the end. It can only have been larger
    before, so in the second half of the draws each draw met a new key with conditional probability at least U / (rows
    left at half time). The number of new keys there is therefore at least, in law, binomial with that probability,
    and Clopper & Pearson (1934) bounds it from above. (Good-Turing with a guarantee; nothing is assumed about the
    groups.)
    """
    n = len(keys)
    half = n // 2
    fresh = len(set(keys)) - len(set(keys[:half]))
    _, share = count_bounds(fresh, n - half, None, 0.5, 1 - confidence)
    return min(population - n, int(share * (population - half)))


def largest_missed_group(n: int, population: int, confidence: float) -> int:
    """The g such that, with probability `confidence`, every group of more than g rows is in the sample.

    Exact hypergeometric chance of missing one group of g rows, times the population / g groups there can be (Boole).
    """
    from scipy.stats import hypergeom

    def is_caught(size: int) -> bool:
        return bool(hypergeom.pmf(0, population, size, n) * (population / size) <= 1 - confidence)

    return smallest(1, population + 1, lambda size: size > population or is_caught(size)) - 1
