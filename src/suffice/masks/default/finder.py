"""The finder that ships: the packaged detector, its 80 names matched to words."""

from __future__ import annotations

from suffice.assets import asset_path
from suffice.errors import ModelError, UsageError, nearest
from suffice.masks.backend import Found
from suffice.masks.default.word_match import Match, match_word
from suffice.masks.prompt import Prompt
from suffice.models.detect import detect, labels
from suffice.models.protocol import Image
from suffice.models.weights import weights_version

CODE_REVISION = 1
SCORE_MIN = 0.4


class DefaultFinder:
    """NanoDet's 80 kinds of thing, by a word for one of them or one that means nearly the same.

    The score is the detector's times the likeness of word and name: 1 for the name itself, so that a box found for a
    word that is only akin says so.
    """

    name = "default"

    @property
    def version(self) -> str:
        return weights_version(CODE_REVISION, asset_path("nanodet_g_416.onnx"), asset_path("coco_labels.txt"))

    def find(self, image: Image, prompt: Prompt) -> list[Found]:
        """Boxes of things whose name a word matches.

        Raises:
            UsageError: no name is near a word; the nearest are offered.
        """
        matches = {text: match_word(text, labels()) for text in words_of(prompt.texts)}
        for text, match in matches.items():
            _check_match(text, match)
        score_min = SCORE_MIN if prompt.box_score_min is None else prompt.box_score_min
        model = detect(min_score=score_min)
        rows = model.predict([model.prepare(image)])[0]
        if isinstance(rows, Exception):
            raise ModelError(f"the packaged detector failed: {rows}") from rows
        found = [
            Found((float(x0), float(y0), float(x1), float(y1)), float(score) * match.likeness, label, text)
            for _, label, score, x0, y0, x1, y1 in rows
            for text, match in matches.items()
            if label == match.label
        ]
        return sorted((each for each in found if each.score >= score_min), key=lambda each: -each.score)


def words_of(texts: tuple[str, ...]) -> list[str]:
    """The single words or phrases of `texts`, which may hold several between full stops: ``cat. dog``."""
    return list(dict.fromkeys(part.strip() for text in texts for part in text.split(".") if part.strip()))


def _check_match(text: str, match: Match) -> None:
    if match.likeness == 0:
        near = nearest(text, labels()) or f"; its nearest are {', '.join(repr(label) for label in match.nearest)}"
        raise UsageError(f"the packaged detector knows nothing like {text!r}{near}")
