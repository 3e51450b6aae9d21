"""Aggregates within 5% at 95% beside the exact query: TPC-H's 22, TPC-DS's 99 and the star schema's 13 queries, and
plain sums over lineitem.

    python tables.py [--scale 1] [--runs 3] [--only tpch|tpcds|sums|list|ssb|hostile|cold|first|folder] [--folder out]
    python tables.py --scale 10 --only sums      # data are made once, in steps that go on where they were stopped
    python tables.py --scale 10 --parquet DIR    # … or read from `tpchgen-cli -s 10 --format=parquet`, which is faster

Data come from the tpch and tpcds extensions that ship on PyPI. Results of a scale other than 1 are kept beside those of
scale 1 ("sums_10"). Both sides run in this process over one connection, turn by turn; the least CPU seconds of the runs
are compared (wall seconds are written down too, as medians): statements never asked before, with nothing known of their
tables beyond whether they changed, and asked again. Quick statements are asked more often than --runs, and those that
come out above 1.1 once more. "cold" asks what was sampled by "sums" and "list" in new processes that find nothing of
the file in the page cache, medians of five, each of another seed; bytes are what the process asked the file system
for. "folder" does so with the plain sums over lineitem as a folder of Parquet. "first" times the first interval of a
stream. Every sampled answer is audited. The plain sums are sampled whatever it costs, to see how much must be read;
"list" are the TPC-H queries that PilotDB was measured on, with --pilotdb its own code beside ours. Writes
results/tables.json and the plots in ../docs/images/tables.jpg (matplotlib).

    python tables.py --scale 10 --only list --pilotdb CHECKOUT PYTHON     # see peers/pilotdb_peer.py
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any
from unittest.mock import patch

import duckdb

import suffice
from suffice.answer.tables.io_bytes import read_so_far
from suffice.tables import told
from suffice.tables.reader import Reader

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import star_schema

HERE = Path(__file__).parent
SUMS = {
    "S": "SELECT sum(l_extendedprice * l_discount) AS s FROM lineitem",
    "Q6": "SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_shipdate >= DATE '1994-01-01'"
    " AND l_shipdate < DATE '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
    "by flag": "SELECT l_returnflag, sum(l_extendedprice * (1 - l_discount)) AS s, avg(l_tax) AS t FROM lineitem"
    " GROUP BY 1 ORDER BY 1",
    "spread": "SELECT stddev(l_extendedprice) AS s FROM lineitem",
}
MEMORY = "8GB"
_OFTEN = 20  # asked at most where --runs are fewer, within half a second a side
_SLOWER = 1.1
_COLD_RUNS = 5
Timed = tuple[Any, float, float]
"""(what it gave, CPU seconds, wall seconds)."""

Scrambled = tuple[str, dict[str, Any]]
"""A table and what `Connection.scramble` is told besides."""

JOINS = ["orders(o_orderpriority, o_orderdate) ON l_orderkey = o_orderkey", "part(p_type) ON l_partkey = p_partkey"]
SCRAMBLES: dict[str, tuple[Scrambled, ...]] = {
    "tpch": (("lineitem", {"joins": JOINS}),),
    "hostile": (("t", {}),),
    "ssb": (("lineorder", {"joins": star_schema.JOINS}),),
    "tpcds": (("store_sales", {}), ("catalog_sales", {}), ("web_sales", {})),
}
U, V = "((hash(range) % 1000003 + 0.5) / 1000003.0)", "((hash(range + 7) % 1000003 + 0.5) / 1000003.0)"
HOSTILE = {
    "uniform": U,
    "spikes": f"CASE WHEN hash(range + 3) % 3000 = 0 THEN 1000.0 ELSE 1 + {U} END",
    "pareto": f"pow({U}, -1 / 1.5)",
    "lognormal": f"exp(1.5 * sqrt(-2 * ln({U})) * cos(2 * pi() * {V}))",
    "blocks": f"CASE WHEN hash(range // 2048) % 300 = 0 THEN 1000.0 ELSE 1 + {U} END",
}
"""Columns of 20 million rows at scale 1, each summed up."""

PARTS = ("sums", "list", "tpch", "tpcds", "ssb", "hostile", "cold", "first", "folder")
LIST = (1, 5, 6, 7, 8, 9, 12, 14, 19)
"""PilotDB's TPC-H queries."""


def extension(name: str) -> str:
    folder = importlib.resources.files(f"duckdb_extension_{name}") / "extensions" / f"v{duckdb.__version__}"
    return str(folder / f"{name}.duckdb_extension")


