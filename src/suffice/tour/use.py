"""Last chapter: the trained model is a function in the next question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from suffice.tour.chapter import Chapter, Figure, Trip

CREATE = "CREATE OR REPLACE MODEL read_digit USING 'federated:{run}'"
SHARE = """SELECT avg((read_digit(image)::VARCHAR = regexp_extract(path, '(\\d)-\\d+.png', 1))::INTEGER) AS read_rightly
FROM images('{folder}/*.png')
WITHIN {error}% CONFIDENCE 95%"""
WRONG = """SELECT image, regexp_extract(path, '(\\d)-\\d+.png', 1) AS written, read_digit(image) AS read
FROM images('{folder}/*.png') WHERE read_digit(image)::VARCHAR <> written ORDER BY path LIMIT 6"""
SIDE_PX, ENLARGED = 8, 12


def use(trip: Trip) -> Chapter:
    """Registers the model, asks how good it is from a part of the pictures, and sees what it misreads."""
    _write(trip.out / "written", 80 if trip.is_quick else 360)
    con, error = trip.con, 40 if trip.is_quick else 10
    con.sql(CREATE.format(run=trip.run))
    share = con.sql(SHARE.format(folder=trip.out / "written", error=error), seed=1)
    wrong = con.sql(WRONG.format(folder=trip.out / "written"))
    guarantee, value = share.guarantee, share.fetchall()[0][0]
    assert guarantee is not None
    low, high = guarantee.intervals["read_rightly"][0]
    held = con.audit(share).held
    return Chapter(
        title="Ask with what was learnt",
        asked=";\n\n".join(
            (CREATE.format(run="digits"), SHARE.format(folder="written", error=error), WRONG.format(folder="written"))
        ),
        told=(
            f"The finished model is a function in SQL. It reads about {value:.0%} of the digits rightly; it was asked"
            f" of {guarantee.sampled} pictures to say so. Asked of all of them afterwards, the interval"
            f" {'held' if held else 'did not hold'}. "
        ),
        left_out=f"{guarantee.population - guarantee.sampled} of {guarantee.population} pictures were not read",
        sure=f"between {low:.0%} and {high:.0%} at 95%",
        facts={"read_rightly": value, "interval": [low, high], "pictures_read": guarantee.sampled, "held": held},
        figures=[_misread(trip, wrong.fetchall())],
    )


def _misread(trip: Trip, rows: list[tuple[Any, ...]]) -> Figure:
    said = ", ".join(f"a {written} as {read}" for _, written, read in rows)
    strip = np.concatenate([trip.con.image(image) for image, _, _ in rows], 1)
    return Figure(strip, f"Misread, from the left: {said}.", is_wide=True)


def _write(folder: Path, count: int) -> None:
    """Digits that no device had, each a picture named by what was written."""
    from PIL import Image

    from suffice.federated.tasks import DigitsTask

    folder.mkdir(exist_ok=True)
    test = DigitsTask(1).test()
    for number, (pixels, digit) in enumerate(zip(test.x[:count], test.y[:count], strict=True)):
        small = (pixels.reshape(SIDE_PX, SIDE_PX) * 255).round().astype(np.uint8)
        large = np.kron(small, np.ones((ENLARGED, ENLARGED), np.uint8))
        Image.fromarray(large).save(folder / f"{digit}-{number:03}.png")
