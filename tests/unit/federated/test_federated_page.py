from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from suffice.federated.finished.chart import bar_chart, line_chart, ticks
from suffice.federated.finished.page import run_page
from suffice.federated.simulation.report import Report, RoundRecord
from suffice.federated.tasks import ModelCard
from suffice.federated.traces import synthetic_traces, trace_statistics


@pytest.mark.parametrize("high", [0.003, 0.9, 1.0, 7.0, 41.0, 12_345.0])
def test_ticks_are_few_and_round(high):
    found = ticks(high)
    assert 2 <= len(found) <= 6 and found[0] == 0.0 and found[-1] <= high * (1 + 1e-9)
    step = found[1] - found[0]
    assert step / 10.0 ** math.floor(math.log10(step) + 1e-9) == pytest.approx(
        round(step / 10 ** math.floor(math.log10(step) + 1e-9))
    )


def test_a_line_goes_where_its_points_are_and_skips_what_is_not_finite():
    svg = line_chart("A & B", {"one": [(0, 0), (1, math.nan), (2, 1)], "two": []}, "hours", (0, 1))
    root = ElementTree.fromstring(svg)
    lines = [element.attrib["points"].split() for element in root if element.tag.endswith("polyline")]
    (first, last), empty = lines
    x0, y0 = map(float, first.split(","))
    x1, y1 = map(float, last.split(","))
    assert x1 > x0 and y1 < y0 and empty == []
    assert "A &amp; B" in svg


def test_bars_are_as_high_as_their_values():
    root = ElementTree.fromstring(bar_chart("t", [0.25, 0.5, 1.0], "x"))
    heights = [float(e.attrib["height"]) for e in root if e.tag.endswith("rect")]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2) and heights[2] == pytest.approx(4 * heights[0], abs=0.3)


def test_the_page_says_what_the_report_holds():
    rounds = [RoundRecord(r, 3600.0 * r, 0.1 * r, 2.0, 9, 1, 2, 3, 0.25, 1000, 500, 0.5, host_s=r) for r in (1, 2)]
    settings = {"data_set": "<digits>", "gradient_policy": "fed-avg", "sample_mode": "oort", "device_conf_file": ""}
    settings |= {"privacy_delta": 1e-6}
    traces = vars(trace_statistics(synthetic_traces(300)))
    report = Report(
        tuple(rounds),
        np.zeros(3),
        12.0,
        2.0,
        2.0,
        5_000_000,
        "vmap",
        (0.1, 0.9),
        0.5,
        settings,
        traces,
        ModelCard("mlp", 3, 2),
    )
    page = run_page(report)
    assert "<digits>" not in page and "&lt;digits&gt;" in page
    cells = dict(re.findall(r"<td>([^<]*)</td><td>([^<]*)</td>", page))
    assert cells["updates used, rejected"] == "18, 2" and cells["dropped out, too late"] == "4, 6"
    assert cells["virtual time"] == "2 h" and cells["bytes down, up"] == "2,000, 1,000"
    assert cells["privacy spent (epsilon)"] == "0.500 at delta 1e-06" and cells["devices (synthetic)"] == "300"
