from __future__ import annotations

import datetime
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import pytest

from suffice.errors import ModelError, UsageError
from suffice.models.code_version import code_version
from suffice.models.protocol import Column, Image, Model
from suffice.models.python import model, python
from suffice.models.python_declaration import Declaration
from suffice.models.python_model import PythonModel
from suffice.models.roots import allowed_roots


def ask(asked: Model, *arguments: Any) -> list[Any]:
    return list(asked.predict([asked.prepare(*(each if isinstance(each, tuple) else (each,))) for each in arguments]))


def columns(asked: Model) -> tuple[list[tuple[str, str]], list[tuple[str, str]], str]:
    signature = asked.signature
    return [tuple(each) for each in signature.inputs], [tuple(each) for each in signature.outputs], signature.returns


class Word(NamedTuple):
    word: str
    length: int


@dataclass
class Score:
    good: bool
    share: float


class Place(TypedDict):
    name: str
    at: list[float]


@model
def shout(text: str, mark: str = "!") -> str:
    """Louder."""
    return text.upper() + mark


def test_a_function_stays_one_and_becomes_a_model() -> None:
    assert shout("a") == "A!"
    assert (shout.__name__, shout.__doc__) == ("shout", "Louder.")
    assert isinstance(shout, Model)
    assert columns(shout) == ([("text", "VARCHAR")], [("value", "VARCHAR")], "scalar")
    assert ask(shout, "a", "b") == [[("A!",)], [("B!",)]]


def brightness(image: Image) -> float:
    return float(image.mean())


def any_array(image: np.ndarray) -> int:  # type: ignore[type-arg]
    return image.shape[0]


def words(text: str) -> list[Word]:
    return [Word(word, len(word)) for word in text.split()]


def lazily(text: str) -> Iterator[Place]:
    for word in text.split():
        yield {"at": [1.0], "name": word}


def letters(text: str) -> Iterator[str]:
    yield from text


def score(number: int, limit: float | None) -> Score:
    return Score(number > (limit or 0), 0.5)


def vector(text: str) -> npt.NDArray[np.float32]:
    return np.arange(len(text), dtype=np.float32)


def mapping(day: datetime.date, flags: list[bool], kind: Literal["a", "b"]) -> dict[str, int]:
    return {kind: day.year, "n": len(flags)}


