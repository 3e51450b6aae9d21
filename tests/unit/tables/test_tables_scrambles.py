"""What a scramble reads: its runs, row by row, and the blocks of the file that they lie in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tables_data import ROWS, begin_at, database

import suffice
from suffice.tables import fetched_ahead, fingerprint, scramble
from suffice.tables.fetched_ahead import has_blocks
from suffice.tables.file_state import file_state
from suffice.tables.head import Head
from suffice.tables.kept_facts import known_of_state
from suffice.tables.reader import Reader, snapshot
from suffice.tables.scramble import Scramble, fresh_scramble
from suffice.tables.source import ROWS_PER_GROUP


@pytest.fixture
def reader(con: suffice.Connection) -> Iterator[Reader]:
    with snapshot(con._database) as opened:
        yield opened


def started(reader: Reader) -> Scramble:
    found = fresh_scramble(reader, "t")
    assert found is not None
    found.start(3, ["x", "k"])
    return found


@pytest.mark.parametrize("sizes", [[2048, 30720], [150_000], [60_000, 200_000], [130_000, 130_000, 130_000]])
def test_a_draw_brings_the_rows_of_its_run_and_no_other(reader: Reader, sizes: list[int]) -> None:
    source = started(reader)
    begin_at(source.run, 70_000)  # in the middle of a row group
    drawn = source.draw(sizes)
    found = reader.rows(
        "SELECT __part, count(*), count(DISTINCT __unit), min(__unit), max(__unit) FROM"
        f" {drawn.relation_sql} GROUP BY 1 ORDER BY 1"
    )
    first, expected = 70_000, []
    for part, size in enumerate(drawn.units):
        expected.append((part, size, size, first, first + size - 1))
        first += size
    assert found == expected


def test_whole_row_groups_are_found_by_their_number_alone(reader: Reader) -> None:
    source = started(reader)
    begin_at(source.run, 70_000)
    first, whole, last = source.draw([2 * ROWS_PER_GROUP]).relation_sql.split(" UNION ALL ")
    assert "__sid >=" in first and "__sid >=" in last and "__sid >=" not in whole and "__group >= 1" in whole


def test_a_row_group_number_takes_no_block(reader: Reader) -> None:
    stored = f"FROM pragma_storage_info('{reader.database.schema}.scramble_t') WHERE column_name = '__group'"
    assert reader.rows(f"SELECT DISTINCT block_id, compression {stored}") == [(-1, "Constant")]


def test_a_large_draw_asks_the_disk_for_what_it_will_read(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(fetched_ahead, "_ASKED", {})
    monkeypatch.setattr(os, "posix_fadvise", lambda file, first, size, advice: asked.append((first, size)))
    started(reader).draw([2048, 30_720])
    assert not asked, "a small draw is read sooner than it is looked up"
    source = started(reader)
    begin_at(source.run, 0)
    source.draw([ROWS])
    size = os.stat(reader.database.target).st_size
    assert asked and all(first % 4096 == 0 and first + length <= size for first, length in asked)
    stored = f"pragma_storage_info('{reader.database.schema}.scramble_t') WHERE persistent AND block_id >= 0"
    blocks = reader.rows(f"SELECT DISTINCT block_id FROM {stored} AND column_name IN ('x', 'k', '__sid')")
    wanted = {12_288 + block * 262_144 for (block,) in blocks}
    assert {start for first, length in asked for start in range(first, first + length, 262_144)} == wanted
    asked.clear()
    source = started(reader)
    begin_at(source.run, 0)
    source.draw([ROWS])
    assert not asked, "what this process has read is not asked for again"


def test_a_file_that_cannot_be_opened_costs_nothing(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(fetched_ahead, "_ASKED", {})
    monkeypatch.setattr(fetched_ahead.os, "open", refuse)
    source = started(reader)
    begin_at(source.run, 0)
    assert source.draw([ROWS]).units == [ROWS]


def test_what_a_build_finds_out_the_next_process_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fingerprint, "WORTH_KEEPING_S", 0.0)
    with database(tmp_path) as con:
        con.scramble("t")
    path = str(tmp_path / "t.duckdb")
    state = file_state(path)
    assert state is not None and known_of_state(path, state, "fingerprint of t") is not None


def test_dropped_with_its_blocks(tmp_path: Path) -> None:
    from suffice.tables.build_scramble import drop_scramble

    with database(tmp_path) as con:
        with snapshot(con._database) as before:
            assert has_blocks(before, "t")
        drop_scramble(con._database, "t")
        with snapshot(con._database) as after:
            assert not has_blocks(after, "t")


def test_a_plan_that_came_to_nothing_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from suffice.answer.tables import answers

    with database(tmp_path, scrambled=False) as con:
        con.sample_always = False
        monkeypatch.setattr(answers, "require_large", lambda reader, tree: None)
        question = "WITH a AS (SELECT x FROM t) SELECT string_agg(x, ',') AS s FROM a WHERE x < 1 WITHIN 5%"
        first = con.sql(question).guarantee
        monkeypatch.setattr(answers, "plan_sampling", lambda tree, reader: pytest.fail("planned anew"))
        again = con.sql(question).guarantee
    assert first is not None and again is not None
    assert again.method == f"{first.method} (found before)"


def test_small_tables_in_a_cte_are_told_before_any_planning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from suffice.answer.tables import answers

    with database(tmp_path) as con:
        con.sample_always = False
        monkeypatch.setattr(answers, "prepared", lambda asking, reader: pytest.fail("planned"))
        found = con.sql("WITH a AS (SELECT d FROM dim) SELECT sum(d) AS s FROM a WITHIN 5%").guarantee
    assert found is not None and "reading all 100 rows" in found.method


def test_what_is_exact_runs_as_it_was_written(con: suffice.Connection) -> None:
    result = con.sql("SELECT max(x) AS m, 7 // 2 AS three FROM t -- the greatest\n WITHIN 5%")
    assert result.fetchall() == [(999, 3)]


def test_answers_to_one_statement_draw_each_for_itself(con: suffice.Connection) -> None:
    asked = "SELECT sum(x) AS s FROM t WHERE k < 3 WITHIN 1%"
    alone = [answer.guarantee.intervals for answer in con.stream(asked, seed=1)]
    beside = con.stream(asked, seed=1)
    found = [next(beside).guarantee.intervals]
    con.sql(asked, seed=2)  # while the other waits
    found += [answer.guarantee.intervals for answer in beside]
    assert found == alone and len(alone) > 1


def test_columns_without_nulls_are_known(con: suffice.Connection, reader: Reader) -> None:
    source = fresh_scramble(reader, "t")
    assert source is not None and {"x", "k", "d", "part"} <= {*source.known.never_null}


def test_row_groups_are_loaded_once_where_a_draw_will_leave_the_head(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = started(reader)
    known = replace(source.known, head=Head(reader.database.file, "0" * 32, ()))
    headed, large = replace(source, known=known), replace(source, known=replace(known, rows=10**9))
    for one, is_filtered, loads in ((source, False, 1), (headed, False, 0), (headed, True, 1), (large, True, 0)):
        monkeypatch.setattr(scramble, "_LOADED", set())
        before = len(reader.threads)
        for _ in range(2):
            one.expect(is_filtered)
        assert len(reader.threads) - before == loads
