"""The generator: the same seed draws the same, and a caption says what the picture shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suffice.diffusion.pocket.caption import caption
from suffice.diffusion.pocket.clip import clip
from suffice.diffusion.pocket.data import scenes
from suffice.diffusion.pocket.draw import draw
from suffice.diffusion.pocket.edges import edges
from suffice.diffusion.pocket.sample import two
from suffice.diffusion.pocket.scene import BACKGROUNDS, COLOURS, DIGITS, KINDS, MOTIONS, SIZES, STILL, Scene, Thing
from suffice.diffusion.pocket.vocabulary import words


def plain(kind: str = "square", colour: str = "red", xy: tuple[float, float] = (0.5, 0.5)) -> Scene:
    return Scene("black", (Thing(kind, colour, "", xy, 0.16),))


def inked(scene: Scene) -> np.ndarray:
    """Where a picture differs from its ground."""
    return np.abs(draw(scene).astype(int) - BACKGROUNDS[scene.background]).sum(-1) > 60


def test_same_seed_same_pictures_and_another_seed_others() -> None:
    first, again, other = (np.stack([draw(s) for s in scenes(40, seed)]) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any(axis=(1, 2, 3)).mean() > 0.9


def test_captions_use_known_words_only() -> None:
    known = set(words())
    for scene in scenes(500, 3):
        assert set(caption(scene).replace(",", " ,").split()) <= known


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_is_drawn_in_its_colour_at_its_place(kind: str) -> None:
    scene = plain(kind, "cyan", (0.3, 0.7))
    rows, columns = np.nonzero(inked(scene))
    off = 0.13 if kind in DIGITS else 0.06  # a one or a seven fills one side of its box
    assert abs(columns.mean() / 64 - 0.3) < off and abs(rows.mean() / 64 - 0.7) < off
    solid = draw(scene)[(np.abs(draw(scene).astype(int) - COLOURS["cyan"]).sum(-1) < 6)]
    assert len(solid) > 20


def test_kinds_look_different() -> None:
    drawn = [inked(plain(kind)) for kind in KINDS]
    for n, one in enumerate(drawn):
        assert all((one != other).sum() > 12 for other in drawn[:n])


@pytest.mark.parametrize(("size", "word"), [("small", "small"), ("", "red"), ("large", "large")])
def test_sizes_are_told(size: str, word: str) -> None:
    thing = replace(plain().things[0], size=size, radius=SIZES[size])
    assert caption(Scene("black", (thing,))).split()[1] == word


def test_two_things_stand_as_the_caption_says() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        scene = two(rng)
        (x0, y0), (x1, y1) = (thing.centre_xy for thing in scene.things)
        gap = {"left of": x1 - x0, "right of": x0 - x1, "above": y1 - y0, "below": y0 - y1}[scene.relation]
        assert gap > 0.3 and f" {scene.relation} " in caption(scene)
        assert scene.things[0].colour != scene.things[1].colour


def test_an_orange_thing_takes_an() -> None:
    assert caption(plain("heart", "orange")) == "an orange heart on a black background"


@pytest.mark.parametrize("motion", [*MOTIONS, STILL])
def test_clips_do_what_they_say(motion: str) -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        frames = clip(rng, motion)
        first, last = frames[0].things[0], frames[-1].things[0]
        dx, dy = (b - a for a, b in zip(first.centre_xy, last.centre_xy, strict=True))
        went = {"moving left": -dx, "moving right": dx, "moving up": -dy, "moving down": dy}.get(motion, 0.0)
        grew = {"growing": last.radius - first.radius, "shrinking": first.radius - last.radius}.get(motion, 0.0)
        turned = last.turn_deg - first.turn_deg
        assert went >= 0.29 if motion.startswith("moving") else (dx, dy) == (0, 0)
        assert grew > 0.1 if motion in ("growing", "shrinking") else last.radius == first.radius
        assert turned > 90 if motion == "spinning" else turned == 0
        assert len({caption(frame) for frame in frames}) == 1 and motion in caption(frames[0])


def test_nothing_leaves_the_picture() -> None:
    rng = np.random.default_rng(8)
    for _ in range(100):
        for frame in clip(rng):
            thing = frame.things[0]
            assert all(thing.radius <= v <= 1 - thing.radius for v in thing.centre_xy)


def test_a_still_tells_nothing_of_motion() -> None:
    """What moves is for clips: a still of a thing that moves is a still of the thing."""
    moves = plain().with_things(replace(plain().things[0], motion="moving left"))
    assert (draw(moves) == draw(plain())).all()


def test_edges_are_thin_and_where_the_outline_is() -> None:
    found = edges(draw(plain("square"))) > 0
    side = 2 * 0.85 * 0.16 * 64
    assert 3 * side < found.sum() < 8 * side
    rows, columns = np.nonzero(found)
    assert abs((rows.max() - rows.min()) - side) <= 2 and abs((columns.max() - columns.min()) - side) <= 2
    assert not (edges(np.full((64, 64, 3), 77, np.uint8)) > 0).any()
