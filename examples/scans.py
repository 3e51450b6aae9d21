"""Which pages mention an invoice? Scans are read by OCR, pages that have their text already are not."""

from __future__ import annotations

from pathlib import Path

from sources import scan, typed_pdf

import suffice

PAGES = """
CREATE OR REPLACE VIEW letters AS
SELECT path, page_index, image, CASE WHEN text <> '' THEN text ELSE ocr(image) END AS words
FROM pages('{folder}/*.pdf')
"""
QUESTION = "SELECT path, page_index, image, words FROM letters WHERE words ILIKE '%invoice%' ORDER BY path, page_index"

SCANS = {
    "autumn.pdf": (
        ["Dear Ms Okafor,", "thank you for your visit.", "We enclose invoice 4711", "over 120 pounds."],
        ["Dear Mr Lindqvist,", "the garden gate is painted.", "Please come and see it."],
    ),
    "winter.pdf": (
        ["Minutes of the meeting", "Snow was cleared by noon.", "No further business."],
        ["Reminder", "Your INVOICE 4802 is due", "on the first of March."],
    ),
}


def make(folder: Path) -> None:
    """Two scanned PDFs of two pages each, and one that was typed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, pages in SCANS.items():
        first, *rest = (scan(lines, seed) for seed, lines in enumerate(pages))
        first.save(folder / name, save_all=True, append_images=rest, resolution=150)
    (folder / "typed.pdf").write_bytes(typed_pdf("Invoice 5000 was paid in full."))


def ask(folder: Path) -> suffice.Result:
    """The pages that mention an invoice."""
    con = suffice.connect(folder / "scans.suffice")
    con.sql(PAGES.format(folder=folder))
    return con.sql(QUESTION)


def main(folder: Path = Path("out/examples/scans")) -> None:
    make(folder)
    found = ask(folder)
    found.show()
    found.write_page(folder / "found.html", "Which pages mention an invoice?", QUESTION)


if __name__ == "__main__":
    main()
