from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import numpy as np

from suffice.models.ocr import ocr
from suffice.models.ocr_lines import ocr_lines


def test_a_scanned_page(pictures: Mapping[str, np.ndarray]) -> None:
    model = ocr()
    [[(text,)]] = model.predict([model.prepare(pictures["page"])])
    assert "determine markers of the coins" in text
    assert "the markers are found at the two extreme parts of the" in text
    assert text.splitlines()[0] == "Region-based segmentation"


def test_pieces_side_by_side_share_a_row(letter: np.ndarray) -> None:
    words = letter[150:180, 70:400]
    model = ocr()
    [[(text,)]] = model.predict([model.prepare(np.hstack([words, np.full((30, 300, 3), 255, np.uint8), words]))])
    assert text.count("Line 0: the invoice") == 2
    assert "\n" not in text


def test_lines_in_reading_order(letter: np.ndarray) -> None:
    top = letter[:320]
    model = ocr_lines()
    [rows] = model.predict([model.prepare(top)])
    assert [row[0] for row in rows] == list(range(len(rows)))
    assert rows[0][1] == "Annual report 2031"
    assert [row[1][:23] for row in rows[1:]] == [f"Line {n}: the invoice num" for n in range(len(rows) - 1)]
    _, _, score, x0, y0, x1, y1 = rows[0]
    assert score > 0.9
    assert 230 < x0 < 260 and 30 < y0 < 70 and 600 < x1 < 720 and 80 < y1 < 120
    strict = ocr_lines(min_score=1)
    assert strict.predict([strict.prepare(top)]) == [[row for row in rows if row[2] >= 1]]


def test_nothing_to_read() -> None:
    blank = np.full((200, 300, 3), 255, np.uint8)
    assert ocr().predict([ocr().prepare(blank)]) == [[("",)]]
    assert ocr_lines().predict([ocr_lines().prepare(blank)]) == [[]]


OFFLINE = """
import json, socket, sys
import numpy as np
from PIL import Image, ImageDraw, ImageFont

def refuse(*args, **options):
    raise OSError("no network in this test")

socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
from suffice.models.ocr import ocr

sheet = Image.new("RGB", (400, 80), "white")
ImageDraw.Draw(sheet).text((20, 20), "Invoice 4711", fill="black", font=ImageFont.load_default(32))
model = ocr()
[[(text,)]] = model.predict([model.prepare(np.asarray(sheet))])
print(json.dumps([text, "torch" in sys.modules]))
"""


def test_needs_no_network_and_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["Invoice 4711", False]
    assert done.stderr == ""
