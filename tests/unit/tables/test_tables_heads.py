"""The head of a scramble changes what is read, never what is answered."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tables_data import ROWS, TABLES

import suffice
from suffice.tables import growing_run, head
from suffice.tables.head import HEAD_GROUP
from suffice.tables.reader import Reader, snapshot
from suffice.tables.scramble import Scramble, fresh_scramble
from suffice.tables.source import ROWS_PER_GROUP

HEAD = 2 * ROWS_PER_GROUP
QUESTIONS = (
    "SELECT sum(x) AS s FROM t WITHIN 2%",
    "SELECT k, avg(x) AS a, count(*) AS n FROM t WHERE d < 60 GROUP BY k ORDER BY k WITHIN 5%",
    "SELECT name, sum(x) AS s FROM t JOIN dim ON t.d = dim.d GROUP BY name ORDER BY name WITHIN 4%",
    "SELECT count(*) AS n FROM t WHERE word = 'W7' WITHIN 20%",
    "SELECT sum(large) AS s FROM t WITHIN 5%",
    "SELECT median(x) AS m FROM t WITHIN 5%",
    "SELECT stddev(x) AS s FROM t WITHIN 5%",
)


def small_tables(patched: pytest.MonkeyPatch) -> None:
    """Have heads as well: 2 of their 4 row groups."""
    for module in (head, growing_run):
        patched.setattr(module, "GROUPS_LEAST", 4)
    patched.setattr(head, "_SHARE", 2)


def made(folder: Path) -> suffice.Connection:
    con = suffice.connect(folder / "h.duckdb", progress=False)
    con.duckdb.execute("SET threads = 2")
    con.sample_always = True
    for statement in TABLES[:2]:
        con.sql(statement)
    con.sql("ALTER TABLE t ADD COLUMN word VARCHAR COLLATE NOCASE")
    con.sql("ALTER TABLE t ADD COLUMN large HUGEINT")
    con.sql("UPDATE t SET word = 'w' || d, large = CASE WHEN hash(rowid) % 6000 = 0 THEN 9000 ELSE k + 1 END")
    con.scramble("t")
    return con


def copied(con: suffice.Connection, folder: Path) -> suffice.Connection:
    """The database and its heads."""
    con.duckdb.execute("CHECKPOINT")
    shutil.copy(con._database.file, folder / "h.duckdb")
    shutil.copytree(f"{con._database.file}.heads", folder / "h.duckdb.heads")
    copy = suffice.connect(folder / "h.duckdb", progress=False)
    copy.duckdb.execute("SET threads = 2")
    copy.sample_always = True
    return copy


def heads(con: suffice.Connection) -> list[Path]:
    return sorted(Path(f"{con._database.file}.heads").glob("*"))


def answers(con: suffice.Connection) -> list[object]:
    found = [con.sql(question, seed=seed) for question in QUESTIONS for seed in (1, 2, 5)]
    assert all(one.guarantee is not None and one.guarantee.tier == "finite-sample" for one in found)
    return [(one.fetchall(), one.guarantee.intervals, one.guarantee.sampled) for one in found if one.guarantee]


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    small_tables(monkeypatch)


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[suffice.Connection]:
    with pytest.MonkeyPatch.context() as context:
        small_tables(context)
        with made(tmp_path_factory.mktemp("heads")) as connection:
            yield connection


@pytest.fixture
def reader(con: suffice.Connection) -> Iterator[Reader]:
    with snapshot(con._database) as opened:
        yield opened


def started(reader: Reader, seed: int, columns: list[str]) -> Scramble:
    found = fresh_scramble(reader, "t")
    assert found is not None and found.head_rows == HEAD + -(-found.known.certain // ROWS_PER_GROUP) * ROWS_PER_GROUP
    found.start(seed, columns)
    return found


def test_it_holds_the_first_rows_in_small_groups(con: suffice.Connection, reader: Reader) -> None:
    (path,), source = heads(con), started(reader, 1, [])
    sizes = [n for (n,) in reader.rows(f"SELECT DISTINCT row_group_num_rows FROM parquet_metadata('{path}')")]
    assert sizes == [HEAD_GROUP]
    kept = f"x, k, d, part, __sid FROM {source.known.copy_sql} WHERE __sid < {source.head_rows}"
    file = f"SELECT x, k, d, part, __sid FROM read_parquet('{path}')"
    assert reader.rows(f"SELECT count(*) FROM read_parquet('{path}')") == [(source.head_rows,)]
    assert reader.rows(f"SELECT count(*) FROM (SELECT {kept} EXCEPT {file})") == [(0,)]
    assert source.known.certain > 0 and os.stat(path).st_mode & 0o777 == os.stat(con._database.file).st_mode & 0o666


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sizes", [[2048, 28_672], [100_000], [150_000, 90_000], [70_000, 60_000, 40_000]])
def test_draws_bring_each_row_once(reader: Reader, seed: int, sizes: list[int]) -> None:
    source = started(reader, seed, ["x"])
    first, second = source.draw([2048, 28_672]), source.draw(sizes)
    assert "read_parquet" in first.relation_sql and second.units != []
    rows = f"(SELECT *, 0 AS draw FROM {first.relation_sql} UNION ALL SELECT *, 1 FROM {second.relation_sql})"
    found = reader.rows(f"SELECT draw, __part, count(*) FROM {rows} GROUP BY ALL ORDER BY ALL")
    expected = [(0, -1, source.known.certain), *((0, i, n) for i, n in enumerate(first.units))]
    assert found == [*expected, *((1, i, n) for i, n in enumerate(second.units))]
    ((all_rows, different),) = reader.rows(f"SELECT count(*), count(DISTINCT __unit) FROM {rows}")
    assert all_rows == different == first.rows + second.rows
    values = f"SELECT x, __unit AS __sid FROM {rows}"
    copied = f"SELECT x, __sid FROM {source.known.copy_sql}"
    assert reader.rows(f"SELECT count(*) FROM ({values} EXCEPT {copied})") == [(0,)]


def test_answers_are_the_same_without_it(con: suffice.Connection, tmp_path: Path) -> None:
    with copied(con, tmp_path) as con:
        (path,) = heads(con)
        before = answers(con)
        path.unlink()
        assert answers(con) == before
        assert con.scramble("t").was_fresh and heads(con) not in ([], [path])
        assert answers(con) == before


def test_what_parquet_changes_is_read_from_the_copy(con: suffice.Connection, reader: Reader) -> None:
    known = started(reader, 1, []).known
    assert known.head is not None and known.head.holds(["X", "part"])
    assert not known.head.holds(["word"]) and not known.head.holds(["large"]), "a collation and a HUGEINT would be lost"
    result = con.sql("SELECT count(*) AS n FROM t WHERE word = 'W7' WITHIN 20%", seed=1)
    assert con.audit(result).held and result.fetchall() != [(0,)]


def test_a_renewed_scramble_has_a_head_of_its_own(con: suffice.Connection, tmp_path: Path) -> None:
    with copied(con, tmp_path) as con:
        (before,) = heads(con)
        con.sql("UPDATE t SET x = x + 100")
        con.scramble("t")
        (after,) = heads(con)
        result = con.sql("SELECT sum(x) AS s FROM t WITHIN 2%", seed=1)
        assert after != before and con.audit(result).held
        con.drop_scramble("t")
        assert not heads(con) and not Path(f"{con._database.file}.heads").exists()


_INTERRUPTED = """
import os, signal, sys
sys.path[:0] = [{folder!r}]
import pytest
from test_tables_heads import small_tables
small_tables(pytest.MonkeyPatch())
import suffice
from suffice.tables import build_scramble
def end(*_): os.kill(os.getpid(), signal.SIGKILL)
if {where!r} == "note":
    build_scramble.note = lambda reader, name, what, value: what == "head" and end()
