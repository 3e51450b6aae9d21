"""Say what a scene shows, in the few words the pocket models know."""

from __future__ import annotations

from suffice.diffusion.pocket.scene import DIGITS, Scene, Thing


def _noun(thing: Thing) -> str:
    return f"digit {thing.kind}" if thing.kind in DIGITS else thing.kind


def phrase(thing: Thing) -> str:
    """Return e.g. `a small red circle at the top`."""
    adjectives = " ".join(word for word in (thing.size, thing.colour, _noun(thing)) if word)
    article = "an" if adjectives.startswith("orange") else "a"
    return " ".join(word for word in (article, adjectives, thing.motion, thing.place) if word)


def _things(scene: Scene) -> str:
    spoken = [phrase(thing) for thing in scene.things]
    if len(spoken) == 1:
        return spoken[0]
    if len(spoken) == 2:
        return f"{spoken[0]} {scene.relation} {spoken[1]}"
    return ", ".join(spoken[:-1]) + " and " + spoken[-1] + " in a row"


def caption(scene: Scene) -> str:
    """Return the scene's caption, e.g. `a red circle left of a small blue square on a black background`."""
    return f"{_things(scene)} on a {scene.background} background"
