"""Names of classes in the order of their ids."""

from __future__ import annotations

from suffice.assets import asset_path
from suffice.errors import UsageError, nearest


def _lines(name: str) -> tuple[str, ...]:
    return tuple(asset_path(name).read_text("utf-8").splitlines())


ADE20K = _lines("ade20k_labels.txt")
"""The 150 classes of the scene parsing benchmark of ADE20K."""


def coco_panoptic() -> tuple[str, ...]:
    """The 80 things and 53 kinds of stuff of COCO's panoptic task."""
    from suffice.models.detect import labels

    return (*labels(), *_lines("coco_stuff_labels.txt"))


def table_named(name: str) -> tuple[str, ...]:
    """``ade20k`` or ``coco``; raises :class:`UsageError` for another."""
    tables = {"ade20k": lambda: ADE20K, "coco": coco_panoptic}
    if name.lower() not in tables:
        raise UsageError(f"there is no label table {name!r}{nearest(name, tables)}; there are {', '.join(tables)}")
    return tables[name.lower()]()


def class_ids(asked: str, names: tuple[str, ...]) -> list[int]:
    """The ids in `asked`: names or ids joined by ``+`` (``sky+21+palm tree``).

    Raises:
        UsageError: an id or a name that the table does not have; the nearest names are offered.
    """
    parts = [part.strip() for part in asked.split("+") if part.strip()]
    if not parts:
        raise UsageError("no category is named")
    return [_class_id(part, names) for part in parts]


def _class_id(part: str, names: tuple[str, ...]) -> int:
    if part.isdecimal():
        if int(part) >= len(names):
            raise UsageError(f"there is no category {part}: ids run from 0 to {len(names) - 1}")
        return int(part)
    lowered = [name.lower() for name in names]
    if part.lower() in lowered:
        return lowered.index(part.lower())
    raise UsageError(f"there is no category {part!r}{nearest(part.lower(), lowered)}")
