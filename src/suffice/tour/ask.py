"""First chapter: how many people pass, from a part of the frames; and when the street is most crowded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suffice.tour.chapter import Chapter, Figure, Trip

if TYPE_CHECKING:
    from suffice.answer.result import Result
    from suffice.models.protocol import Image

COUNT = """SELECT count(*) AS people
FROM frames('{clip}', fps => {fps}) f, detect(f.image, max_objects => 20) o
WHERE o.label = 'person'
WITHIN {error}% CONFIDENCE 95%"""
CROWDED = """SELECT any_value(f.image) AS image, f.time_s, count(*) AS people
FROM frames('{clip}', fps => {fps}) f, detect(f.image, max_objects => 20) o
WHERE o.label = 'person' AND f.time_s BETWEEN 15 AND 20
GROUP BY f.time_s ORDER BY people DESC, f.time_s LIMIT 2"""
SEED = 1


def ask(trip: Trip) -> Chapter:
    """Counts within an error, then exactly over five seconds."""
    chosen = {"fps": 1 if trip.is_quick else 2, "error": 25 if trip.is_quick else 15}
    answers = list(trip.con.stream(COUNT.format(clip=trip.clip, **chosen), seed=SEED))
    crowded = trip.con.sql(CROWDED.format(clip=trip.clip, **chosen))
    trip.moment_s = float(crowded.fetchall()[0][1])
    guarantee = answers[-1].guarantee
    assert guarantee is not None
    low, high = guarantee.intervals["people"][0]
    count, sampled, population = answers[-1].fetchall()[0][0], guarantee.sampled, guarantee.population
    work = crowded.work.model_calls["detect"]
    return Chapter(
        title="Ask a street",
        asked="\n\n".join(text.format(clip="street.mp4", **chosen) for text in (COUNT, CROWDED)),
        told=(
            f"How many people are in the frames of a street video? About {count:,}: the detector looked at {sampled}"
            f" frames of {population} until the answer was certain to be close enough. Which moment between second 15"
            f" and 20 is the most crowded? Second {trip.moment_s:g}; of the frames that needs, {work.cached} had been"
            " looked at."
        ),
        left_out=f"{population - sampled} of {population} frames were not looked at",
        sure=f"between {low:,.0f} and {high:,.0f} at 95%, however the people are spread",
        facts={
            "people": count,
            "interval": [low, high],
            "frames_looked_at": sampled,
            "frames": population,
            "moment_s": trip.moment_s,
            "cached": work.cached,
        },
        figures=[
            Figure(_chart(answers), "The interval as it closes: every answer on the way holds too."),
            *(Figure(_with_boxes(trip, row), f"Second {row[1]:g}: {row[2]} people.") for row in crowded.fetchall()),
        ],
    )


def _with_boxes(trip: Trip, row: tuple[Any, ...]) -> Image:
    from suffice.media.write import draw_boxes

    query = f"SELECT x0, y0, x1, y1 FROM detect('{row[0]}', max_objects => 20) WHERE label = 'person'"
    return draw_boxes(trip.con.image(str(row[0])), trip.con.sql(query).fetchall())


def _chart(answers: list[Result]) -> str:
    from suffice.federated.finished.chart import line_chart

    told = [(a.guarantee, float(a.fetchall()[0][0])) for a in answers if a.guarantee and a.fetchall()[0][0] is not None]
    seen = [(float(g.sampled), *g.intervals["people"][0], count) for g, count in told]
    most = 2.5 * seen[-1][3]
    series = {
        "at most": [(x, min(high, most)) for x, _, high, _ in seen],
        "answer": [(x, count) for x, _, _, count in seen],
        "at least": [(x, low) for x, low, _, _ in seen],
    }
    return line_chart("People", series, "frames looked at", (0.0, most))