def make(kind: str, scale: float, folder: Path, parquet: Path | None = None) -> Path:
    """The database of a benchmark, made once."""
    path = folder / f"{kind}_{scale:g}.duckdb"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half")
        with duckdb.connect(str(half)) as con:
            con.execute(f"SET memory_limit = '{MEMORY}'")
            if kind in ("tpch", "tpcds"):
                con.execute(f"LOAD '{extension(kind)}'")
            if parquet is not None and kind == "tpch":
                for file in sorted(parquet.glob("*.parquet")):
                    con.execute(f"CREATE OR REPLACE TABLE {file.stem} AS FROM read_parquet('{file}')")
            elif kind == "ssb":
                for statement in star_schema.tables(scale):
                    con.execute(statement)
            elif kind == "hostile":
                columns = ", ".join(f"{sql} AS {name}" for name, sql in HOSTILE.items())
                con.execute(f"CREATE TABLE t AS SELECT {columns} FROM range({int(2e7 * scale)})")
            elif kind == "tpcds":
                con.execute(f"CALL dsdgen(sf = {scale:g}, overwrite = true)")
            else:
                make_tpch(con, scale)
        half.rename(path)
    return path


def make_tpch(con: duckdb.DuckDBPyConnection, scale: float) -> None:
    """In steps of scale 1, each a transaction."""
    steps = max(1, round(scale))
    con.execute("CREATE TABLE IF NOT EXISTS steps_made (step INTEGER)")
    (made,) = con.execute("SELECT count(*) FROM steps_made").fetchone() or (0,)
    for step in range(made, steps):
        con.execute("BEGIN")
        con.execute(f"CALL dbgen(sf = {scale:g}" + (f", children = {steps}, step = {step})" if steps > 1 else ")"))
        con.execute(f"INSERT INTO steps_made VALUES ({step})")
        con.execute("COMMIT")
        print(f"tpch {scale:g}: step {step + 1} of {steps}")
    con.execute("DROP TABLE steps_made")


def queries(kind: str) -> dict[str, str]:
    if kind == "ssb":
        return star_schema.QUERIES
    if kind == "hostile":
        return {name: f"SELECT sum({name}) AS s FROM t" for name in HOSTILE}
    with duckdb.connect() as con:
        con.execute(f"LOAD '{extension(kind)}'")
        rows = con.execute(f"SELECT query_nr, query FROM {kind}_queries() ORDER BY 1").fetchall()
    return {f"Q{number}": sql.strip().rstrip(";") for number, sql in rows}


def timed(run: Callable[[], Any]) -> Timed:
    cpu, wall = time.process_time(), time.perf_counter()
    given = run()
    return given, time.process_time() - cpu, time.perf_counter() - wall


def measure(con: suffice.Connection, sql: str, runs: int) -> dict[str, Any]:
    asked = f"{sql} WITHIN 5% CONFIDENCE 95%"
    _, _, took = timed(lambda: con.sql(sql))  # imports and caches
    often = max(runs, min(_OFTEN, int(0.5 / max(took, 1e-3))))
    first, exact_first = first_times(con, sql, asked, range(often))
    if min(first) > _SLOWER * min(exact_first):
        more = first_times(con, sql, asked, range(often, 3 * often))
        first, exact_first = first + more[0], exact_first + more[1]
    ours, exact = asked_again(con, sql, asked, range(1, often + 1))
    if cpu(ours) > _SLOWER * cpu(exact):
        more = asked_again(con, sql, asked, range(often + 1, 3 * often + 1))
        ours, exact = ours + more[0], exact + more[1]
    answers = [given for given, _, _ in ours]
    sampled = [a for a in answers if a.guarantee.tier != "exact"]
    return {
        "tiers": dict(Counter(a.guarantee.tier for a in answers)),
        "why_exact": next((a.guarantee.method for a in answers if a.guarantee.tier == "exact"), None),
        "rate": median(a.guarantee.sampled / a.guarantee.population for a in sampled) if sampled else 1.0,
        "missed": sum(not con.audit(a).held for a in sampled[:runs]),
        "runs": runs,
        "first_cpu_ms": 1e3 * min(first),
        "exact_first_cpu_ms": 1e3 * min(exact_first),
        "ours_cpu_ms": 1e3 * cpu(ours),
        "exact_cpu_ms": 1e3 * cpu(exact),
        "ours_ms": 1e3 * median(wall for _, _, wall in ours),
        "exact_ms": 1e3 * median(wall for _, _, wall in exact),
    }


