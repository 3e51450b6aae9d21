"""Second chapter: what was found, cut out and followed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from suffice.tour.chapter import Chapter, Figure, Trip
from suffice.tour.tracks import read_tracks

FPS, SECONDS = 5.0, 1.6


def mask(trip: Trip) -> Chapter:
    """People get masks, and keep their numbers from frame to frame."""
    from suffice.masks.names import finder_named, segmenter_named
    from suffice.masks.prompt import Prompt
    from suffice.masks.tracking.follow import Follow, follow
    from suffice.masks.video import Span, mask_video

    span = Span(FPS, trip.moment_s, trip.moment_s + (0.6 if trip.is_quick else SECONDS))
    follower = partial(
        follow,
        asked=Follow(Prompt(texts=("person",))),
        segmenter=segmenter_named("default:fast"),
        finder=finder_named("default"),
    )
    answer = mask_video(trip.clip, follower, trip.out / "masks", span)
    trip.tracks = Path(answer.lines)
    frames = read_tracks(trip.tracks)
    share = sum(thing.mask.mean() for frame in frames for thing in frame.things) / len(frames)
    longest = max(each.frame_count for each in answer.things.values())
    return Chapter(
        title="Mask and follow what was found",
        asked=(
            f"suffice mask street.mp4 --text person --model default:fast --fps {FPS:g}"
            f" --start {span.start_s:g} --end {span.end_s:g} --out masks"
        ),
        told=(
            f"A word becomes masks: {len(answer.things)} people in {answer.frame_count} frames, each with a number that"
            f" stays. The longest is followed through {longest} frames. Figure is told from ground without weights made"
            " for segmentation."
        ),
        left_out=f"{1 - share:.1%} of all pixels are outside every mask",
        sure="no promise: its mean overlap with three labelled pictures is 0.72, a filled box has 0.60",
        facts={"things": len(answer.things), "frames": answer.frame_count, "pixels_masked": round(share, 5)},
        figures=_figures(trip, answer.video, answer.frame_count),
    )


def _figures(trip: Trip, video: str, count: int) -> list[Figure]:
    """The first, the middle and the last frame of the drawn video."""
    wanted = sorted({0, count // 2, count - 1})
    rows = trip.con.sql(
        f"SELECT image, time_s FROM frames('{video}') WHERE frame_index IN ({', '.join(map(str, wanted))})"
        " ORDER BY frame_index"
    ).fetchall()
    return [Figure(trip.con.image(image), f"{time_s:g} s later.") for image, time_s in rows]
