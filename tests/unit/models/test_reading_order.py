from __future__ import annotations

from suffice.models.reading_order import reading_order


def test_rows_from_the_top_each_from_the_left() -> None:
    boxes = [(50, 101, 90, 120), (0, 99, 40, 119), (0, 10, 90, 30), (0, 125, 90, 145)]
    assert reading_order(boxes) == [[2], [1, 0], [3]]


def test_a_tall_neighbour_does_not_join_the_lines() -> None:
    margin_note, lines = (0.0, 0.0, 10.0, 100.0), [(20.0, 30.0 * n, 90.0, 30.0 * n + 20) for n in range(3)]
    assert reading_order([margin_note, *lines]) == [[0], [1], [2], [3]]


def test_small_print_stays_apart() -> None:
    lines = [(0.0, 6.0 * n, 50.0, 6.0 * n + 5) for n in range(5)]
    assert reading_order(lines) == [[0], [1], [2], [3], [4]]
    assert reading_order([]) == []
