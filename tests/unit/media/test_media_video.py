from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_clips import number_of, picture, remux, write_clip

from suffice.assets import asset_path
from suffice.errors import MediaError, UsageError
from suffice.media.video import DecodeStats, VideoIndex, decode_frames, index_video, select_frames
from suffice.media.write import write_video

UNEVEN = list(accumulate([33, 33, 500, 10, 40] * 8, initial=0))
EVEN = range(0, 4000, 100)

CLIPS = {
    "mp4 uneven": lambda: write_clip(UNEVEN),
    "mp4 fragmented": lambda: write_clip(UNEVEN, options={"movflags": "frag_keyframe+empty_moov"}),
    "mp4 without b-frames": lambda: write_clip(UNEVEN, b_frames=0),
    "mp4 every frame key": lambda: write_clip(EVEN, gop=1, b_frames=0),
    "mp4 from 5 s": lambda: write_clip(range(5000, 9000, 100)),
    "mp4 from -3 s": lambda: remux(write_clip(EVEN), range(100), format_="mp4", shift=-3000),
    "mkv uneven": lambda: write_clip(UNEVEN, format_="matroska"),
    "mkv starting without a key frame": lambda: remux(write_clip(EVEN), range(3, 100)),
    "mpegts": lambda: write_clip(UNEVEN, format_="mpegts"),
    "mpegts starting without a key frame": lambda: remux(write_clip(EVEN), range(3, 100), format_="mpegts"),
    "flv": lambda: write_clip(UNEVEN, format_="flv"),
    "avi mpeg4": lambda: write_clip(range(40), codec="mpeg4", format_="avi", time_base=Fraction(1, 10)),
    "mpegts mpeg2": lambda: write_clip(range(40), codec="mpeg2video", format_="mpegts", time_base=Fraction(1, 25)),
    "mp4 hevc": lambda: write_clip(UNEVEN, codec="libx265"),
    "webm vp9": lambda: write_clip(UNEVEN, codec="libvpx-vp9", format_="webm"),
    "mp4 av1": lambda: write_clip(EVEN, codec="libsvtav1"),
}


@pytest.fixture(scope="module", params=CLIPS, ids=lambda name: name.replace(" ", "-"))
def clip(request: pytest.FixtureRequest) -> bytes:
    return CLIPS[request.param]()


def as_played(clip: bytes) -> list[av.VideoFrame]:
    """What decoding from the beginning to the end shows, from the first key frame on."""
    with av.open(io.BytesIO(clip)) as container:
        first_key = next(packet for packet in container.demux(video=0) if packet.is_keyframe)
    with av.open(io.BytesIO(clip)) as container:
        return [frame for frame in container.decode(video=0) if frame.pts >= first_key.pts]


def decoded(clip: bytes, wanted: object, index: VideoIndex, **options: object) -> list[object]:
    return [image for _, image in decode_frames(io.BytesIO(clip), wanted, index, **options)]


def test_the_index_lists_the_frames_that_a_player_shows(clip: bytes) -> None:
    index, frames = index_video(io.BytesIO(clip)), as_played(clip)
    assert index.pts.tolist() == [frame.pts for frame in frames]
    assert index.key_frame.tolist() == [frame.key_frame for frame in frames]
    assert index.time_s[0] == 0
    times = [float((frame.pts - frames[0].pts) * frame.time_base) for frame in frames]
    np.testing.assert_allclose(index.time_s, times, rtol=0, atol=1e-9)
    assert index.problem == ""


def test_each_frame_alone_is_the_frame_as_played(clip: bytes) -> None:
    index, frames = index_video(io.BytesIO(clip)), as_played(clip)
    for i, frame in enumerate(frames):
        (image,) = decoded(clip, [i], index)
        np.testing.assert_array_equal(image, frame.to_ndarray(format="rgb24"))


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 40)), st.integers(1, 2))
def test_any_choice_of_frames_comes_out_in_order_and_exact(wanted: set[int], threads: int) -> None:
    clip = write_clip_once()
    index = index_video(io.BytesIO(clip))
    out = list(decode_frames(io.BytesIO(clip), sorted(wanted), index, threads=threads))
    assert [i for i, _ in out] == sorted(wanted)
    assert [number_of(image) for _, image in out] == sorted(wanted)


def write_clip_once(cache: list[bytes] = []) -> bytes:  # noqa: B006
    if not cache:
        cache.append(write_clip(UNEVEN))
    return cache[0]


def test_uneven_times_come_from_the_file_not_from_a_rate() -> None:
    index = index_video(io.BytesIO(write_clip(UNEVEN)))
    np.testing.assert_allclose(index.time_s, np.array(UNEVEN) / 1000, atol=1e-4)
    assert index.codec == "h264"
    assert (index.width, index.height, len(index)) == (64, 48, 41)


