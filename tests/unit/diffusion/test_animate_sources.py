"""Sources that are made first: a query's pictures, a track in colours, classes of a semantic map as regions."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import PIL.Image
import pytest
import torch
from tiny_diffusion import tiny_checkpoint

from suffice.assets import asset_path
from suffice.cli.made_sources import with_made_sources
from suffice.diffusion.animator import Animator
from suffice.diffusion.clip.source import open_source
from suffice.diffusion.control.hints import annotator_named
from suffice.diffusion.masked.source import open_masks
from suffice.diffusion.memory.estimate import count_alive
from suffice.diffusion.settings import Settings
from suffice.diffusion.vae import decode_latents
from suffice.errors import UsageError
from suffice.masks.semantic.label_tables import ADE20K
from suffice.masks.semantic.palette import ADE20K_RGB
from suffice.media.mask_rle import encode_rle

WALL, SKY, PERSON = (ADE20K_RGB[ADE20K.index(name)] for name in ("wall", "sky", "person"))


def _frames(folder: str, count: int) -> list[np.ndarray]:
    return list(open_source(folder).read(range(count)))


@pytest.fixture
def semantic_map(tmp_path: Path) -> Path:
    pixels = np.full((16, 16, 3), WALL, np.uint8)
    pixels[:, 8:] = SKY
    PIL.Image.fromarray(pixels).save(tmp_path / "map.png")
    return tmp_path / "map.png"


def test_classes_of_a_map_have_their_own_prompts_and_the_map_is_the_hint(semantic_map: Path, tmp_path: Path) -> None:
    """Region-controlled generation: equal to a mask of the same pixels, with the map as a ControlNet sees it."""
    net = f"seg={tiny_checkpoint() / 'controlnet_edge'}"
    asked = Settings(timeline="a", frames=1, steps=1, controlnets=(net,), control=(f"seg:{semantic_map}",))
    asked = replace(asked, regions=(f"{semantic_map}#sky:a house", f"{semantic_map}#wall+floor:a dog"))
    made = with_made_sources(asked, tmp_path / "out.png")
    assert made.regions[0].partition("#")[2] == "{:02x}{:02x}{:02x}:a house".format(*SKY)
    wall = np.zeros((16, 16), np.uint8)
    wall[:, :8] = 255
    PIL.Image.fromarray(wall).save(tmp_path / "wall.png")
    PIL.Image.fromarray(255 - wall).save(tmp_path / "sky.png")
    by_masks = replace(made, regions=(f"{tmp_path}/sky.png:a house", f"{tmp_path}/wall.png:a dog"))
    animator = Animator(str(tiny_checkpoint()), device="cpu")
    found = animator.animate(made).latents
    assert torch.equal(found, animator.animate(by_masks).latents)
    assert not torch.equal(found, animator.animate(replace(made, regions=())).latents)
    with pytest.raises(UsageError, match="no category 'ski'"):
        with_made_sources(replace(asked, regions=(f"{semantic_map}#ski:x",)), tmp_path / "out.png")
    with pytest.raises(UsageError, match="no colour of a map"):
        open_masks(f"{semantic_map}#zz", 16, 16)


def test_a_track_is_a_hint_in_the_colours_of_its_classes(tmp_path: Path) -> None:
    large, small = np.zeros((8, 12), bool), np.zeros((8, 12), bool)
    large[1:7, 1:9], small[2:4, 2:4] = True, True
    rows = [
        {"frame": 0, "id": 1, "label": "person", "rle": encode_rle(small)},
        {"frame": 0, "id": 2, "label": "wall", "rle": encode_rle(large)},
        {"frame": 2, "id": 7, "label": "red square", "rle": encode_rle(small)},
    ]
    track = tmp_path / "track.jsonl"
    track.write_text("\n".join(map(json.dumps, rows)))
    asked = Settings(frames=3, control=(f"seg:{track}=0.5",))
    made = with_made_sources(asked, tmp_path / "clip.mp4").control[0]
    assert made == f"seg:{tmp_path}/clip_control0=0.5"
    first, second, third = _frames(f"{tmp_path}/clip_control0", 3)
    assert tuple(first[2, 2]) == PERSON and tuple(first[5, 5]) == WALL and not second.any()
    assert third[2, 2].any() and tuple(third[2, 2]) not in (PERSON, WALL)
    only = with_made_sources(replace(asked, control=(f"seg:{track}#person",)), tmp_path / "other.mp4").control[0]
    assert {tuple(p) for p in _frames(only.partition(":")[2], 1)[0].reshape(-1, 3)} == {(0, 0, 0), PERSON}
    with pytest.raises(UsageError, match="has no object 'dog'"):
        with_made_sources(replace(asked, control=(f"seg:{track}#dog",)), tmp_path / "x.mp4")


def test_pictures_of_a_query_are_a_source(tmp_path: Path) -> None:
    street = asset_path("pedestrians.mp4")
    query = f"query:SELECT f.image FROM frames('{street}') f WHERE f.frame_index % 50 = 0 ORDER BY f.time_s LIMIT 3"
    asked = Settings(frames=2, init=query, control=(f"edges:{query};=0.5", "flow:a.mp4"))
    made = with_made_sources(asked, tmp_path / "clip.mp4")
    assert made.init == f"{tmp_path}/clip_init"
    assert made.control == (f"edges:{tmp_path}/clip_control0=0.5", "flow:a.mp4")
    wanted = list(open_source(str(street)).read([0, 50]))
    assert all(np.array_equal(a, b) for a, b in zip(_frames(made.init, 2), wanted, strict=True))
    with pytest.raises(UsageError, match="has no pictures"):
        with_made_sources(Settings(init="query:SELECT 1"), tmp_path / "clip.mp4")


def test_an_autoencoder_in_tiles_holds_less_at_once() -> None:
    latents, peaks, sizes = torch.randn(1, 4, 8, 32, 32), [], []
    for tiled in (False, True):
        vae = Animator("pocket", device="cpu", tiled=tiled).parts.vae
        with torch.no_grad(), count_alive() as alive:
            sizes.append({frame.shape for frame in decode_latents(vae, latents)})
        peaks.append(alive.peak)
    assert sizes[0] == sizes[1] == {(128, 128, 3)} and peaks[1] < 0.5 * peaks[0]


def test_annotators_of_controlnet_aux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a stand-in with that package's call: the package itself needs weights from a hub."""

    class Processor:
        def __init__(self, name: str) -> None:
            if name != "invert":
                raise KeyError(name)

        def __call__(self, image: PIL.Image.Image, to_pil: bool) -> PIL.Image.Image:
            return PIL.Image.fromarray(255 - np.asarray(image)).resize((32, 32))

    with pytest.raises(UsageError, match="pip install controlnet-aux"):
        annotator_named("aux-openpose")
    monkeypatch.setitem(sys.modules, "controlnet_aux", ModuleType("controlnet_aux"))
    processor = ModuleType("controlnet_aux.processor")
    processor.Processor = Processor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "controlnet_aux.processor", processor)
    picture = np.full((16, 20, 3), 50, np.uint8)
    assert np.array_equal(annotator_named("aux-invert")(picture, picture), 255 - picture)
    with pytest.raises(UsageError, match="no annotator 'openpos'"):
        annotator_named("aux-openpos")
    net = f"aux-invert={tiny_checkpoint() / 'controlnet_edge'}"
    PIL.Image.fromarray(picture).save(tmp_path / "a.png")
    asked = Settings(timeline="a", frames=1, steps=1, controlnets=(net,), control=(f"aux-invert:{tmp_path}/a.png",))
    assert torch.isfinite(Animator(str(tiny_checkpoint()), device="cpu").animate(asked).latents).all()
