"""With roots, nothing outside them is read or run; with none, only code is kept to the working folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictures import Brightness, write_picture

import suffice
from suffice.assets import asset_path

CODE = "import suffice\n@suffice.model(version='1')\ndef add_one(x: int) -> int:\n    return x + 1\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    write_picture(root / "in.png", 3)
    write_picture(tmp_path / "out.png", 4)
    for folder in (root, tmp_path):
        (folder / "m.py").write_text(CODE)
        (folder / "table.csv").write_text("x\n1\n")
        (folder / "labels.txt").write_text("a\nb\n")
    (root / "link.csv").symlink_to(tmp_path / "table.csv")
    (root / "link.png").symlink_to(tmp_path / "out.png")
    (tmp_path / "graph.onnx").write_bytes(b"not read")
    return root


@pytest.fixture(params=["memory", "file", "parquet"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "parquet":
        (tmp_path / "tables").mkdir()
        suffice.connect().sql(f"COPY (SELECT 1 AS one) TO '{tmp_path}/tables/t.parquet'")
    return {"memory": ":memory:", "file": str(tmp_path / "x.suffice"), "parquet": str(tmp_path / "tables")}[
        request.param
    ]


def test_nothing_outside_is_read(target: str, root: Path) -> None:
    outside = root.parent
    with suffice.connect(target, roots=[root], progress=False) as con:
        con.register("brightness", Brightness())
        for statement in (
            f"FROM images('{outside}/out.png')",
            f"FROM images('{root}/link.png')",
            f"FROM images('{root}/../out.png')",
            f"FROM texts('{outside}/table.csv')",
            "FROM texts('/etc/passwd')",
            f"FROM read_csv('{outside}/table.csv')",
            f"FROM read_csv('{root}/link.csv')",
            f"FROM read_csv('{root}/../table.csv')",
            f"FROM '{outside}/table.csv'",
            f"FROM glob('{outside}/*')",
            "FROM read_text('/etc/passwd')",
            f"COPY (SELECT 1) TO '{outside}/made.csv'",
            f"ATTACH '{outside}/made.db'",
            "SET enable_external_access = true",
            f"SET allowed_directories = ['{outside}']",
            f"CREATE MODEL m USING 'python:{outside}/m.py:add_one'",
            "CREATE MODEL m USING 'python:os.system'",
            f"CREATE MODEL m USING 'onnx:{outside}/graph.onnx'",
            f"CREATE MODEL m USING 'hf:{outside}'",
        ):
            with pytest.raises(suffice.SufficeError) as caught:
                con.sql(statement)
            assert "\n" not in str(caught.value), statement
    assert not (outside / "made.csv").exists() and not (outside / "made.db").exists()


def test_our_own_work_goes_on_inside(target: str, root: Path) -> None:
    with suffice.connect(target, roots=[root], progress=False) as con:
        con.register("brightness", Brightness())
        assert con.sql(f"SELECT brightness(image) FROM images('{root}/in.png')").fetchall() == [(3,)]
        assert con.sql(f"FROM read_csv('{root}/table.csv')").fetchall() == [(1,)]
        con.sql(f"CREATE MODEL add_one USING 'python:{root}/m.py:add_one'")
        assert con.sql("SELECT add_one(41)").fetchall() == [(42,)]
        assert con.sql(f"SELECT len(classify(image)) > 0 FROM images('{root}/in.png')").fetchall() == [(True,)]
        if target.endswith("tables"):
            assert con.sql("FROM t").fetchall() == [(1,)]
        con.sql("SET memory_limit = '80MB'")
        con.sql("CREATE TEMP TABLE big AS SELECT i, md5(i::VARCHAR) AS h FROM range(2_000_000) r(i) ORDER BY h")
    if target != ":memory:":
        with suffice.connect(target, roots=[root], progress=False) as con:
            assert con.sql("SELECT add_one(41)").work.model_calls["add_one"].cached == 1


def test_what_others_looked_at_stays_out_of_reach(tmp_path: Path, root: Path) -> None:
    target = tmp_path / "x.suffice"
    with suffice.connect(target) as con:
        ((image,),) = con.sql(f"SELECT image FROM images('{tmp_path}/out.png')").fetchall()
    with suffice.connect(target, roots=[root]) as con:
        with pytest.raises(suffice.MediaError, match="gone"):
            con.image(image)
        con.register("brightness", Brightness())
        with pytest.warns(suffice.SufficeWarning, match="1 inputs failed"):
            assert con.sql(f"SELECT brightness('{image}')").fetchall() == [(None,)]


def test_one_process_one_set_of_roots_a_file(tmp_path: Path, root: Path) -> None:
    target = tmp_path / "x.suffice"
    first, second = suffice.connect(target, roots=[root]), suffice.connect(target, roots=[root])
    with first, second, pytest.raises(suffice.SufficeError, match="other roots"):
        suffice.connect(target, roots=[tmp_path])


def test_code_comes_from_the_working_folder(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    con = suffice.connect()
    con.sql("CREATE MODEL add_one USING 'python:m.py:add_one'")
    with pytest.raises(suffice.UsageError, match="outside the roots"):
        con.sql(f"CREATE MODEL other USING 'python:{tmp_path}/m.py:add_one'")


def test_packaged_weights_need_no_root(root: Path) -> None:
    con = suffice.connect(roots=[root])
    con.sql(f"SELECT count(*) FROM images('{root}/in.png') f, detect(f.image) o")
    assert not str(asset_path("pedestrians.mp4")).startswith(str(root))
