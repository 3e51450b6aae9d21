"""The timeline as text.

::

    a drawing of                    head: put before every prompt, with a comma
    0: a red circle on the left     frame: prompt
    8: a blue square on the right
    on a white background           tail: put after every prompt
    negative: blurry                one negative prompt, or keys: `negative 8: dark`
    travel: slerp closed            lerp, slerp or hold; open or closed
    control canny: 0: 1, 12: 0.3    strength of a ControlNet by frame
    lora pan_left: 0: 0, 8: 1       weight of a LoRA by frame
    guidance: 0: 7, 15: 4           strength of the prompt by frame
    seed: 0: 7, 8: 9                noise of the frames from there on
    image: 0: first.png, 15: b.png  IP-Adapter pictures by frame
    # a comment

The first part alone is the original's syntax, and means the same. Frames may be written as a share of the length:
``50%``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from suffice.diffusion.timeline.track import TRAVELS, Track, Travel, constant
from suffice.errors import UsageError, nearest

_Setter = Callable[[dict[str, object], str, str, int], None]
DIRECTIVES = ("negative", "travel", "control", "lora", "guidance", "seed", "image")
_KEY = re.compile(r"\s*(\d+(?:\.\d+)?%|\d+)\s*:(.*)", re.DOTALL)
_DIRECTIVE = re.compile(rf"\s*({'|'.join(DIRECTIVES)})(?:[ \t]+([^:\s]+))?\s*:(.*)", re.IGNORECASE | re.DOTALL)
_NUMBER_KEYS = re.compile(r"\s*(\d+(?:\.\d+)?%|\d+)\s*:\s*([^,]+?)\s*(?:,|$)")


@dataclass(frozen=True)
class Timeline:
    """A parsed timeline of `length` frames.

    Attributes:
        prompts: whole prompts, head and tail included.
        negatives: whole negative prompts.
        travel: how to go from one key to the next.
        closed: whether the last key leads on to the first.
        controls: name to strengths.
        loras: name to weights.
        guidance: None when the text does not say.
        seeds: None when the text does not say.
        images: paths, for IP-Adapter; None when the text does not say.
    """

    length: int
    prompts: Track[str]
    negatives: Track[str]
    travel: Travel = "slerp"
    closed: bool = False
    controls: dict[str, Track[float]] = field(default_factory=dict)
    loras: dict[str, Track[float]] = field(default_factory=dict)
    guidance: Track[float] | None = None
    seeds: Track[int] | None = None
    images: Track[str] | None = None

    @property
    def hold(self) -> bool:
        """Whether values jump from key to key."""
        return self.travel == "hold"

    @property
    def is_constant(self) -> bool:
        """Whether every frame is told the same."""
        told = [self.prompts, self.negatives, self.guidance, self.seeds, self.images]
        tracks = [*told, *self.controls.values(), *self.loras.values()]
        return all(track is None or len(track.frames) == 1 for track in tracks)


@dataclass
class _Lines:
    head: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    keys: dict[int, str] = field(default_factory=dict)
    negatives: dict[int, str] = field(default_factory=dict)
    settings: list[tuple[str, str, str]] = field(default_factory=list)


def parse_timeline(text: str, length: int, *, negative: str = "", closed: bool = False) -> Timeline:
    """Read a timeline for a clip of `length` frames.

    Args:
        text: as at the top of this file.
        length: frames of the clip, at least 1.
        negative: the negative prompt where the text has none.
        closed: what to take where the text does not say.

    Raises:
        UsageError: a key beyond the clip, a key twice, a number that is none, an unknown way to travel.
    """
    lines = _sort_lines(text, length)
    prompts = {frame: _whole(lines, prompt) for frame, prompt in (lines.keys or {0: ""}).items()}
    settings: dict[str, object] = {"travel": "slerp", "closed": closed, "controls": {}, "loras": {}}
    for name, of, value in lines.settings:
        _SETTERS[name](settings, of, value, length)
    return Timeline(length, _track(prompts), _track(lines.negatives or {0: negative}), **settings)  # type: ignore[arg-type]


def _sort_lines(text: str, length: int) -> _Lines:
    lines = _Lines()
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, directive = _KEY.fullmatch(line), _DIRECTIVE.fullmatch(line)
        if key:
            _add(lines.keys, key[1], key[2].strip(), length)
        elif directive and directive[1].lower() == "negative":
            _add(lines.negatives, directive[2] or "0", directive[3].strip(), length)
        elif directive:
            lines.settings.append((directive[1].lower(), directive[2] or "", directive[3].strip()))
        else:
            (lines.tail if lines.keys else lines.head).append(line.strip())
    return lines


def _whole(lines: _Lines, prompt: str) -> str:
    pieces = [*lines.head, prompt, *lines.tail]
    return ", ".join(piece.strip(", ") for piece in pieces if piece.strip(", "))


def _add(keys: dict[int, str], written: str, value: str, length: int) -> None:
    frame = _frame(written, length)
    if frame in keys:
        raise UsageError(f"the timeline has frame {frame} twice")
    keys[frame] = value


def _frame(written: str, length: int) -> int:
    try:
        frame = round(float(written[:-1]) / 100 * (length - 1)) if written.endswith("%") else int(written)
    except ValueError:
        raise UsageError(f"{written!r} in the timeline is not a frame") from None
    if not 0 <= frame < length:
        raise UsageError(f"the timeline has a key at frame {frame}, but the clip ends at frame {length - 1}")
    return frame


def _track(keys: dict[int, str]) -> Track[str]:
    ordered = sorted(keys.items())
    return Track(tuple(frame for frame, _ in ordered), tuple(value for _, value in ordered))


def read_keys(text: str, length: int, what: str) -> Track[str]:
    """``0: a, 8: b`` or a single value for all frames."""
    if not _KEY.match(text):
        return constant(text.strip())
    keys: dict[int, str] = {}
    rest = text
    while rest.strip():
        match = _NUMBER_KEYS.match(rest)
        if match is None:
            raise UsageError(f"{what}: {rest.strip()!r} is not 'frame: value'")
        _add(keys, match[1], match[2], length)
        rest = rest[match.end() :]
    return _track(keys)


def read_numbers(text: str, length: int, what: str) -> Track[float]:
    """As :func:`read_keys`, with numbers."""
    track = read_keys(text, length, what)
    try:
        return Track(track.frames, tuple(float(value) for value in track.values))
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from None


def _set_travel(settings: dict[str, object], of: str, value: str, length: int) -> None:
    for word in value.lower().split():
        if word in ("open", "closed"):
            settings["closed"] = word == "closed"
        elif word in TRAVELS:
            settings["travel"] = word
        else:
            raise UsageError(f"travel: {word!r} is no way to travel{nearest(word, (*TRAVELS, 'open', 'closed'))}")


def _set_named(field_name: str, kind: str) -> _Setter:
    def setter(settings: dict[str, object], of: str, value: str, length: int) -> None:
        if not of:
            raise UsageError(f"the timeline says '{kind}:' without a name, as in '{kind} NAME: 0: 1, 8: 0.5'")
        named = cast("dict[str, Track[float]]", settings[field_name])
        named[of] = read_numbers(value, length, f"{kind} {of}")

    return setter


def _set_guidance(settings: dict[str, object], of: str, value: str, length: int) -> None:
    settings["guidance"] = read_numbers(value, length, "guidance")


def _set_seeds(settings: dict[str, object], of: str, value: str, length: int) -> None:
    track = read_numbers(value, length, "seed")
    settings["seeds"] = Track(track.frames, tuple(int(seed) for seed in track.values))


def _set_images(settings: dict[str, object], of: str, value: str, length: int) -> None:
    settings["images"] = read_keys(value, length, "image")


_SETTERS: dict[str, _Setter] = {
    "travel": _set_travel,
    "control": _set_named("controls", "control"),
    "lora": _set_named("loras", "lora"),
    "guidance": _set_guidance,
    "seed": _set_seeds,
    "image": _set_images,
}


def prompts_of(timeline: Timeline) -> Sequence[str]:
    """Every prompt that has to be embedded."""
    return (*timeline.prompts.values, *timeline.negatives.values)