@pytest.mark.parametrize(
    ("function", "inputs", "outputs", "returns", "arguments", "rows"),
    [
        (brightness, ["IMAGE"], [("value", "DOUBLE")], "scalar", np.full((2, 2, 3), 4, np.uint8), [(4.0,)]),
        (any_array, ["IMAGE"], [("value", "BIGINT")], "scalar", np.zeros((2, 1, 3), np.uint8), [(2,)]),
        (words, ["VARCHAR"], [("word", "VARCHAR"), ("length", "BIGINT")], "rows", "a bc", [("a", 1), ("bc", 2)]),
        (lazily, ["VARCHAR"], [("name", "VARCHAR"), ("at", "DOUBLE[]")], "rows", "x", [("x", [1.0])]),
        (letters, ["VARCHAR"], [("value", "VARCHAR")], "rows", "ab", [("a",), ("b",)]),
        (score, ["BIGINT", "DOUBLE"], [("good", "BOOLEAN"), ("share", "DOUBLE")], "scalar", (1, None), [(True, 0.5)]),
        (vector, ["VARCHAR"], [("value", "DOUBLE[]")], "scalar", "ab", [([0.0, 1.0],)]),
        (
            mapping,
            ["DATE", "BOOLEAN[]", "VARCHAR"],
            [("value", "MAP(VARCHAR, BIGINT)")],
            "scalar",
            (datetime.date(2026, 1, 1), [True], "a"),
            [({"a": 2026, "n": 1},)],
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_columns_come_from_annotations(
    function: Callable[..., Any], inputs: Any, outputs: Any, returns: str, arguments: Any, rows: Any
) -> None:
    made = model(function)
    assert [column.type for column in made.signature.inputs] == inputs
    assert columns(made)[1:] == (outputs, returns)
    assert ask(made, arguments) == [rows]


def test_columns_given_by_hand() -> None:
    @model(inputs=["VARCHAR"], outputs={"word": "VARCHAR", "n": "INTEGER"}, returns="rows", name="pairs")
    def untyped(text):  # type: ignore[no-untyped-def]
        return [(word, len(word)) for word in text.split()]

    assert columns(untyped) == ([("text", "VARCHAR")], [("word", "VARCHAR"), ("n", "INTEGER")], "rows")
    assert untyped.signature.name == "pairs"
    assert ask(untyped, "a bc") == [[("a", 1), ("bc", 2)]]

    @model(inputs={"x": "DOUBLE"}, outputs="DOUBLE")
    def double(number):  # type: ignore[no-untyped-def]
        return number * 2

    assert columns(double) == ([("x", "DOUBLE")], [("value", "DOUBLE")], "scalar")
    assert ask(double, 2.0) == [[(4.0,)]]


def test_batches_as_lists_and_arrays() -> None:
    calls = []

    @model(batch=True, batch_size=64, version="1")
    def norms(xs: npt.NDArray[np.float64], names: list[str]) -> list[Word]:
        calls.append(type(xs))
        return [Word(name, int(x)) for x, name in zip(xs, names, strict=True)]

    @model(batch=True, version="1")
    def halves(xs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return xs / 2

    @model(batch=True, version="1")
    def split(texts: list[str]) -> list[list[Word]]:
        return [words(text) for text in texts]

    assert columns(norms) == (
        [("xs", "DOUBLE"), ("names", "VARCHAR")],
        [("word", "VARCHAR"), ("length", "BIGINT")],
        "scalar",
    )
    assert ask(norms, (1.0, "a"), (2.0, "b")) == [[("a", 1)], [("b", 2)]]
    assert calls == [np.ndarray]
    assert ask(halves, 1.0, 3.0) == [[(0.5,)], [(1.5,)]]
    assert columns(split)[2] == "rows"
    assert ask(split, "a b", "") == [[("a", 1), ("b", 1)], []]


def test_one_bad_input_fails_alone() -> None:
    @model
    def inverse(x: int) -> float:
        return 1 / x

    @model(batch=True)
    def inverses(xs: list[int]) -> list[float]:
        return [1 / x for x in xs]

    for made in (inverse, inverses):
        first, second, third = ask(made, 1, 0, 2)
        assert (first, third) == ([(1.0,)], [(0.5,)])
        assert isinstance(second, ModelError)
        assert str(second) == f"{made.signature.name} raised ZeroDivisionError: division by zero"
        assert isinstance(second.__cause__, ZeroDivisionError)


def returning(value: Any, outputs: Any = None, **declared: Any) -> str:
    @model(inputs=["VARCHAR"], outputs=outputs or {"label": "VARCHAR", "score": "DOUBLE"}, version="1", **declared)
    def answer(text):  # type: ignore[no-untyped-def]
        return value

    [failed] = ask(answer, "x")
    assert isinstance(failed, ModelError), failed
    assert "\n" not in str(failed)
    return str(failed)


def test_what_does_not_fit_the_declaration_names_function_column_expected_and_got() -> None:
    rows: Any = {"returns": "rows"}
    assert returning([("a", "high")], **rows) == ("answer, row 0, column 'score': expected DOUBLE, got 'high' (str)")
    assert "expected 2 columns (label, score), got ('a',)" in returning([("a",)], **rows)
    assert "expected columns label, score, got label, scor" in returning([{"label": "a", "scor": 1.0}], **rows)
    assert "expected a list of rows, got 3 (int)" in returning(3, **rows)
    assert "expected a list of rows, got None" in returning(None, **rows)
    assert "column 'value': expected BIGINT, got 1.5 (float)" in returning(1.5, "BIGINT")
    assert "expected 1 results, one an input, got 2" in returning([1, 2], "BIGINT", batch=True)
    assert "expected a list of 1 results, got 1 (int)" in returning(1, "BIGINT", batch=True)


def no_types(text):  # type: ignore[no-untyped-def]
    return text


def odd_types(text: str, thing: Path) -> str:
    return text


def no_result(text: str) -> None:
    return None


def no_inputs() -> str:
    return ""


async def later(text: str) -> str:
    return text


def keyword_only(*, text: str) -> str:
    return text


def unknown(text: Missing) -> str:  # type: ignore[name-defined] # noqa: F821
    return text


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_types, "no_types: parameter 'text' has no annotation"),
        (odd_types, "odd_types: parameter 'thing' is annotated .*Path.*give inputs="),
        (no_result, "no_result: its result is"),
        (no_inputs, "no_inputs takes no input"),
        (later, "later is async"),
        (keyword_only, "keyword_only: parameter 'text' must be positional"),
        (unknown, "unknown: its annotations cannot be read .*Missing"),
    ],
)
def test_declarations_that_say_nothing(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model(function)


def test_declared_types_are_checked() -> None:
    with pytest.raises(UsageError, match="no_types, outputs: 'DUBLE' is not a column type"):
        model(inputs=["VARCHAR"], outputs="DUBLE")(no_types)
    with pytest.raises(UsageError, match="inputs declares 2 columns for 1 parameters"):
        model(inputs=["VARCHAR", "VARCHAR"], outputs="DOUBLE")(no_types)


def version_of(source: str, **names: Any) -> str:
    scope = dict(names)
    exec(compile(textwrap.dedent(source), "<test>", "exec"), scope)
    return PythonModel(scope["f"], Declaration(inputs=["VARCHAR"], outputs="VARCHAR")).signature.version


BASE = """
def f(text):
    return text + "a"
"""


def test_the_version_ignores_how_code_is_written() -> None:
    documented = """
    # a comment

    def f(text):
        "What it does."

        return text + "a"  # here
    """
    assert version_of(BASE) == version_of(BASE) == version_of(documented)


@pytest.mark.parametrize(
    "other",
    [
        'def f(text):\n    return text + "b"',
        'def f(text):\n    return "a" + text',
        'def f(text, end="a"):\n    return text + end',
        'def f(text):\n    return (lambda: text + "b")()',
    ],
)
def test_the_version_follows_the_code(other: str) -> None:
    assert version_of(BASE) != version_of(other)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, 2),
        ([1, {"a": {2}}], [1, {"a": {3}}]),
        (np.zeros(2), np.ones(2)),
        (Score(True, 1.0), Score(True, 2.0)),
        (shout, model(words)),
        (str.upper, str.lower),
    ],
)
def test_the_version_follows_globals_and_closures(one: Any, two: Any) -> None:
    reads_global = "def f(text):\n    return text, LIMIT"
    assert version_of(reads_global, LIMIT=one) == version_of(reads_global, LIMIT=one)
    assert version_of(reads_global, LIMIT=one) != version_of(reads_global, LIMIT=two)
    closes_over = "def make(limit):\n    def f(text):\n        return text, limit\n    return f\nf = make(LIMIT)"
    assert version_of(closes_over, LIMIT=one) != version_of(closes_over, LIMIT=two)