else:
    build_scramble.finish = end
with suffice.connect({file!r}, progress=False) as con:
    con.sql("UPDATE t SET x = x + 100")
    con.scramble("t")
"""


@pytest.mark.parametrize("where", ["note", "finish"])  # the file is written; the store names it
def test_killed_before_a_head_is_done_there_is_none(con: suffice.Connection, tmp_path: Path, where: str) -> None:
    with copied(con, tmp_path) as con:
        (old,), file = heads(con), con._database.file
    script = _INTERRUPTED.format(folder=str(Path(__file__).parent), where=where, file=file)
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -signal.SIGKILL
    with suffice.connect(file, progress=False) as con:
        con.sample_always = True
        assert len(heads(con)) == 2, "the old one, and half of the new one"
        before = answers(con)
        with snapshot(con._database) as reader:
            assert "read_parquet" not in started(reader, 1, ["x"]).draw([2048, 28_672]).relation_sql
        assert con.scramble("t").was_fresh
        (new,) = heads(con)
        assert new != old and answers(con) == before


def test_where_none_can_be_written_there_is_none(con: suffice.Connection, tmp_path: Path) -> None:
    for folder in (tmp_path / "blocked", tmp_path / "odd [1] name"):
        folder.mkdir()
        with copied(con, folder) as copy:
            shutil.rmtree(f"{copy._database.file}.heads")
            if folder.name == "blocked":
                Path(f"{copy._database.file}.heads").write_text("of somebody else")
            assert copy.scramble("t").was_fresh
            result = copy.sql("SELECT sum(x) AS s FROM t WITHIN 2%", seed=1)
            assert copy.audit(result).held and result.guarantee is not None
            assert result.guarantee.tier == "finite-sample" and not heads(copy)


def test_a_name_with_quotes_and_a_connection_that_is_confined(con: suffice.Connection, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "it's day=1", tmp_path / "elsewhere"
    folder.mkdir()
    with copied(con, folder) as con:
        file, before = con._database.file, answers(con)
    with suffice.connect(file, roots=[elsewhere], progress=False) as confined:
        confined.sample_always = True
        assert len(heads(confined)) == 1 and answers(confined) == before


@pytest.mark.usefixtures("patched")
def test_a_folder_of_parquet_has_its_heads_beside_its_store(tmp_path: Path) -> None:
    with suffice.connect(":memory:", progress=False) as con:
        con.sql(f"COPY (SELECT hash(range) % 1000 AS x FROM range({ROWS})) TO '{tmp_path}/t.parquet'")
    with suffice.connect(tmp_path, progress=False) as con:
        con.sample_always = True
        con.scramble("t")
        ask = "SELECT sum(x) AS s FROM t WITHIN 5%"
        assert heads(con)[0].parent == tmp_path / ".suffice" / "store.duckdb.heads"
        assert con.audit(con.sql(ask)).held
        con.sql(f"COPY (SELECT hash(range) % 3000 AS x FROM range({ROWS})) TO '{tmp_path}/new.parquet'")
        (tmp_path / "t.parquet").write_bytes((tmp_path / "new.parquet").read_bytes())
        changed = con.sql(ask)
        assert changed.guarantee is not None and changed.guarantee.tier == "exact", (
            "in place: the folder looks the same"
        )
