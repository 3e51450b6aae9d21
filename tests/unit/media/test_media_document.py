from __future__ import annotations

import io
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from suffice.errors import MediaError, SufficeError
from suffice.media.document import page_count, page_sizes, page_text, render_page, render_pages

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]


def pages_as(format_: str) -> io.BytesIO:
    """Three pages of one colour each, 100 x 50 pixels, in a PDF 1 inch wide."""
    first, *others = (PIL.Image.new("RGB", (100, 50), colour) for colour in COLOURS)
    file = io.BytesIO()
    first.save(file, format_, save_all=True, append_images=others, **({"resolution": 100} if format_ == "PDF" else {}))
    return file


def pdf_saying(words: str) -> io.BytesIO:
    """The smallest PDF with a line of text on its only page."""
    content = f"BT /F1 24 Tf 20 20 Td ({words}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 60] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(body)
    return io.BytesIO(body + b"xref\n0 5\n0000000000 65535 f \n" + table + trailer)


@pytest.mark.parametrize("format_", ["PDF", "TIFF"])
def test_pages_come_in_order_each_with_its_picture(format_: str) -> None:
    file = pages_as(format_)
    assert page_count(file) == 3
    for index, image in render_pages(file, [2, 0, 1]):
        np.testing.assert_allclose(image.mean(axis=(0, 1)), COLOURS[index], atol=6)


def test_dpi_scales_a_pdf_and_leaves_a_tiff() -> None:
    assert render_page(pages_as("PDF"), 0, dpi=200).shape == (100, 200, 3)
    assert render_page(pages_as("TIFF"), 0, dpi=200).shape == (50, 100, 3)
    assert page_sizes(pages_as("PDF"))[0] == pytest.approx((72, 36))
    assert page_sizes(pages_as("TIFF"))[0] == (100, 50)


def test_embedded_text_and_none_of_it_in_scans() -> None:
    assert page_text(pdf_saying("Rent is due"), 0).strip() == "Rent is due"
    assert render_page(pdf_saying("Rent is due"), 0).min() < 50
    assert page_text(pages_as("PDF"), 1) == ""
    assert page_text(pages_as("TIFF"), 1) == ""


@pytest.mark.parametrize("format_", ["PDF", "TIFF"])
def test_a_page_that_is_not_there_is_an_error_in_its_place(format_: str) -> None:
    out = dict(render_pages(pages_as(format_), [1, 3]))
    assert out[1].shape[2] == 3
    assert isinstance(out[3], MediaError)
    assert "no page 3, only 0 to 2" in str(out[3])
    with pytest.raises(MediaError, match="no page -1"):
        render_page(pages_as(format_), -1)


def test_a_page_too_large_for_the_resolution_is_refused() -> None:
    with pytest.raises(MediaError, match="too large for 100000 dpi"):
        render_page(pages_as("PDF"), 0, dpi=100_000)


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.4\n", b"%PDF-1.7 " + b"x" * 500, b"words", pages_as("TIFF").getvalue()[:99]]
)
def test_broken_documents_are_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bill.pdf"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"bill\.pdf"):
        page_count(str(path))


def test_many_threads_may_render_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pages_as("PDF").getvalue())
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda i: render_page(str(path), i % 3, dpi=50), range(24)))
    for i, image in enumerate(images):
        np.testing.assert_allclose(image.mean(axis=(0, 1)), COLOURS[i % 3], atol=6)


def test_without_pypdfium2_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(SufficeError, match=r"suffice\[documents\]"):
        page_count(pages_as("PDF"))
