"""A run as one HTML page: how fast it learnt, whom it served, what it cost."""

from __future__ import annotations

import html
from collections.abc import Iterable

from suffice.federated.finished.chart import bar_chart, line_chart
from suffice.federated.simulation.report import Report, RoundRecord

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:62em;padding:0 1em}
main{display:grid;grid-template-columns:repeat(auto-fit,minmax(22em,1fr));gap:1.5em}
svg{width:100%;height:auto}
table{border-collapse:collapse;width:100%}
td{padding:.3em 1em .3em 0;border-bottom:1px solid #8884}
td+td{text-align:right;font-variant-numeric:tabular-nums}
small{opacity:.7}
"""


def run_page(report: Report) -> str:
    """A page in one file, without scripts or anything from elsewhere."""
    last = report.rounds[-1] if report.rounds else None
    charts = "".join(f"<div>{chart}</div>" for chart in _charts(report))
    title = f"{report.settings['data_set']}: {report.settings['gradient_policy']}, {report.settings['sample_mode']}"
    tables = f"<div>{_table(_outcome(report, last))}</div><div>{_table(_devices(report))}</div>"
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'><link rel='icon' href='data:,'>"
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{html.escape(title)}</h1><main>{charts}{tables}</main>"
        f"<h2>Settings</h2>{_table((name, _text(value)) for name, value in report.settings.items())}</body></html>\n"
    )


def _charts(report: Report) -> Iterable[str]:
    rounds = report.rounds
    whole = (0.0, 1.0)
    yield line_chart("Accuracy", {"": [(r.virtual_s / 3600, r.accuracy) for r in rounds]}, "virtual hours", whole)
    yield line_chart("Accuracy", {"": [(r.host_s, r.accuracy) for r in rounds]}, "seconds of this machine", whole)
    yield bar_chart("Accuracy by tenth of the clients", report.accuracy_by_decile, "tenth, the worst served first")
    wasted = [(float(r.round), r.wasted) for r in rounds]
    yield line_chart("Share of device time wasted", {"": wasted}, "round", whole)


def _outcome(report: Report, last: RoundRecord | None) -> Iterable[tuple[str, str]]:
    rounds = report.rounds
    evaluated = [r for r in rounds if r.loss == r.loss]
    yield "rounds", f"{len(rounds):,}"
    yield "virtual time", f"{last.virtual_s / 3600:.3g} h" if last else "0 h"
    yield "accuracy, loss", f"{evaluated[-1].accuracy:.4f}, {evaluated[-1].loss:.4f}" if evaluated else "not evaluated"
    yield "clients trained a second", f"{report.clients_per_s:,.0f} ({report.method})"
    yield "peak memory", f"{report.peak_memory_bytes / 1e6:,.0f} MB"
    yield "participation Gini", f"{report.participation_gini:.3f}"
    yield "updates used, rejected", f"{sum(r.clients for r in rounds):,}, {sum(r.rejected for r in rounds):,}"
    yield "dropped out, too late", f"{sum(r.dropped for r in rounds):,}, {sum(r.late for r in rounds):,}"
    yield "device time wasted", f"{sum(r.wasted for r in rounds) / max(1, len(rounds)):.1%} of a round"
    yield "bytes down, up", f"{sum(r.bytes_down for r in rounds):,}, {sum(r.bytes_up for r in rounds):,}"
    if last and last.epsilon is not None:
        yield "privacy spent (epsilon)", f"{last.epsilon:.3f} at delta {report.settings['privacy_delta']:g}"


def _devices(report: Report) -> Iterable[tuple[str, str]]:
    made = "" if report.settings["device_conf_file"] else " (synthetic)"
    traces = report.traces
    share = traces["online_share_by_hour"]
    yield f"devices{made}", f"{traces['clients']:,}"
    yield "sessions of a device a week", f"{traces['sessions_per_client']:.1f}"
    yield "online, by hour of the day", f"{min(share):.0%} to {max(share):.0%}"
    yield (
        "minutes of a session, median and 95%",
        f"{traces['session_minutes_p50']:.1f}, {traces['session_minutes_p95']:.0f}",
    )
    yield "slowest tenth over fastest tenth", f"{traces['speed_p90_over_p10']:.1f} times"
    yield "down over up, median", f"{traces['down_over_up_median']:.1f} times"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(text)}</td></tr>" for name, text in rows)
    return f"<table>{cells}</table>"


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
