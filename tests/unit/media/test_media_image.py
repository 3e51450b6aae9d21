from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from suffice.errors import MediaError
from suffice.media.image import decode_image, read_image_size

RAMP = np.linspace(0, 255, 40 * 30).reshape(30, 40)


def saved(picture: PIL.Image.Image, format_: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    picture.save(file, format_, **options)
    return file


def of_mode(mode: str) -> PIL.Image.Image:
    """A ramp from black to white in any of Pillow's modes."""
    grey = PIL.Image.fromarray(RAMP.astype(np.uint8))
    if mode == "I;16":
        return PIL.Image.fromarray((RAMP * 257).astype(np.uint16))
    if mode == "I":
        return PIL.Image.fromarray((RAMP * 257).astype(np.int32))
    if mode == "F":
        return PIL.Image.fromarray((RAMP / 255).astype(np.float32))
    if mode == "P":
        return grey.quantize(64)
    return grey.convert("RGB").convert(mode)


@pytest.mark.parametrize(
    ("mode", "format_"),
    [
        ("L", "PNG"),
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("I;16", "PNG"),
        ("I;16", "TIFF"),
        ("I", "TIFF"),
        ("F", "TIFF"),
        ("CMYK", "TIFF"),
        ("CMYK", "JPEG"),
        ("YCbCr", "JPEG"),
        ("L", "JPEG"),
        ("RGB", "WEBP"),
        ("RGB", "BMP"),
        ("RGB", "AVIF"),
        ("RGB", "PPM"),
        ("RGB", "TGA"),
    ],
)
def test_every_mode_becomes_rgb_of_the_same_brightness(mode: str, format_: str) -> None:
    image = decode_image(saved(of_mode(mode), format_))
    assert image.dtype == np.uint8
    assert image.shape == (30, 40, 3)
    np.testing.assert_allclose(image.mean(axis=2), RAMP, atol=12)


def test_one_bit_pictures() -> None:
    image = decode_image(saved(PIL.Image.fromarray(RAMP > 127), "PNG"))
    assert set(np.unique(image)) == {0, 255}


def test_transparency_goes_over_white() -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (255, 0, 0, 255)
    pixels[0, 1] = (0, 0, 0, 128)
    image = decode_image(saved(PIL.Image.fromarray(pixels), "PNG"))
    assert image[0, 0].tolist() == [255, 0, 0]
    assert image[0, 1].tolist() == [127, 127, 127]
    assert image[1, 1].tolist() == [255, 255, 255]


def test_a_palette_with_a_transparent_colour_goes_over_white() -> None:
    picture = PIL.Image.new("P", (4, 4), 0)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.putpixel((1, 1), 1)
    image = decode_image(saved(picture, "PNG", transparency=0))
    assert image[0, 0].tolist() == [255, 255, 255]
    assert image[1, 1].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_size_and_pixels(orientation: int) -> None:
    upright = np.zeros((20, 40, 3), np.uint8)
    upright[:10, :20] = 255
    back = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    file = saved(PIL.Image.fromarray(np.ascontiguousarray(back)), "PNG", exif=exif)
    assert read_image_size(file) == (40, 20)
    np.testing.assert_array_equal(decode_image(file), upright)


def test_an_animation_gives_its_first_frame() -> None:
    first, second = PIL.Image.new("RGB", (8, 8), "red"), PIL.Image.new("RGB", (8, 8), "blue")
    image = decode_image(saved(first, "GIF", save_all=True, append_images=[second]))
    assert image[0, 0].tolist() == [255, 0, 0]


def png_claiming(width: int, height: int) -> io.BytesIO:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_600, 60_000])
def test_a_small_file_that_claims_to_be_huge_is_refused(side: int) -> None:
    with pytest.raises(MediaError):
        decode_image(png_claiming(side, side))


@pytest.mark.parametrize("keep", [0, 5, 200, -40])
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_cut_off_and_garbage_files_say_so_in_one_line(keep: int, format_: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(PIL.Image.fromarray(noise), format_).getvalue()[:keep])
    with pytest.raises(MediaError, match=r"a\.jpg") as caught:
        decode_image(str(path))
    assert "\n" not in str(caught.value)


def test_formats_that_run_programs_are_not_opened() -> None:
    with pytest.raises(MediaError, match="not a picture of a known format"):
        decode_image(saved(PIL.Image.new("RGB", (8, 8)), "EPS"))
