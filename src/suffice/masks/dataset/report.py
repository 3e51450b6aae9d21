"""The quality page: every example with its thumbnail, caption and complaints, and what was left out."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from suffice.media.image import decode_image
from suffice.media.write import encode_jpeg, thumbnail

THUMBNAIL_PX = 160
_STYLE = """
body{font:15px system-ui,sans-serif;margin:2em;color:#222}main{display:flex;flex-wrap:wrap;gap:14px}
figure{margin:0;width:170px}img{max-width:160px;max-height:160px;background:#ddd;display:block}
figcaption{font-size:12px;overflow-wrap:anywhere}.bad{color:#b00020}table{border-collapse:collapse}
td,th{padding:2px 12px 2px 0;text-align:left}
"""


def report_html(examples: Sequence[Mapping[str, Any]], dropped: Sequence[Mapping[str, Any]], folder: Path) -> str:
    """A page that needs no other file."""
    buckets = Counter(f"{each['width']} x {each['height']}" for each in examples)
    rows = "".join(f"<tr><td>{name}</td><td>{count}</td></tr>" for name, count in sorted(buckets.items()))
    left_out = "".join(f"<tr><td>{escape(d['source'])}</td><td>{escape(d['reason'])}</td></tr>" for d in dropped)
    figures = "".join(_figure(each, folder) for each in examples)
    return (
        f"<!doctype html><meta charset=utf-8><title>data set</title><style>{_STYLE}</style>"
        f"<h1>{len(examples)} examples</h1><table><tr><th>size<th>examples</tr>{rows}</table>"
        f"<main>{figures}</main><h2>{len(dropped)} left out</h2><table>{left_out}</table>"
    )


def _figure(example: Mapping[str, Any], folder: Path) -> str:
    small = encode_jpeg(thumbnail(decode_image(str(folder / example["file"])), THUMBNAIL_PX), 75)
    picture = base64.b64encode(small).decode()
    complaints = ", ".join(example["complaints"])
    return (
        f"<figure><img alt='' src='data:image/jpeg;base64,{picture}'><figcaption>{escape(example['file'])}<br>"
        f"{escape(example['caption'])}<br><span class=bad>{escape(complaints)}</span></figcaption></figure>"
    )
