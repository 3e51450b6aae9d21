"""Pictures and pages for the examples: made here, or shipped with suffice and scikit-image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAGE_SIZE = (620, 440)


def photographs(folder: Path, names: Sequence[str]) -> None:
    """Photographs that ship with scikit-image, as PNG files."""
    from skimage import data

    for name in names:
        Image.fromarray(getattr(data, name)()).convert("RGB").save(folder / f"{name}.png")


def scan(lines: Sequence[str], seed: int) -> Image.Image:
    """A typed page as a scanner gives it: grey paper, grain, a little crooked."""
    page = Image.new("L", PAGE_SIZE, 235)
    pen = ImageDraw.Draw(page)
    for i, line in enumerate(lines):
        pen.text((50, 45 + 44 * i), line, fill=40, font=ImageFont.load_default(24))
    chance = np.random.default_rng(seed)
    page = page.rotate(chance.uniform(-1.5, 1.5), fillcolor=235, resample=Image.Resampling.BICUBIC)
    grain = chance.normal(0, 8, (PAGE_SIZE[1], PAGE_SIZE[0]))
    return Image.fromarray(np.clip(np.asarray(page) + grain, 0, 255).astype(np.uint8))


def typed_pdf(text: str) -> bytes:
    """A one-page PDF whose letters are letters, as a word processor writes it."""
    drawn = f"BT /F1 18 Tf 40 300 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 340] /Contents 5 0 R"
        " /Resources << /Font << /F1 4 0 R >> >> >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
    ]
    body, starts = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        starts.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{start:010} 00000 n \n" for start in starts)
    tail = f"xref\n0 6\n0000000000 65535 f \n{table}trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return (body + tail).encode("latin-1")