def asked_again(con: suffice.Connection, sql: str, asked: str, seeds: Iterable[int]) -> tuple[list[Timed], list[Timed]]:
    """With the target and without."""
    ours, exact = [], []
    for seed in seeds:
        ours.append(timed(lambda seed=seed: con.sql(asked, seed=seed)))
        exact.append(timed(lambda: con.sql(sql)))
    return ours, exact


def cpu(runs: list[Timed]) -> float:
    """The least seconds."""
    return min(seconds for _, seconds, _ in runs)


def first_times(
    con: suffice.Connection, sql: str, asked: str, numbers: Iterable[int]
) -> tuple[list[float], list[float]]:
    """CPU seconds of the statement with its target and without, each never asked before."""
    ours, exact = [], []
    for number in numbers:
        ours.append(asked_first(con, asked, number))
        exact.append(timed(lambda number=number: con.sql(f"{sql} /* {number} */"))[1])
    return ours, exact


def asked_first(con: suffice.Connection, asked: str, number: int) -> float:
    """CPU seconds of a statement never asked before, with nothing known of its tables beyond whether they changed."""
    told._KNOWN.clear()
    for kept in (Path(os.environ["XDG_CACHE_HOME"]) / "suffice" / "tables").glob("*"):
        kept.write_text(json.dumps({**json.loads(kept.read_text()), "facts": {}}))
    return timed(lambda: con.sql(f"{asked} /* {number} */", seed=number))[1]


def run(
    path: Path, asked: dict[str, str], runs: int, scrambles: tuple[Scrambled, ...], always: bool = False
) -> dict[str, Any]:
    results = {}
    with suffice.connect(path, progress=False) as con:
        con.sql(f"SET memory_limit = '{MEMORY}'")
        con.sample_always = always
        seconds = [timed(lambda one=one: con.scramble(one[0], **one[1]))[2] for one in scrambles]
        con.sql("SELECT count(*) FROM (SELECT 1) WITHIN 5%")
        print(f"{path.name}: scrambles of {', '.join(table for table, _ in scrambles)} in {sum(seconds):.0f} s")
        for name, sql in asked.items():
            results[name] = one = measure(con, sql, runs)
            print(
                f"{name:8} {'/'.join(one['tiers']):14} read {one['rate']:7.2%}  missed {one['missed']}/{one['runs']}"
                f"  cpu {one['ours_cpu_ms']:8.1f} / {one['exact_cpu_ms']:8.1f} ms = {speed_up(one):6.2f}x"
                f"  first {first_against_exact(one):.2f}  {one['why_exact'] or ''}",
                flush=True,
            )
    return results


def cold(path: Path, sql: str, always: bool) -> dict[str, float]:
    """Wall milliseconds and bytes of one question each way."""
    found = {}
    for name, statement in (("ours", f"{sql} WITHIN 5% CONFIDENCE 95%"), ("exact", sql)):
        runs = [in_new_process(path, statement, always, seed) for seed in range(1, _COLD_RUNS + 1)]
        found |= {f"{name}_{what}": median(run[what] for run in runs) for what in runs[0]}
    return found


def in_new_process(path: Path, statement: str, always: bool, seed: int = 1) -> dict[str, float]:
    """Of a question; nothing of the file or folder, or of the heads beside it, is in the page cache."""
    files = path.rglob("*") if path.is_dir() else [path, *Path(f"{path}.heads").glob("*")]
    for each in filter(Path.is_file, files):
        with each.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    command = [sys.executable, __file__, "--ask", str(path), statement, str(seed), *(["--always"] if always else [])]
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def ask(path: Path, sql: str, seed: int, always: bool) -> None:
    """One question in this process; imports are not counted, and the file and its first words by themselves: as much
    is read of it before any question, with a target or without."""
    import pandas  # noqa: F401  DuckDB imports it to look at a registered table
    import pyarrow.pandas_compat  # noqa: F401  and pyarrow this to make an array, where there is pandas

    with suffice.connect(":memory:", progress=False) as con:
        con.sql("SELECT count(*) FROM (SELECT 1) WITHIN 5%")
    opening = read_so_far()
    with suffice.connect(path, progress=False) as con:
        con.sample_always = always
        con.sql("SELECT count(*) FROM nation WITHIN 5%")
        before, started = read_so_far(), time.perf_counter()
        result = con.sql(sql, seed=seed)
        result.fetchall()
        found = {"ms": 1e3 * (time.perf_counter() - started), "bytes": read_so_far() - before}
        found["opening_bytes"] = before - opening
        if (guarantee := result.guarantee) is not None:
            found |= {"rows": guarantee.sampled, "of": guarantee.population}
        print(json.dumps(found))


