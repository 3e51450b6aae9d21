"""Threads on one connection, and two connections to one file in one process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pictures import Brightness, write_picture

import suffice


def test_threads_share_a_connection(tmp_path: Path) -> None:
    for i in range(12):
        write_picture(tmp_path / f"{i}.png", i)
    con, model = suffice.connect(), Brightness()
    con.register("brightness", model)

    def ask(n: int) -> float:
        return con.sql(f"SELECT sum(brightness(image)) FROM images('{tmp_path}/*.png') WHERE {n} = {n}").fetchall()[0][
            0
        ]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(12))) == [66.0] * 12
    assert model.paid == 12


def test_two_connections_to_one_file_pay_once(tmp_path: Path) -> None:
    for i in range(12):
        write_picture(tmp_path / f"{i}.png", i)
    target = tmp_path / "x.suffice"
    connections = [suffice.connect(target), suffice.connect(target)]
    models = [Brightness(), Brightness()]
    for con, model in zip(connections, models, strict=True):
        con.register("brightness", model)

    def ask(con: suffice.Connection) -> float:
        crops = f"SELECT sum(brightness(crop(image, 0, 0, 3, 3))) FROM images('{tmp_path}/*.png')"
        return con.sql(crops).fetchall()[0][0]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, connections)) == [66.0, 66.0]
    assert sum(model.paid for model in models) == 12
