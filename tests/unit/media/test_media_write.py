from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from media_clips import number_of, picture

from suffice.errors import MediaError
from suffice.media.image import decode_image
from suffice.media.video import decode_frames, index_video
from suffice.media.write import draw_boxes, encode_jpeg, thumbnail, write_video


def test_a_jpeg_keeps_the_picture() -> None:
    image = picture(77)
    np.testing.assert_allclose(decode_image(io.BytesIO(encode_jpeg(image, 95))), image, atol=20)
    assert len(encode_jpeg(image, 10)) < len(encode_jpeg(image, 95))


@pytest.mark.parametrize(("shape", "small"), [((100, 200), (16, 32)), ((200, 100), (32, 16)), ((10, 20), (10, 20))])
def test_a_thumbnail_fits_and_never_grows(shape: tuple[int, int], small: tuple[int, int]) -> None:
    assert thumbnail(np.zeros((*shape, 3), np.uint8), 32).shape == (*small, 3)


def test_boxes_and_labels_are_drawn_on_a_copy_inside_the_picture() -> None:
    image = np.full((120, 160, 3), 255, np.uint8)
    drawn = draw_boxes(image, [(20, 40, 60, 80), (140, -5, 200, 30)], ["person 0.91", "a very long label of a bus"])
    assert image.min() == 255
    assert drawn.shape == image.shape
    assert (drawn[40, 30] != 255).any()
    assert (drawn[60, 40] == 255).all()
    assert (drawn[20:38, 22:80] != 255).any()


def test_a_label_has_one_colour_whatever_its_score() -> None:
    blank = np.zeros((50, 50, 3), np.uint8)
    first, again = (draw_boxes(blank, [(10, 30, 40, 48)], [label])[47, 20] for label in ("dog 0.9", "dog 0.4"))
    assert first.tolist() == again.tolist()
    assert first.any()


def test_boxes_without_labels_and_a_missing_label() -> None:
    blank = np.zeros((50, 50, 3), np.uint8)
    assert draw_boxes(blank, [(1.5, 2.5, 30, 40)]).any()
    with pytest.raises(ValueError):
        draw_boxes(blank, [(1, 2, 3, 4)], ["a", "b"])


@pytest.mark.parametrize("fps", [10, 29.97, 0.5])
def test_a_video_comes_back_frame_by_frame(tmp_path: Path, fps: float) -> None:
    path = tmp_path / "out.mp4"
    assert write_video(path, (picture(i, 64, 49) for i in range(30)), fps) == 30
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    index = index_video(str(path))
    assert (index.width, index.height, len(index)) == (64, 50, 30)
    assert index.time_s[-1] == pytest.approx(29 / fps, rel=1e-3)
    assert [number_of(image) for _, image in decode_frames(str(path), range(30), index)] == list(range(30))


def test_failed_videos_leave_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with pytest.raises(MediaError, match="no frames to write"):
        write_video(path, [], 10)
    with pytest.raises(MediaError, match="frame 1 is 32 x 48, the first is not"):
        write_video(path, [picture(0), picture(0, 32)], 10)
    assert list(tmp_path.iterdir()) == []