def pilotdb(checkout: str, python: str, path: Path, asked: dict[str, str], runs: int) -> dict[str, Any]:
    """What PilotDB's own code makes of the same questions on the same file; an answer misses when a value is more
    than 5% off."""
    command = [python, str(HERE / "peers" / "pilotdb_peer.py"), checkout, str(path), str(runs)]
    peer = json.loads(subprocess.run(command, input=json.dumps(asked), stdout=-1, text=True, check=True).stdout)
    found: dict[str, Any] = {}
    with duckdb.connect(str(path), read_only=True) as con:
        for name, answers in peer.items():
            exact = [[str(value) for value in row] for row in con.execute(asked[name]).fetchall()]
            held = [one for one in answers if "error" not in one]
            found[name] = {"error": answers[-1].get("error"), "runs": len(answers)}
            if held:
                found[name] |= {
                    "rate": median(one["rate"] for one in held),
                    "cpu_ms": min(one["cpu_ms"] for one in held),
                    "ms": median(one["ms"] for one in held),
                    "missed": sum(not alike(one["rows"], exact) for one in held),
                }
            print(f"{name:8} PilotDB {found[name]}", flush=True)
    return found


def alike(rows: list[list[str]], exact: list[list[str]]) -> bool:
    """The same rows, numbers within 5%."""
    if len(rows) != len(exact):
        return False
    pairs = [
        (a, b) for one, other in zip(sorted(rows), sorted(exact), strict=True) for a, b in zip(one, other, strict=True)
    ]
    return all(a == b or (is_number(a) and is_number(b) and near(float(a), float(b))) for a, b in pairs)


def near(value: float, exact: float) -> bool:
    return abs(value - exact) <= 0.05 * abs(exact)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def speed_up(one: dict[str, Any]) -> float:
    return float(one["exact_cpu_ms"] / one["ours_cpu_ms"])


def summary(results: dict[str, Any]) -> dict[str, Any]:
    sampled = [one for one in results.values() if "finite-sample" in one["tiers"]]
    return {
        "queries": len(results),
        "sampled": len(sampled),
        "geometric_mean_speed_up_where_sampled": geometric_mean(map(speed_up, sampled)) if sampled else None,
        "geometric_mean_speed_up_cold": geometric_mean(map(cold_speed_up, sampled)) if sampled else None,
        "slowest_against_exact": max(1 / speed_up(one) for one in results.values()),
        "slower_than_1.1": sum(1 / speed_up(one) > _SLOWER for one in results.values()),
        "slowest_first_against_exact": max(map(first_against_exact, results.values())),
        "slower_first_than_1.1": sum(first_against_exact(one) > _SLOWER for one in results.values()),
        "missed": sum(one["missed"] for one in results.values()),
    }


def first_against_exact(one: dict[str, Any]) -> float:
    return float(one["first_cpu_ms"] / one["exact_first_cpu_ms"])


def cold_speed_up(one: dict[str, Any]) -> float:
    return float(one["cold"]["exact_ms"] / one["cold"]["ours_ms"]) if "cold" in one else 1.0


def progressive(path: Path, sql: str) -> list[dict[str, float]]:
    """What a stream shows: rows read, ends relative to the exact value, milliseconds since the question."""
    with suffice.connect(path, progress=False) as con:
        con.sample_always = True
        ((truth,),) = con.sql(sql).fetchall()
        list(con.stream(f"{sql} WITHIN 4%", seed=1))  # imports, caches
        started, looks = time.perf_counter(), []
        for answer in con.stream(f"{sql} WITHIN 4%", seed=2):
            if answer.guarantee is not None and answer.guarantee.intervals:
                low, high = next(iter(answer.guarantee.intervals.values()))[0]
                ends = {"low": low / float(truth) - 1, "high": high / float(truth) - 1}
                looks.append({"rows": answer.guarantee.sampled, **ends, "ms": 1e3 * (time.perf_counter() - started)})
    return looks


