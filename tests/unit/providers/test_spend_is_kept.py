"""What calls cost is kept in the store, and caps hold over connections and processes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from loopback_server import Reply, Server

import suffice

GOOD = Reply({"label": "ok"})


def declare(con: suffice.Connection, server: Server, **options: object) -> None:
    given = "".join(f", {name} => {value}" for name, value in options.items())
    con.sql(
        f"CREATE OR REPLACE MODEL judge USING 'http:{server.url}/x'"
        f""" (request => '{{"t": "{{t}}"}}', outputs => 'label VARCHAR', returns => 'scalar'{given})"""
    )


def ask(con: suffice.Connection, start: int, count: int) -> int:
    return len(con.sql(f"SELECT judge('t' || i) FROM range({start}, {start + count}) r(i)"))


def spent(con: suffice.Connection) -> tuple[int, float]:
    (account,) = con.store.summary()["spent"]
    return account["calls"], account["price"]


def test_a_cap_in_calls_holds_over_connections(server: Server, tmp_path: Path) -> None:
    server.replies(GOOD)
    with suffice.connect(tmp_path / "x.suffice") as con:
        declare(con, server, max_calls=5)
        assert ask(con, 0, 3) == 3 and spent(con) == (3, 0)
    with suffice.connect(tmp_path / "x.suffice") as con:
        assert ask(con, 0, 5) == 5 and spent(con)[0] == 5 and len(server.seen) == 5
        with pytest.raises(suffice.SufficeError, match=r"max_calls => 5 is used up \(5 calls"):
            ask(con, 9, 1)
        declare(con, server, max_calls=6)
        assert ask(con, 9, 1) == 1 and spent(con)[0] == 6
        con.sql("DROP MODEL judge")
        assert con.store.summary()["spent"] == []
        declare(con, server, max_calls=2)
        assert ask(con, 20, 2) == 2 and spent(con)[0] == 2


def test_a_cap_in_money_holds_over_processes(server: Server, tmp_path: Path) -> None:
    server.replies(GOOD)
    with suffice.connect(tmp_path / "x.suffice") as con:
        declare(con, server, price_per_input=0.25, max_price=1.0, concurrency=1)
    program = textwrap.dedent(f"""
        import suffice
        with suffice.connect({str(tmp_path / "x.suffice")!r}, progress=False) as con:
            con.sql("SELECT judge('p' || i) FROM range(3) r(i)")
    """)
    subprocess.run([sys.executable, "-c", program], check=True)
    with suffice.connect(tmp_path / "x.suffice") as con:
        assert spent(con) == (3, 0.75)
        with pytest.raises(suffice.SufficeError, match=r"exceed max_price => 1 \(4 calls, 1 spent\)"):
            ask(con, 0, 3)
        assert spent(con) == (4, 1.0) and len(server.seen) == 4


def test_two_connections_count_each_others_calls(server: Server, tmp_path: Path) -> None:
    server.replies(GOOD)
    with suffice.connect(tmp_path / "x.suffice") as one, suffice.connect(tmp_path / "x.suffice") as other:
        declare(one, server, max_calls=4)
        assert ask(one, 0, 1) == 1 and ask(other, 10, 2) == 2 and ask(one, 20, 1) == 1
        for con in (one, other):
            with pytest.raises(suffice.SufficeError, match="max_calls => 4 is used up"):
                ask(con, 30, 1)
        assert spent(one)[0] == spent(other)[0] == len(server.seen) == 4


def test_a_failed_statement_keeps_what_it_paid(server: Server, tmp_path: Path) -> None:
    server.replies(GOOD, GOOD, Reply({"error": "no"}, 403))
    with suffice.connect(tmp_path / "x.suffice") as con:
        declare(con, server, concurrency=1)
        with pytest.raises(suffice.SufficeError, match="403"):
            ask(con, 0, 5)
        assert spent(con)[0] == 2
