"""Pages of PDF documents and multi-page TIFFs: how many, how large, their pixels and their embedded text."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from suffice.errors import MediaError, SufficeError
from suffice.media.image import PIXELS_MAX, Image, check_pixels, open_picture, to_rgb
from suffice.media.scan import name_of, open_file

_POINTS_PER_INCH = 72
_PDFIUM = threading.RLock()  # PDFium may be entered by one thread at a time only, whatever the document
_HEAD_BYTES = 1024  # where readers look for a PDF's header


def page_count(file: str | BinaryIO) -> int:
    """How many pages `file` has."""
    return len(page_sizes(file))


def page_sizes(file: str | BinaryIO) -> list[tuple[float, float]]:
    """Width and height of each page as shown: in points (1/72 inch) for a PDF, in pixels for a TIFF."""
    if _is_pdf(file):
        with _PDFIUM, _open_pdf(file) as pdf:
            return [pdf.get_page_size(i) for i in range(len(pdf))]
    with open_picture(file) as picture:
        sizes = []
        for i in range(getattr(picture, "n_frames", 1)):
            picture.seek(i)
            sizes.append((float(picture.width), float(picture.height)))
        return sizes


def render_page(file: str | BinaryIO, index: int, dpi: float = 150) -> Image:
    """Page `index` (0-based) in RGB; `dpi` is for PDFs, a TIFF's page comes as it is."""
    ((_, picture),) = render_pages(file, [index], dpi)
    if isinstance(picture, MediaError):
        raise picture
    return picture


def render_pages(
    file: str | BinaryIO, indices: Sequence[int], dpi: float = 150
) -> Iterator[tuple[int, Image | MediaError]]:
    """Each wanted page in RGB with its index; a page that fails is an error in its place.

    Raises:
        MediaError: the document as a whole cannot be read.
    """
    render = _render_pdf if _is_pdf(file) else _render_tiff
    yield from render(file, indices, dpi)


def page_text(file: str | BinaryIO, index: int) -> str:
    """The text embedded in page `index`; empty for a scan."""
    if not _is_pdf(file):
        return ""
    with _PDFIUM, _open_pdf(file) as pdf:
        _check_index(file, index, len(pdf))
        return str(pdf[index].get_textpage().get_text_bounded()).replace("\r\n", "\n")


def _check_index(file: str | BinaryIO, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise MediaError(f"{name_of(file)} has no page {index}, only 0 to {count - 1}")


def _is_pdf(file: str | BinaryIO) -> bool:
    if isinstance(file, str):
        with open_file(file) as opened:
            return _is_pdf(opened)
    file.seek(0)
    return b"%PDF-" in file.read(_HEAD_BYTES)


@contextmanager
def _open_pdf(file: str | BinaryIO) -> Iterator[Any]:
    """A PDFium document; hold ``_PDFIUM`` around all use of it."""
    try:
        import pypdfium2
    except ImportError as error:
        raise SufficeError("reading PDF pages needs pypdfium2: pip install 'suffice[documents]'") from error

    source = open_file(file) if isinstance(file, str) else file
    try:
        source.seek(0)
        with _PDFIUM:
            pdf = pypdfium2.PdfDocument(source)
        try:
            yield pdf
        finally:
            with _PDFIUM:
                pdf.close()
    except pypdfium2.PdfiumError as error:
        raise MediaError(f"{name_of(file)} cannot be read as a document: {error}") from error
    finally:
        if isinstance(file, str):
            source.close()


def _render_pdf(file: str | BinaryIO, indices: Sequence[int], dpi: float) -> Iterator[tuple[int, Image | MediaError]]:
    """One page at a time under the lock, which is given back while the caller works on the picture."""
    with _open_pdf(file) as pdf:
        for index in indices:
            try:
                with _PDFIUM:
                    picture: Image | MediaError = _render_pdf_page(file, pdf, index, dpi)
            except (MediaError, RuntimeError) as error:  # PDFium's errors are RuntimeErrors
                picture = MediaError(str(error))
            yield index, picture


def _render_pdf_page(file: str | BinaryIO, pdf: Any, index: int, dpi: float) -> Image:
    _check_index(file, index, len(pdf))
    scale = dpi / _POINTS_PER_INCH
    width, height = pdf.get_page_size(index)
    if math.ceil(width * scale) * math.ceil(height * scale) > PIXELS_MAX:
        raise MediaError(f"page {index} of {width:.0f} x {height:.0f} points is too large for {dpi:g} dpi")
    bitmap = pdf[index].render(scale=scale, rev_byteorder=True, prefer_bgrx=False)
    return np.array(bitmap.to_numpy()[:, :, :3])


def _render_tiff(file: str | BinaryIO, indices: Sequence[int], dpi: float) -> Iterator[tuple[int, Image | MediaError]]:
    for index in indices:
        try:
            with open_picture(file) as picture:
                _check_index(file, index, getattr(picture, "n_frames", 1))
                picture.seek(index)
                check_pixels(picture, name_of(file))
                page: Image | MediaError = to_rgb(picture)
        except MediaError as error:
            page = error
        yield index, page