def first_intervals(path: Path) -> dict[str, float]:
    """Median milliseconds to the first interval of a stream: Q6 as it was never asked, and asked again; and of what
    Q6 takes in all but drawing: parsing, planning, statistics, the rows of the answer."""

    def first_ms(quantity: int, seed: int) -> float:
        sql, started = SUMS["Q6"].replace("l_quantity < 24", f"l_quantity < {quantity}"), time.perf_counter()
        stream = con.stream(f"{sql} WITHIN 5%", seed=seed)
        assert next(stream).guarantee.intervals
        taken = 1e3 * (time.perf_counter() - started)
        stream.close()
        return taken

    with suffice.connect(path, progress=False) as con:
        con.sample_always = True
        process = first_ms(24, 0)
        found = {
            "first of all, with nothing of the file kept": process,
            "never asked": median(first_ms(quantity, 0) for quantity in range(15, 24)),
            "asked again": median(first_ms(24, seed) for seed in range(1, 10)),
            "all but drawing, never asked": median(but_for_drawing_ms(con, 60 + n, 1) for n in range(15)),
            "all but drawing, asked again": median(but_for_drawing_ms(con, 24, seed) for seed in range(15)),
        }
    print(json.dumps(found))
    return found


def but_for_drawing_ms(con: suffice.Connection, quantity: int, seed: int) -> float:
    drawing, table = [], Reader.table

    def timed_table(self: Reader, written: str) -> Any:
        found, _, seconds = timed(lambda: table(self, written))
        drawing.append(seconds)
        return found

    with patch.object(Reader, "table", timed_table):
        sql = SUMS["Q6"].replace("l_quantity < 24", f"l_quantity < {quantity}")
        *_, seconds = timed(lambda: con.sql(f"{sql} WITHIN 5%", seed=seed).fetchall())
    return 1e3 * (seconds - sum(drawing))


