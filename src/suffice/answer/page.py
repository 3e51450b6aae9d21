"""An answer as HTML: a table with thumbnails, the guarantee, the work. Used in notebooks and as a report file."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any

from suffice.answer.pictures import picture, picture_columns
from suffice.answer.readable import readable
from suffice.errors import MediaError

if TYPE_CHECKING:
    from suffice.answer.result import Result

ROWS_MAX = 24
THUMBNAIL_PX = 320

# Colours are shades of the text's own colour, so that they suit a light page, a dark page and any notebook. On a narrow
# screen each row becomes a card: the names of the columns move from the head to their values.
_STYLE = """
.suffice{font:14px/1.45 system-ui,sans-serif;overflow-x:auto;position:relative}
.suffice table{border-collapse:collapse;margin:0}
.suffice th,.suffice td{padding:.5em 1.2em .5em 0;text-align:left;vertical-align:top;border-bottom:1px solid #8884}
.suffice th{font-weight:600;border-bottom:2px solid #8888;white-space:nowrap}
.suffice .n{text-align:right;font-variant-numeric:tabular-nums}
.suffice .t{white-space:pre-line;overflow-wrap:anywhere}
.suffice img{display:block;border-radius:4px;max-width:100%;height:auto}
.suffice small{display:block;opacity:.65;font-family:ui-monospace,monospace}
.suffice p{opacity:.75;margin:1em 0}
@media(max-width:640px){
.suffice thead{position:absolute;left:0;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.suffice tr{display:block;padding:.8em 0;border-bottom:2px solid #8886}
.suffice td,.suffice td.n{display:flex;gap:1em;padding:.15em 0;border:0;text-align:left}
.suffice td::before{content:attr(data-name);flex:0 0 7em;opacity:.65}
.suffice td.i{display:block}.suffice td.i::before{content:none}.suffice td.i img{width:100%}
}
"""
_PAGE_STYLE = """
:root{color-scheme:light dark}
body{margin:2em auto;max-width:72em;padding:0 1em}
h1{font:600 1.5em/1.3 system-ui,sans-serif}
pre{font:13px/1.5 ui-monospace,monospace;padding:1em;border:1px solid #8884;border-radius:6px;overflow-x:auto}
"""


def result_html(result: Result, rows: int = ROWS_MAX) -> str:
    """The first `rows` rows as an HTML fragment that stands on its own."""
    head = result.head(rows)
    pictures = picture_columns(result.columns, head)
    body = "".join(_row(result, row, pictures) for row in head)
    numbers = {i for row in head for i, value in enumerate(row) if _is_number(value)}
    names = "".join(
        f"<th scope='col'{' class=n' if i in numbers else ''}>{html.escape(name)}</th>"
        for i, name in enumerate(result.columns)
    )
    count = len(result)
    more = f"{count:,} rows, the first {len(head)} shown" if count > len(head) else f"{count:,} row{'s' * (count != 1)}"
    notes = [more, str(result.guarantee or "exact"), str(result.work)]
    return (
        f"<div class='suffice'><style>{_STYLE}</style>"
        f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{html.escape(' · '.join(notes))}</p></div>"
    )


def page(title: str, query: str, fragment: str) -> str:
    """A whole page around an answer, in one file."""
    asked = f"<pre>{html.escape(query.strip())}</pre>" if query.strip() else ""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'><link rel='icon' href='data:,'>"
        f"<title>{html.escape(title)}</title><style>{_PAGE_STYLE}</style></head>"
        f"<body><h1>{html.escape(title)}</h1>{asked}{fragment}</body></html>\n"
    )


def _row(result: Result, row: tuple[Any, ...], pictures: list[int]) -> str:
    return "<tr>" + "".join(_cell(result, row, i, i in pictures) for i in range(len(row))) + "</tr>"


def _cell(result: Result, row: tuple[Any, ...], column: int, is_picture: bool) -> str:
    value, name = row[column], html.escape(result.columns[column])
    if is_picture and value is not None:
        return f"<td class='i' data-name='{name}'>{_img(result, row, column)}</td>"
    if _is_number(value):
        text = f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
        return f"<td class='n' data-name='{name}'>{text}</td>"
    return f"<td class='t' data-name='{name}'>{html.escape(readable(value))}</td>"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _img(result: Result, row: tuple[Any, ...], column: int) -> str:
    from suffice.media.write import encode_jpeg

    try:
        image = picture(result, row, column, THUMBNAIL_PX)
    except MediaError as error:
        return html.escape(str(error))
    data = base64.b64encode(encode_jpeg(image)).decode()
    height, width = image.shape[:2]
    name = html.escape(readable(row[column]))
    img = f"<img width='{width}' height='{height}' alt='{name}' src='data:image/jpeg;base64,{data}'>"
    return f"{img}<small>{name}</small>"