def test_the_version_survives_a_warm_interpreter() -> None:
    """CPython rewrites the bytecode of functions that run often; the version is of the code as compiled."""
    scope: dict[str, Any] = {}
    exec("def f(x):\n    return x + 1 if x > 0 else len(str(x))", scope)
    before = code_version(scope["f"])
    for number in range(5000):
        scope["f"](number)
    assert code_version(scope["f"]) == before


def test_sets_of_text_hash_alike_in_every_process() -> None:
    """Text hashes differ from process to process, and with them the order of a set."""
    import subprocess
    import sys

    code = "from suffice.models.code_version import code_version as v; print(v(lambda x: x in {'a', 'b', 'c', 'd'}))"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(3)}
    assert len(runs) == 1


def test_an_object_that_cannot_be_told_needs_a_version() -> None:
    class Network:
        pass

    network = Network()

    def classify(text: str) -> str:
        return str(network)

    with pytest.raises(UsageError, match=r"classify reads 'network', a .*Network whose content cannot be told"):
        model(classify)
    assert model(version="7")(classify).signature.version == "7"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


SOURCE = """
from __future__ import annotations
from dataclasses import dataclass
from os import system
import suffice.models.python as sp

@dataclass
class Word:
    word: str
    length: int

def words(text: str, least: int = 0) -> list[Word]:
    return [Word(word, len(word)) for word in text.split() if len(word) >= least]

@sp.model(batch_size=5)
def shout(text: str) -> str:
    return text.upper()
"""


