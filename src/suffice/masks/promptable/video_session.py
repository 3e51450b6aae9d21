"""Things followed by a network with a memory (SAM 2, SAM 3, EdgeTAM) through a video of any length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suffice.errors import UsageError
from suffice.masks.ask import box_inside
from suffice.masks.backend import Finder
from suffice.masks.found import Candidate, FoundThing
from suffice.masks.prompt import Prompt, ThingPrompt
from suffice.masks.promptable.canvas import Canvas, canvas_of, draw
from suffice.masks.promptable.checkpoint_segmenter import torch_bilinear
from suffice.masks.promptable.families import MEMORIES, family_of
from suffice.masks.settle_found import settle_found
from suffice.masks.tracking.follow import Follow, FrameThings, Numbered
from suffice.media.mask_crop import mask_box
from suffice.models.huggingface.checkpoint import find_checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.pretrained import load_network
from suffice.models.lazy import Lazy
from suffice.models.nms import iou
from suffice.models.protocol import Image

SEARCH_EVERY = 8
KNOWN_IOU_MIN = 0.3


@dataclass
class _Known:
    """A thing of the session: its name, and where it was last."""

    label: str
    score: float | None
    box_xyxy: tuple[float, float, float, float]


class VideoSession:
    """A video checkpoint. Of the frames behind, only as many are kept as its memory looks back on.

    Args:
        folder_or_id: a SAM 2, SAM 3 or EdgeTAM video checkpoint.
        search_every: every so many frames, words are looked for again, and what is not followed yet is from then on.
    """

    def __init__(self, folder_or_id: str, search_every: int = SEARCH_EVERY) -> None:
        self.checkpoint = find_checkpoint(folder_or_id)
        kind = str(self.checkpoint.config.get("model_type"))
        if kind not in MEMORIES:
            raise UsageError(f"{self.checkpoint.where} is of the family {kind!r}, which has no memory for video")
        self.search_every = search_every
        self.family = family_of(self.checkpoint.where, self.checkpoint.config)
        network, self._session = MEMORIES[kind]
        self._network = Lazy(lambda: load_network(self.checkpoint, HuggingFaceSettings(), network))
        self.kept_frames_max = 0

    def follow(
        self, frames: Iterable[tuple[int, Image]], asked: Follow, finder: Finder | None = None
    ) -> Iterator[FrameThings]:
        """As :func:`suffice.masks.tracking.follow.follow`, by the network's own memory.

        A thing it does not see is left out of the frame, and comes back with its id when it is seen again.
        """
        session: Any = None
        known: dict[int, _Known] = {}
        for step, (frame_index, image) in enumerate(frames):
            if session is None:
                session = self._begin(image)
            canvas = self._canvas(image)
            prompted = [*_at_start(asked.prompt, step), *asked.prompted.get(frame_index, ())]
            prompted += self._new(image, asked.prompt, finder, known, prompted, step)
            for each in prompted:
                _tell(session, each, canvas, step)
                known[each.id] = _Known(each.thing.label, each.thing.label_score, each.thing.box_xyxy or (0, 0, 0, 0))
            session.obj_with_new_inputs = [each.id for each in prompted]
            things = self._answer(session, image, canvas, step, known) if known else []
            self._forget(session, step)
            yield FrameThings(frame_index, image, things)

    def _canvas(self, image: Image) -> Canvas:
        side = int(self._network().network.config.image_size)
        return canvas_of(image.shape[0], image.shape[1], side, "stretch")

    def _begin(self, image: Image) -> Any:
        import transformers

        loaded = self._network()
        return getattr(transformers, self._session)(
            video_height=image.shape[0],
            video_width=image.shape[1],
            inference_device=loaded.device,
            dtype=loaded.dtype,
        )

    def _new(
        self,
        image: Image,
        prompt: Prompt,
        finder: Finder | None,
        known: Mapping[int, _Known],
        prompted: Sequence[Numbered],
        step: int,
    ) -> list[Numbered]:
        """Found things that nobody follows yet, under new ids."""
        if not prompt.texts or finder is None or step % self.search_every:
            return []
        height, width = image.shape[:2]
        fresh, last = [], max([*known, *(each.id for each in prompted)], default=0)
        for found in settle_found(finder.find(image, prompt), prompt):
            box = box_inside(found.box_xyxy, width, height)
            taken = np.array([box, *(each.box_xyxy for each in known.values())], np.float32)
            if iou(taken)[0, 1:].max(initial=0) < KNOWN_IOU_MIN:
                last += 1
                thing = ThingPrompt(box_xyxy=box, label=found.label, label_score=found.score)
                fresh.append(Numbered(last, thing))
        return fresh

    def _answer(
        self, session: Any, image: Image, canvas: Canvas, step: int, known: dict[int, _Known]
    ) -> list[FoundThing]:
        import torch

        loaded = self._network()
        pixels = loaded.tensors({"pixels": draw(image, canvas, self.family.mean, self.family.std)})["pixels"]
        with torch.inference_mode():
            # Given as a frame, not by its index: else the length of the video so far sets what memory is used.
            outputs = loaded.network(inference_session=session, frame_idx=step, frame=pixels)
        low = outputs.pred_masks.float().cpu().numpy().reshape(-1, *outputs.pred_masks.shape[-2:])
        odds = outputs.object_score_logits.float().cpu().numpy().ravel()
        things = []
        for number, logits, odd in zip(outputs.object_ids, low, odds, strict=True):
            mask = torch_bilinear(logits[None], image.shape[0], image.shape[1])[0] > 0
            if odd > 0 and mask.any():
                box = mask_box(mask)
                known[number].box_xyxy = (float(box.x0), float(box.y0), float(box.x1), float(box.y1))
                score = float(1 / (1 + np.exp(-odd)))
                things.append(FoundThing(int(number), known[number].label, (Candidate(mask, score),)))
        return sorted(things, key=lambda thing: thing.id)

    def _forget(self, session: Any, step: int) -> None:
        """Drop frames and outputs that the memory no longer looks at."""
        config = self._network().network.config
        reach = max(int(config.num_maskmem), int(getattr(config, "max_object_pointers_in_encoder", 16))) + 1
        if session.processed_frames is not None:
            for old in [index for index in session.processed_frames if index < step]:
                del session.processed_frames[old]
        for outputs in session.output_dict_per_obj.values():
            kept = outputs["non_cond_frame_outputs"]
            for old in [index for index in kept if index <= step - reach]:
                del kept[old]
            self.kept_frames_max = max(self.kept_frames_max, len(kept))
        for tracked in session.frames_tracked_per_obj.values():
            for old in [index for index in tracked if index <= step - reach]:
                del tracked[old]


def _at_start(prompt: Prompt, step: int) -> list[Numbered]:
    return [Numbered(number, thing) for number, thing in enumerate(prompt.things, 1)] if step == 0 else []


def _tell(session: Any, each: Numbered, canvas: Canvas, step: int) -> None:
    """Points and the corners of a box (labels 2 and 3), or a mask, as the network's own processor hands them in."""
    import torch

    index = session.obj_id_to_idx(each.id)
    thing = each.thing
    if thing.mask is not None:
        low = torch.from_numpy(thing.mask.astype(np.float32))[None, None]
        side = (canvas.side, canvas.side)
        resized = torch.nn.functional.interpolate(low, side, mode="bilinear", align_corners=False, antialias=True)
        session.add_mask_inputs(index, step, (resized >= 0.5).to(session.dtype))
        session.remove_point_inputs(index, step)
        return
    xy = [(p.x, p.y) for p in thing.points]
    labels = [int(p.is_on) for p in thing.points]
    if thing.box_xyxy is not None:
        xy = [thing.box_xyxy[:2], thing.box_xyxy[2:], *xy]
        labels = [2, 3, *labels]
    coordinates = torch.from_numpy(canvas.scaled(np.array(xy, np.float64)))[None, None]
    given = {"point_coords": coordinates, "point_labels": torch.tensor(labels, dtype=torch.int32)[None, None]}
    session.add_point_inputs(index, step, given)
    session.remove_mask_inputs(index, step)
