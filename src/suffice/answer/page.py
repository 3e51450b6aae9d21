"""An answer as HTML: a table with thumbnails, the guarantee, the work. Used in notebooks and as a report file."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any

from suffice.answer.pictures import picture, picture_columns
from suffice.errors import MediaError

if TYPE_CHECKING:
    from suffice.answer.result import Result

ROWS_MAX = 24
THUMBNAIL_PX = 320

_STYLE = """
.suffice{font:14px/1.45 system-ui,sans-serif;color-scheme:light dark}
.suffice table{border-collapse:collapse}
.suffice th{text-align:left;font-weight:600;border-bottom:2px solid #8888}
.suffice td,.suffice th{padding:.35em .8em .35em 0;vertical-align:top;border-bottom:1px solid #8883}
.suffice td.n{text-align:right;font-variant-numeric:tabular-nums}
.suffice img{display:block;border-radius:4px;max-width:100%}
.suffice p{opacity:.75}
"""


def result_html(result: Result, rows: int = ROWS_MAX) -> str:
    """The first `rows` rows as an HTML fragment that stands on its own."""
    head = result.head(rows)
    pictures = picture_columns(result.columns, head)
    cells = "".join(
        "<tr>" + "".join(_cell(result, row, i, i in pictures) for i in range(len(row))) + "</tr>" for row in head
    )
    names = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in result.columns)
    count = len(result)
    more = f"{count:,} rows, the first {len(head)} shown" if count > len(head) else f"{count:,} rows"
    notes = [more, str(result.work)] + ([str(result.guarantee)] if result.guarantee else ["exact"])
    return (
        f"<div class='suffice'><style>{_STYLE}</style><table><thead><tr>{names}</tr></thead><tbody>{cells}</tbody></table>"
        f"<p>{html.escape(' · '.join(notes))}</p></div>"
    )


def page(title: str, query: str, fragment: str) -> str:
    """A whole page around an answer."""
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>body{{margin:2em auto;max-width:72em;padding:0 1em;color-scheme:light dark}}"
        f"pre{{font:13px/1.5 ui-monospace,monospace;padding:1em;border:1px solid #8884;border-radius:6px;overflow-x:auto}}"
        f"h1{{font:600 1.4em system-ui,sans-serif}}</style></head><body><h1>{html.escape(title)}</h1>"
        f"<pre>{html.escape(query.strip())}</pre>{fragment}</body></html>\n"
    )


def _cell(result: Result, row: tuple[Any, ...], column: int, is_picture: bool) -> str:
    value = row[column]
    if is_picture and value is not None:
        return f"<td>{_img(result, row, column)}</td>"
    if isinstance(value, float):
        return f"<td class='n'>{value:,.4g}</td>"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"<td class='n'>{value:,}</td>"
    return f"<td>{html.escape(short(value))}</td>"


def _img(result: Result, row: tuple[Any, ...], column: int) -> str:
    from suffice.media.write import encode_jpeg

    try:
        image = picture(result, row, column, THUMBNAIL_PX)
    except MediaError as error:
        return html.escape(str(error))
    data = base64.b64encode(encode_jpeg(image)).decode()
    height, width = image.shape[:2]
    return (
        f"<img width='{width}' height='{height}' alt='{html.escape(row[column])}' src='data:image/jpeg;base64,{data}'>"
    )


def short(value: Any, limit: int = 120) -> str:
    """A value for a person to read: long text and lists are cut."""
    text = "" if value is None else str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