def test_the_runner_takes_functions_of_files_and_modules(folder: Path) -> None:
    (folder / "mine_for_test.py").write_text(SOURCE)
    for locator in ("mine_for_test.py:words", str(folder / "mine_for_test.py:words"), "mine_for_test.words"):
        made = python("split", locator, least=2, batch_size=3)
        assert (made.signature.name, made.signature.batch_size) == ("split", 3)
        assert made.signature.outputs == (Column("word", "VARCHAR"), Column("length", "BIGINT"))
        assert made.signature.options == {"least": 2}
        assert ask(made, "a bc def") == [[("bc", 2), ("def", 3)]]
    loud = python("loud", "mine_for_test.py:shout")
    assert loud.signature.batch_size == 5
    assert ask(loud, "a") == [[("A",)]]


def test_a_changed_file_is_a_new_version(folder: Path) -> None:
    path = folder / "mine.py"
    path.write_text("def f(x: int) -> int:\n    return x + 1\n")
    before = python("f", "mine.py:f")
    path.write_text("def f(x: int) -> int:\n    return x + 2\n")
    after = python("f", "mine.py:f")
    assert before.signature.version != after.signature.version
    assert (ask(before, 1), ask(after, 1)) == ([[(2,)]], [[(3,)]])


@pytest.mark.parametrize(
    ("locator", "options", "message"),
    [
        ("mine.py:wrods", {}, r"defines no function 'wrods' \(did you mean 'words'"),
        ("mine.py:system", {"inputs": ["VARCHAR"], "outputs": "BIGINT"}, "defines no function 'system'"),
        ("mien.py:words", {}, r"there is no file 'mien.py' \(did you mean 'mine.py'"),
        ("mine.py", {}, "expected module.function or path/to/file.py:function"),
        ("/etc/passwd.py:f", {}, "outside the roots"),
        ("../mine.py:f", {}, "outside the roots"),
        ("os.getcwd", {"inputs": ["VARCHAR"], "outputs": "VARCHAR"}, "outside the roots"),
        ("sys.exit", {"inputs": ["BIGINT"], "outputs": "VARCHAR"}, "outside the roots"),
        ("subprocess.run", {"inputs": ["VARCHAR"], "outputs": "VARCHAR"}, "outside the roots"),
        ("nowhere_at_all.f", {}, "no module 'nowhere_at_all' is importable"),
        ("mine.py:words", {"leest": 2}, "has no option 'leest' .did you mean 'least'"),
    ],
)
def test_what_the_runner_refuses(folder: Path, locator: str, options: Any, message: str) -> None:
    (folder / "mine.py").write_text(SOURCE)
    with pytest.raises(UsageError, match=message) as caught:
        python("m", locator, **options)
    assert "\n" not in str(caught.value)


def test_roots_bound_where_code_comes_from(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (folder / "mine.py").write_text(SOURCE)
    (other / "theirs.py").write_text(SOURCE)
    (folder / "link.py").symlink_to(other / "theirs.py")
    with pytest.raises(UsageError, match="outside the roots"):
        python("m", "link.py:words")
    with allowed_roots([other]):
        assert ask(python("m", str(other / "theirs.py:words")), "a") == [[("a", 1)]]
        with pytest.raises(UsageError, match="outside the roots"):
            python("m", "mine.py:words")
    with allowed_roots([]), pytest.raises(UsageError, match=r"may come from \(none\)|come from \(none\)"):
        python("m", "mine.py:words")


def test_a_file_that_raises_is_one_line(folder: Path) -> None:
    (folder / "broken.py").write_text("raise RuntimeError('no\\nluck')")
    with pytest.raises(ModelError, match=r"python:broken.py:f raised RuntimeError when imported: no$"):
        python("m", "broken.py:f")