def test_the_index_of_a_clip_that_starts_without_key_frame_counts_what_can_be_decoded() -> None:
    clip = remux(write_clip(EVEN), range(3, 100))
    index = index_video(io.BytesIO(clip))
    assert [number_of(image) for image in decoded(clip, range(30), index)] == list(range(10, 40))


def test_a_rotated_clip_comes_upright() -> None:
    clip = write_clip(EVEN, rotation=90)
    index = index_video(io.BytesIO(clip))
    assert (index.width, index.height, index.rotation) == (48, 64, 90)
    (image,) = decoded(clip, [5], index)
    assert image.shape == (64, 48, 3)
    np.testing.assert_allclose(image, np.rot90(picture(5)), atol=40)


def test_only_the_wanted_groups_are_decoded_and_no_further_than_needed() -> None:
    clip = write_clip(EVEN, b_frames=0)
    index, stats = index_video(io.BytesIO(clip)), DecodeStats()
    decoded(clip, [3, 5, 22], index, stats=stats)
    assert stats.packet_pts == index.pts[[0, 1, 2, 3, 4, 5, 20, 21, 22]].tolist()
    assert (stats.seeks, stats.decoded, stats.converted) == (2, 9, 3)


def test_neighbouring_groups_take_one_seek() -> None:
    clip = write_clip(EVEN)
    index, stats = index_video(io.BytesIO(clip)), DecodeStats()
    decoded(clip, range(12, 40), index, stats=stats)
    assert stats.seeks == 1
    assert len(stats.packet_pts) == 30


def test_pictures_that_nobody_needs_are_not_decoded() -> None:
    clip = write_clip(EVEN)
    index, stats = index_video(io.BytesIO(clip)), DecodeStats()
    last = 8
    decoded(clip, [last], index, stats=stats)
    assert stats.decoded < len(stats.packet_pts) <= last + 2


def test_frames_cost_what_their_groups_cost_in_the_packaged_clip() -> None:
    path = str(asset_path("pedestrians.mp4"))
    index, stats = index_video(path), DecodeStats()
    assert (len(index), index.width, index.height, index.key_frame.sum()) == (795, 768, 576, 16)
    frames = dict(decode_frames(path, range(402, 442), index, stats=stats))
    assert list(frames) == list(range(402, 442))
    assert len(stats.packet_pts) <= 45
    assert stats.seeks == 1


def damage(clip: bytes, place: int) -> bytes:
    """Overwrite the packet at this place in decoding order."""
    with av.open(io.BytesIO(clip)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][place]
        position, size = packet.pos, packet.size
    noise = np.random.default_rng(place).integers(0, 256, size - 8, np.uint8).tobytes()
    return clip[: position + 8] + noise + clip[position + size :]


@pytest.mark.parametrize("place", range(10, 20))
def test_damage_is_reported_for_the_frames_it_reaches_and_never_passes_as_pixels(place: int) -> None:
    clip = write_clip(EVEN)
    index = index_video(io.BytesIO(clip))
    sound = decoded(clip, range(40), index)
    after = decoded(damage(clip, place), range(40), index)
    failed = [i for i, image in enumerate(after) if isinstance(image, MediaError)]
    assert int(np.flatnonzero(index.packet == place)[0]) in failed
    reached = set(np.flatnonzero((index.packet >= place) & (index.key == index.key[10])))
    waiting_in_decoder = {8, 9} if index.key_packet[1] == place else set()
    assert set(failed) <= reached | waiting_in_decoder
    for i in waiting_in_decoder:
        np.testing.assert_array_equal(decoded(damage(clip, place), [i], index)[0], sound[i])
    for i in set(range(40)) - set(failed):
        np.testing.assert_array_equal(after[i], sound[i])
    assert f"frame {failed[0]} at {index.time_s[failed[0]]:.3f} s" in str(after[failed[0]])