def plot(results: dict[str, dict[str, Any]], looks: list[dict[str, float]], target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = {
        f"{name}": one for part in results.values() for name, one in part.items() if "finite-sample" in one["tiers"]
    }
    figure, (left, right, last) = pyplot.subplots(1, 3, figsize=(13, 3.6))
    left.bar(list(shown), [speed_up(one) for one in shown.values()], color="#3b6ea5")
    left.axhline(1, color="black", linewidth=0.8)
    left.set_title("speed-up over exact (CPU)")
    right.bar(list(shown), [100 * one["rate"] for one in shown.values()], color="#3b6ea5", label="suffice")
    there = {name: one["pilotdb"]["rate"] for name, one in shown.items() if "rate" in one.get("pilotdb", {})}
    right.scatter(
        list(there), [100 * rate for rate in there.values()], color="#c0504d", marker="_", s=400, label="PilotDB"
    )
    right.set_title("share of the table read, %")
    right.set_yscale("log")
    right.legend(loc="center left")
    for axes in (left, right):
        axes.tick_params(axis="x", rotation=60)
    rows = [look["rows"] / 1e3 for look in looks]
    last.fill_between(rows, [100 * look["low"] for look in looks], [100 * look["high"] for look in looks], alpha=0.3)
    last.axhline(0, color="black", linewidth=0.8)
    last.set_title("Q6 streamed: interval, % off")
    last.set_xlabel("thousand rows read")
    figure.tight_layout()
    figure.savefig(target, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--queries", nargs="*", help="of --only, as Q1 Q90; the others stay as they were measured")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--parquet", type=Path, help="TPC-H as Parquet files, to make the database of")
    parser.add_argument("--pilotdb", nargs=2, metavar=("CHECKOUT", "PYTHON"), help="ask PilotDB the same")
    parser.add_argument("--folder", type=Path, default=HERE / "out")
    parser.add_argument("--ask", nargs=3, metavar=("FILE", "SQL", "SEED"), help=argparse.SUPPRESS)
    parser.add_argument("--always", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.ask:
        ask(Path(asked.ask[0]), asked.ask[1], int(asked.ask[2]), asked.always)
        return
    with tempfile.TemporaryDirectory() as kept_facts:
        os.environ["XDG_CACHE_HOME"] = kept_facts
        measure_all(asked)


def measure_all(asked: argparse.Namespace) -> None:
    suffix = "" if asked.scale == 1 else f"_{asked.scale:g}"
    target = HERE / "results" / "tables.json"
    kept = json.loads(target.read_text()) if target.exists() else {}
    for name in [asked.only] if asked.only else PARTS:
        if name == "cold":
            add_cold(kept, suffix, asked)
        elif name == "folder":
            kept[name + suffix] = folder(asked)
        elif name == "first":
            kept["first_interval_ms" + suffix] = first_intervals(make("tpch", asked.scale, asked.folder, asked.parquet))
        else:
            kept[name + suffix] = part(name, asked, kept.get(name + suffix, {}))
        target.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if asked.only in (None, "sums"):
        path = make("tpch", asked.scale, asked.folder, asked.parquet)
        kept["progressive" + suffix] = progressive(path, SUMS["Q6"])
        target.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    shown = {name: kept[name + suffix]["queries"] for name in ("sums", "list") if name + suffix in kept}
    if shown and asked.only in (None, "sums", "list"):
        plot(shown, kept.get("progressive" + suffix, []), HERE.parent / "docs" / "images" / "tables.jpg")


def statements_of(name: str) -> tuple[str, dict[str, str]]:
    """(data, questions by name)."""
    kind = name if name in ("tpcds", "ssb", "hostile") else "tpch"
    if name == "sums":
        return kind, SUMS
    found = queries(kind)
    return kind, {f"Q{number}": found[f"Q{number}"] for number in LIST} if name == "list" else found


def part(name: str, asked: argparse.Namespace, before: dict[str, Any]) -> dict[str, Any]:
    """Measure one set of questions; what PilotDB made of them stays where it is not asked again."""
    kind, statements = statements_of(name)
    known = before.get("queries", {})
    if asked.queries:
        statements = {query: statements[query] for query in asked.queries}
    path = make(kind, asked.scale, asked.folder, asked.parquet)
    results = run(
        path,
        statements,
        asked.runs,
        SCRAMBLES[kind][: 1 if name == "sums" else None],
        always=name in ("sums", "hostile"),
    )
    results = {**known, **results} if asked.queries else results
    peer = {query: one["pilotdb"] for query, one in known.items() if "pilotdb" in one}
    if asked.pilotdb and name in ("sums", "list", "ssb", "hostile"):
        peer = pilotdb(*asked.pilotdb, path, statements, asked.runs)
    for query, found in peer.items():
        results[query]["pilotdb"] = found
    told = {"scale": asked.scale, "cores": os.cpu_count(), "summary": summary(results), "queries": results}
    print(json.dumps(told["summary"], indent=1))
    return told


def add_cold(kept: dict[str, Any], suffix: str, asked: argparse.Namespace) -> None:
    """To what was sampled."""
    path = make("tpch", asked.scale, asked.folder, asked.parquet)
    for name in ("sums", "list"):
        statements, results = statements_of(name)[1], kept[name + suffix]["queries"]
        for query, one in results.items():
            if "finite-sample" in one["tiers"]:
                one["cold"] = cold(path, statements[query], always=name == "sums")
                print(f"{query:8} cold {cold_line(one)}", flush=True)
        kept[name + suffix]["summary"] = summary(results)
    together = [one for name in ("sums", "list") for one in kept[name + suffix]["queries"].values() if "cold" in one]
    print(f"cold, geometric mean of all: {geometric_mean(map(cold_speed_up, together)):.1f}x")


def folder(asked: argparse.Namespace) -> dict[str, Any]:
    """The plain sums over lineitem as a folder of Parquet, in new processes."""
    path = asked.folder / f"parquet_{asked.scale:g}"
    path.mkdir(exist_ok=True)
    with duckdb.connect(str(make("tpch", asked.scale, asked.folder, asked.parquet)), read_only=True) as con:
        for table in ("lineitem", "nation"):
            con.execute(f"COPY {table} TO '{path / table}.parquet' (FORMAT parquet)")
    with suffice.connect(path, progress=False) as con:
        con.scramble("lineitem")
    results = {}
    for name, sql in SUMS.items():
        results[name] = {"cold": cold(path, sql, always=True)}
        print(f"{name:8} folder {cold_line(results[name])}", flush=True)
    return results


def cold_line(one: dict[str, Any]) -> str:
    found = one["cold"]
    return (
        f"{found['ours_ms']:7.1f} / {found['exact_ms']:7.1f} ms = {cold_speed_up(one):5.1f}x"
        f"  {found['ours_bytes'] / 1e6:6.2f} / {found['exact_bytes'] / 1e6:6.1f} MB"
        f"  {bytes_over_rate(one):5.2f} x the rate (to open: {found['ours_opening_bytes'] / 1e6:.2f}"
        f" / {found['exact_opening_bytes'] / 1e6:.2f} MB)"
    )


def bytes_over_rate(one: dict[str, Any]) -> float:
    """Bytes against the exact query's over rows read against its rows."""
    found = one["cold"]
    return float(found["ours_bytes"] / found["exact_bytes"] / (found["ours_rows"] / found["ours_of"]))


if __name__ == "__main__":
    main()
