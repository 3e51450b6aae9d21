"""The chapters as one page, in one file: nothing is fetched, nothing runs."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from suffice.tour.chapter import Chapter, Figure

TITLE = "A tour: what each answer needed, and what it left out"
PICTURE_PX = 1280
_STYLE = """
:root{color-scheme:light dark;--line:#8884;--dim:light-dark(#555,#aaa)}
*{box-sizing:border-box}
body{background:light-dark(#fff,#121212);color:light-dark(#111,#eee);
font:16px/1.55 system-ui,sans-serif;margin:0 auto;max-width:64em;padding:1.5em 1em 4em}
h1{font-size:1.7em;line-height:1.25;margin:.3em 0}
h2{font-size:1.25em;margin:2.6em 0 .4em;padding-top:1.2em;border-top:1px solid var(--line)}
p{max-width:44em}
a{color:inherit}
pre{font:13px/1.5 ui-monospace,monospace;padding:.8em 1em;border:1px solid var(--line);border-radius:6px;
white-space:pre-wrap;overflow-wrap:anywhere}
figure{margin:0}figcaption{font-size:.85em;color:var(--dim);padding:.3em 0 .8em}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19em),1fr));gap:.6em 1em;align-items:start}
.figures img,.figures svg{display:block;width:100%;height:auto;border-radius:4px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em;margin:1em 0;padding:.7em 1em;border-radius:6px;
background:light-dark(#eef3ee,#1e2a22)}
dt{color:var(--dim)}dd{margin:0}
table.all{border-collapse:collapse;width:100%;margin:1.5em 0}
.all th,.all td{text-align:left;vertical-align:top;padding:.45em 1em .45em 0;border-bottom:1px solid var(--line)}
.all .n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
@media(min-width:56em){.wide{grid-column:span 2}}
@media(max-width:640px){
.all thead{position:absolute;left:0;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.all tr{display:block;padding:.6em 0;border-bottom:1px solid var(--line)}
.all td,.all td.n{display:block;border:0;padding:.1em 0;text-align:left;white-space:normal}
.all td::before{content:attr(data-name);color:var(--dim);font-size:.85em;display:block}
.all td:first-child::before{content:none}
dl{grid-template-columns:1fr}dd{margin-bottom:.4em}}
"""


def tour_page(chapters: Sequence[Chapter]) -> str:
    """The page."""
    seconds = sum(chapter.seconds for chapter in chapters)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'><link rel='icon' href='data:,'>"
        f"<title>{TITLE}</title><style>{_STYLE}</style></head><body><main><h1>{TITLE}</h1>"
        f"<p>Everything below ran on this machine in {seconds:.0f} seconds, on data and weights that ship with suffice."
        " Nothing was downloaded.</p>"
        f"{_summary(chapters)}{''.join(map(_section, range(1, len(chapters) + 1), chapters))}</main></body></html>\n"
    )


def _summary(chapters: Sequence[Chapter]) -> str:
    rows = "".join(
        f"<tr><td><a href='#chapter-{number}'>{html.escape(chapter.title)}</a></td>"
        f"<td data-name='left out'>{html.escape(chapter.left_out)}</td>"
        f"<td data-name='how sure'>{html.escape(chapter.sure)}</td>"
        f"<td class='n' data-name='seconds'>{chapter.seconds:.1f}</td></tr>"
        for number, chapter in enumerate(chapters, 1)
    )
    head = "<tr><th scope='col'>chapter</th><th scope='col'>left out</th><th scope='col'>how sure</th>"
    head += "<th scope='col' class='n'>seconds</th></tr>"
    return f"<table class='all'><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _section(number: int, chapter: Chapter) -> str:
    figures = "".join(map(_figure, chapter.figures))
    return (
        f"<section id='chapter-{number}'><h2>{number}. {html.escape(chapter.title)}</h2>"
        f"<p>{html.escape(chapter.told)}</p><pre>{html.escape(chapter.asked)}</pre>"
        f"<dl><dt>left out</dt><dd>{html.escape(chapter.left_out)}</dd>"
        f"<dt>how sure</dt><dd>{html.escape(chapter.sure)}</dd></dl>"
        f"<div class='figures'>{figures}</div></section>"
    )


def _figure(figure: Figure) -> str:
    caption = html.escape(figure.caption)
    wide = " class='wide'" if figure.is_wide else ""
    return f"<figure{wide}>{_shown(figure, caption)}<figcaption>{caption}</figcaption></figure>"


def _shown(figure: Figure, caption: str) -> str:
    from suffice.media.write import encode_jpeg, thumbnail

    if isinstance(figure.shows, str):
        return figure.shows.replace("<svg ", f"<svg aria-label='{caption}' ", 1)
    picture = thumbnail(figure.shows, PICTURE_PX)
    data = base64.b64encode(encode_jpeg(picture, 82)).decode()
    height, width = picture.shape[:2]
    return f"<img width='{width}' height='{height}' alt='{caption}' src='data:image/jpeg;base64,{data}'>"
