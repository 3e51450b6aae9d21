"""How large a group can be and still have no unit in the sample, at every moment of an adaptive design.

Each draw takes a unit at random from a stratum of R units that are left; a unit that was there has met the hazard 1/R.
For a group g of s units let H be the least hazard its units have met so far, summed over draws. Then

    1[no unit of g drawn so far] / prod over draws (1 - (units of g in the stratum) / R)

is a martingale with mean 1, whatever strata and sizes past draws suggested, and the product is at most exp(-s H). So
(Ville) "g is not met although exp(-s H) <= e" ever happens with probability at most e. Units have at most G groups
each, so the sizes of all groups sum to at most N G: with e = delta s / (N G) for a group of s units, that nowhere a
group is missed whose size is above the returned one fails with probability at most delta, at any stopping time.

Source: Ville 1939; the sum over groups is Boole's inequality, weighted by size.
"""

from __future__ import annotations

import math


def missed_group_units_max(hazard: float, units: int, groups_a_unit: float, delta: float) -> int:
    """With probability 1 - `delta` every group with rows in more units than this has been met.

    Args:
        hazard: least sum of 1/R over the draws that could have met a unit, over the units that are left.
        units: units that can be drawn at all.
        groups_a_unit: most groups one unit can have rows of.
    """
    low, high = 0, units  # a group of `high` or more is met, one of `low` may be missed
    while high - low > 1:
        size = (low + high) // 2
        is_met = size * hazard >= math.log(units * groups_a_unit / (size * delta))
        low, high = (low, size) if is_met else (size, high)
    return low if high * hazard >= math.log(units * groups_a_unit / (high * delta)) else units
