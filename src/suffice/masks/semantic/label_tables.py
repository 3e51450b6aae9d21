"""Names of classes in the order of their ids."""

from __future__ import annotations

from suffice.errors import UsageError, nearest

ADE20K = tuple(
    name.strip()
    for name in """wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person,
    earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea, mirror, rug,
    field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, base, box, column, signboard,
    chest of drawers, counter, sand, sink, skyscraper, fireplace, refrigerator, grandstand, path, stairs, runway, case,
    pool table, pillow, screen door, stairway, river, bridge, bookcase, blind, coffee table, toilet, flower, book,
    hill, bench, countertop, stove, palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel,
    bus, towel, light, truck, tower, chandelier, awning, streetlight, booth, television, airplane, dirt track,
    apparel, pole, land, bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain,
    conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall, tent, bag, minibike,
    cradle, oven, ball, food, step, tank, trade name, microwave, pot, animal, bicycle, lake, dishwasher, screen,
    blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, fan, pier, crt screen, plate, monitor,
    bulletin board, shower, radiator, glass, clock, flag""".split(",")
)
"""The 150 classes of the scene parsing benchmark of ADE20K."""

_COCO_STUFF = tuple(
    name.strip()
    for name in """banner, blanket, bridge, cardboard, counter, curtain, door-stuff, floor-wood, flower, fruit, gravel,
    house, light, mirror-stuff, net, pillow, platform, playingfield, railroad, river, road, roof, sand, sea, shelf,
    snow, stairs, tent, towel, wall-brick, wall-stone, wall-tile, wall-wood, water-other, window-blind, window-other,
    tree-merged, fence-merged, ceiling-merged, sky-other-merged, cabinet-merged, table-merged, floor-other-merged,
    pavement-merged, mountain-merged, grass-merged, dirt-merged, paper-merged, food-other-merged,
    building-other-merged, rock-merged, wall-other-merged, rug-merged""".split(",")
)


def coco_panoptic() -> tuple[str, ...]:
    """The 80 things and 53 kinds of stuff of COCO's panoptic task."""
    from suffice.models.detect import labels

    return (*labels(), *_COCO_STUFF)


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
