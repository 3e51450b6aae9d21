"""Frames kept for soon are those that a decoder gives, and save it most of its work."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np

from suffice.assets import asset_path
from suffice.media.decode_frames import DecodeStats
from suffice.media.frames_ahead import FramesAhead
from suffice.media.index_video import index_video
from suffice.media.load import Located, load_images
from suffice.media.scan import content_hash

CLIP = str(asset_path("pedestrians.mp4"))
FILE_HASH = content_hash(CLIP)
LOCATED = Located(CLIP, index=index_video(CLIP))


def asked(rounds, ahead=None):
    """Pictures by frame, and the decoding they took."""
    stats, pictures = DecodeStats(), {}
    for number, frames in enumerate(rounds):
        locate = lambda file_hash: replace(LOCATED)  # noqa: E731
        if ahead is not None:
            ahead.expect(reference(i) for later in rounds[number:] for i in later)
            locate = ahead.locating(locate)
        for place, picture in load_images([reference(i) for i in frames], locate, stats=stats):
            pictures[int(frames[place])] = picture
    return pictures, stats


def reference(frame):
    return f"vid:{FILE_HASH}#{frame}"


def test_rounds_that_expect_each_other_get_the_same_pictures_from_half_the_decoding():
    rounds = np.random.default_rng(0).permutation(len(LOCATED.index))[:128].reshape(16, 8)
    plainly, plain = asked(rounds)
    found, spared = asked(rounds, FramesAhead())
    assert found.keys() == plainly.keys() == set(rounds.ravel().tolist())
    assert all(np.array_equal(found[i], plainly[i]) for i in found)
    assert len(spared.packet_pts) < 0.6 * len(plain.packet_pts)


def test_what_is_kept_has_a_limit_and_is_forgotten_when_it_is_not_expected_any_more():
    picture_bytes = 576 * 768 * 3
    ahead = FramesAhead(bytes_max=3 * picture_bytes)
    asked([[49], range(30, 45)], ahead)
    assert len(ahead.files[FILE_HASH].kept) == 3
    ahead.expect([reference(200)])
    assert not ahead.files[FILE_HASH].kept


def test_a_copy_in_another_process_expects_nothing_and_gets_what_is_wanted():
    ahead = FramesAhead()
    asked([[49, 12]], ahead)
    copied = pickle.loads(pickle.dumps(ahead.locating(lambda file_hash: LOCATED)(FILE_HASH)))
    assert ahead.files[FILE_HASH].kept and not copied.ahead.kept
    assert [place for place, _ in load_images([reference(20), reference(3)], lambda file_hash: copied)] == [1, 0]
    assert not copied.ahead.kept


def test_what_comes_soon_is_read_on_to_as_far_again_as_the_decoder_went_where_there_is_room():
    (key, *_), packet = np.unique(LOCATED.index.key), LOCATED.index.packet
    group = [i for i in range(len(packet)) if LOCATED.index.key[i] == key]
    wanted, way = group[10], packet - packet[key]
    for bytes_max, reach in ((1 << 28, 2 * (way[wanted] + 1)), (way[wanted] * 576 * 768 * 3, way[wanted] + 1)):
        ahead, stats = FramesAhead(bytes_max), DecodeStats()
        ahead.expect(reference(i) for i in group)
        list(load_images([reference(wanted)], ahead.locating(lambda _: LOCATED), stats=stats))
        near = {i for i in group if way[i] < reach}
        assert set(ahead.files[FILE_HASH].kept) <= near and len(stats.packet_pts) <= reach < len(group)
        assert len(ahead.files[FILE_HASH].kept) == min(len(near), bytes_max // (576 * 768 * 3))
