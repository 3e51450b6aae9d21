"""Python functions as models: the decorator, and ``CREATE MODEL name USING 'python:…'``."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, overload

from suffice.errors import ModelError, SufficeError, UsageError, nearest
from suffice.models.protocol import Model
from suffice.models.python_declaration import Columns, Declaration
from suffice.models.python_model import PythonModel
from suffice.models.roots import check_inside_roots, current_roots

SETTINGS = tuple(field.name for field in fields(Declaration))


@overload
def model(function: Callable[..., Any], /) -> PythonModel: ...
@overload
def model(
    *,
    inputs: Columns | None = None,
    outputs: Columns | None = None,
    returns: Literal["scalar", "rows"] | None = None,
    batch: bool = False,
    version: str | None = None,
    batch_size: int = 32,
    concurrency: int = 1,
    cost_s: float = 0.001,
    price: float = 0.0,
    rows_max: int | None = None,
    ranges: Mapping[str, tuple[float, float]] = ...,
    name: str | None = None,
) -> Callable[[Callable[..., Any]], PythonModel]: ...
def model(function: Callable[..., Any] | None = None, /, *, name: str | None = None, **declared: Any) -> Any:
    """Make a function callable from SQL, with its answers kept like any model's.

    ``@suffice.model`` alone reads the annotations. Arguments: ``str, int, float, bool, bytes, date, datetime``,
    ``list[T]``, ``dict[K, V]``, ``Literal``, and ``np.ndarray`` or ``suffice.Image`` for a picture (uint8
    ``[height, width, 3]``). Result: any of these but a picture is a scalar; a NamedTuple, dataclass or TypedDict
    is one row of its fields; a list or iterator of those is 0..n rows. Parameters with a default are options.

    With ``batch=True`` every argument is a list (``list[T]``) or a numpy array (``NDArray[np.float64]``) of a
    whole batch, and the result has one element an input.

    Without `version`, answers are kept until the function's own code, constants, closure or globals change;
    functions it calls are not followed (see :func:`~suffice.models.code_version.code_version`).

    Raises:
        UsageError: the columns cannot be read off the annotations and are not given.
    """

    def wrap(inner: Callable[..., Any]) -> PythonModel:
        return PythonModel(inner, Declaration(**declared), name)

    return wrap if function is None else wrap(function)


def python(name: str, locator: str, **options: Any) -> Model:
    """The function ``module.function`` or ``path/to/file.py:function``, decorated with :func:`model` or not.

    **Importing runs the code of that file**, with the rights of this process: only files inside the allowed
    roots (:func:`~suffice.models.roots.allowed_roots`, by default the working folder) are taken. Options are
    those of :class:`~suffice.models.python_declaration.Declaration` and the function's parameters with a default.

    Raises:
        UsageError: no such file, module or function, or outside the roots.
        ModelError: the file raises when it is imported.
    """
    found = _find(f"python:{locator}", locator)
    made = found if isinstance(found, PythonModel) else None
    declared = made.declared if made else Declaration()
    settings = {key: value for key, value in options.items() if key in SETTINGS}
    own = {key: value for key, value in options.items() if key not in SETTINGS}
    return PythonModel(made.function if made else found, replace(declared, **settings), name, own)


def _find(where: str, locator: str) -> Callable[..., Any]:
    file = re.fullmatch(r"(.+\.py):(\w+)", locator)
    dotted = re.fullmatch(r"(\w+(?:\.\w+)*)\.(?!py$)(\w+)", locator)
    if not file and not dotted:
        raise UsageError(f"{where}: expected module.function or path/to/file.py:function")
    module = _load_file(where, Path(file[1]).expanduser()) if file else _load_module(where, dotted[1])  # type: ignore[index]
    name = (file or dotted)[2]  # type: ignore[index]
    # What a file merely imports (``from os import system``) was not put there to be called from SQL.
    own = [each for each, value in vars(module).items() if _is_own(value, module.__name__)]
    if name not in own:
        raise UsageError(f"{where}: it defines no function {name!r}{nearest(name, own)}")
    found: Callable[..., Any] = getattr(module, name)
    return found


def _is_own(value: Any, module_name: str) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module_name


def _load_file(where: str, path: Path) -> ModuleType:
    check_inside_roots(where, path)
    if not path.is_file():
        siblings = [str(each) for each in path.parent.glob("*.py")]
        raise UsageError(f"{where}: there is no file {str(path)!r}{nearest(str(path), siblings)}")
    # Without the folder in the name, a file that moves keeps its version.
    module_name = f"_suffice_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and get_type_hints look it up there
    _run(where, lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    return module


def _load_module(where: str, name: str) -> ModuleType:
    top = name.partition(".")[0]
    # Finding a submodule imports its parents, so the outermost is looked at first.
    spec = importlib.util.find_spec(top) if top != "__main__" else None
    if spec is None:
        roots = ", ".join(map(str, current_roots()))
        hint = f"name its file (python:{top}.py:function) in {roots}"
        raise UsageError(f"{where}: no module {top!r} is importable; {hint}")
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    if not places:
        raise UsageError(f"{where}: {top} is part of Python, outside the roots that code may come from")
    for place in places:
        check_inside_roots(where, Path(str(place)))
    module: ModuleType = _run(where, lambda: importlib.import_module(name))
    return module


def _run(where: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except SufficeError:
        raise
    except Exception as error:
        text = str(error).partition("\n")[0]
        raise ModelError(f"{where} raised {type(error).__name__} when imported: {text}") from error