def test_a_recording_that_broke_off_gives_what_is_there(tmp_path: Path) -> None:
    whole = tmp_path / "a.mp4"
    write_video(whole, (picture(i) for i in range(200)), 10)
    broken = whole.read_bytes()[: whole.stat().st_size * 3 // 4]
    index = index_video(io.BytesIO(broken))
    assert 20 < len(index) < 200
    assert index.problem.startswith("ends early: only ")
    assert not any(isinstance(image, MediaError) for image in decoded(broken, range(len(index)), index))


@pytest.mark.parametrize("name", ["empty", "text", "playlist", "concat", "half", "sound"])
def test_what_is_no_video_says_so_in_one_line(name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(write_clip(EVEN))
    data = {
        "empty": b"",
        "text": b"just some words\n" * 100,
        "playlist": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4,\n{secret}\n#EXT-X-ENDLIST\n".encode(),
        "concat": f"ffconcat version 1.0\nfile {secret.name}\n".encode(),
        "half": secret.read_bytes()[: secret.stat().st_size // 2],
        "sound": sound(),
    }[name]
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"clip\.mp4' (cannot be read as a video|has no video stream)") as caught:
        index_video(str(path))
    assert "\n" not in str(caught.value)


def sound() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize("format_", ["avi", "h264"])
def test_files_that_cannot_tell_when_frames_are_shown_are_refused(format_: str) -> None:
    clip = write_clip(range(40), format_=format_, time_base=Fraction(1, 10))
    with pytest.raises(MediaError, match="does not tell when each frame is shown"):
        index_video(io.BytesIO(clip))


@pytest.mark.parametrize(
    ("wanted", "message"), [([41], "no frame 41: .* 0 to 40"), ([-1], "no frame -1"), ([3, 3], "rise")]
)
def test_wrong_indices_are_named(wanted: list[int], message: str) -> None:
    clip = write_clip_once()
    with pytest.raises(MediaError, match=message):
        decoded(clip, wanted, index_video(io.BytesIO(clip)))


def shown_at(times: list[float], moment: float) -> int:
    return max(i for i, time in enumerate(times) if time <= moment)


def ticks(fps: Fraction, start: Fraction, end: Fraction) -> Iterator[Fraction]:
    k = 0
    while start + k / fps < end:
        yield start + k / fps
        k += 1


@settings(max_examples=200, deadline=None)
@given(
    st.fractions(Fraction(1, 2), 60, max_denominator=7),
    st.integers(0, 5200),
    st.none() | st.integers(0, 6000),
)
def test_fps_takes_the_frame_on_show_at_each_tick(fps: Fraction, start_ms: int, end_ms: int | None) -> None:
    index = index_video(io.BytesIO(write_clip_once()))
    exact = [int(pts - index.pts[0]) * index.time_base for pts in index.pts]
    end = min(Fraction(index.duration_s), Fraction(end_ms, 1000) if end_ms is not None else Fraction(999))
    moments = list(ticks(fps, Fraction(start_ms, 1000), end))
    on_edge = [m for m in moments for t in exact if 0 < abs(m - t) <= index.time_base]
    if on_edge:  # within rounding of a timestamp either neighbour is right
        return
    wanted = sorted({shown_at(exact, moment) for moment in moments})
    end_s = None if end_ms is None else end_ms / 1000
    assert select_frames(index, float(fps), start_ms / 1000, end_s).tolist() == wanted


def test_a_rate_at_or_above_the_files_own_gives_every_frame_once() -> None:
    thirds = write_clip([round(i * 1000 / 30) for i in range(40)], format_="matroska")
    for clip in (write_clip_once(), thirds):
        index = index_video(io.BytesIO(clip))
        assert select_frames(index, fps=1e9).tolist() == list(range(len(index)))
    assert select_frames(index, fps=30).tolist() == list(range(40))
    assert select_frames(index, fps=15, end_s=1.32).tolist() == list(range(0, 40, 2))


def test_start_and_end_without_rate_bound_time() -> None:
    index = index_video(io.BytesIO(write_clip(EVEN)))
    assert select_frames(index, start_s=0.3, end_s=0.6).tolist() == [3, 4, 5]
    assert select_frames(index).tolist() == list(range(40))
    assert select_frames(index, start_s=5).tolist() == []
    assert select_frames(index, fps=1, start_s=5).tolist() == []
    assert select_frames(index, fps=1, start_s=-0.5).tolist() == [5, 15, 25, 35]


def test_key_frames_only() -> None:
    index = index_video(io.BytesIO(write_clip(EVEN)))
    assert select_frames(index, key_frames_only=True).tolist() == [0, 10, 20, 30]
    assert select_frames(index, fps=0.5, key_frames_only=True).tolist() == [0, 20]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(UsageError, match="fps must be a positive number"):
        select_frames(index_video(io.BytesIO(write_clip_once())), fps=fps)


@pytest.mark.parametrize("option", ["fps", "start_s", "end_s"])
def test_a_text_is_no_number(option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} must be a number, not 'two'"):
        select_frames(index_video(io.BytesIO(write_clip_once())), **{option: "two"})


def test_indices_of_the_packaged_clip_rise() -> None:
    index = index_video(str(asset_path("pedestrians.mp4")))
    assert all(a < b for a, b in pairwise(index.pts))
    assert index.duration_s == pytest.approx(79.5)
