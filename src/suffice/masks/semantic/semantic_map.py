"""A class for every pixel, and masks by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.masks.semantic.label_tables import class_ids
from suffice.media.mask_rle import Mask


@dataclass(frozen=True, eq=False)
class SemanticMap:
    """Class ids ``[height, width]`` and the names of all classes; -1 is no class."""

    ids: npt.NDArray[np.int16]
    names: tuple[str, ...]

    def category(self, include: str, exclude: str = "") -> Mask:
        """Pixels of the classes in `include` (``sky+21``) that are not in `exclude`; by name or id.

        Raises:
            UsageError: a class that there is not.
        """
        wanted = set(class_ids(include, self.names)) - set(class_ids(exclude, self.names) if exclude else ())
        return np.isin(self.ids, sorted(wanted))

    def areas(self) -> dict[str, int]:
        """Pixels of each class that is there, largest first."""
        ids, counts = np.unique(self.ids[self.ids >= 0], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {self.names[int(ids[index])]: int(counts[index]) for index in order}


def enhanced(base: SemanticMap, masks: Sequence[Mask], majority_min: float = 0.0) -> SemanticMap:
    """`base` with each mask given one class: the commonest inside it; smaller masks go over larger ones.

    Args:
        majority_min: least share of a mask's pixels that the commonest class must have, else it leaves the map alone.
    """
    ids = base.ids.copy()
    for mask in sorted(masks, key=lambda each: -int(np.count_nonzero(each))):
        inside = base.ids[mask]
        counts = np.bincount(inside[inside >= 0], minlength=1)
        if counts.sum() and counts.max() >= majority_min * len(inside):
            ids[mask] = counts.argmax()
    return SemanticMap(ids, base.names)
