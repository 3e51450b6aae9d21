"""A hash of what a Python function does."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import dis
import enum
import functools
import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from suffice.errors import UsageError
from suffice.models.protocol import Signature

PLAIN = (bool, int, float, complex, str, bytes, Decimal, range, slice, datetime.date, datetime.timedelta, np.generic)


def code_version(function: Callable[..., Any]) -> str:
    """A hash of the function's bytecode, constants, defaults, closure and the global values it reads.

    It does not change with comments, line numbers or the docstring. It does change with the Python version, as
    bytecode does. **Functions and classes it calls are known by name only**: when their code changes, or a file
    that the function reads, give a `version` by hand.

    Raises:
        UsageError: it reads an object (a loaded network, an open connection) whose content cannot be told.
    """
    layers = [function]
    while hasattr(layers[-1], "__wrapped__"):
        layers.append(layers[-1].__wrapped__)
    if not isinstance(layers[-1], FunctionType):
        raise UsageError(f"{function!r} is no plain function: give it a version by hand (version='1')")
    digest = hashlib.blake2b(digest_size=8)
    for layer in layers:
        for part in _function_parts(layer) if isinstance(layer, FunctionType) else ():
            digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def _function_parts(function: FunctionType) -> Iterator[str]:
    yield from _code_parts(function.__code__, function.__doc__)
    values = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # an empty cell
            values[name] = cell.cell_contents
    names = _global_names(function.__code__)
    values |= {name: function.__globals__[name] for name in sorted(names) if name in function.__globals__}
    # A function that calls itself is already told by its code.
    values = {name: value for name, value in values.items() if getattr(value, "__wrapped__", value) is not function}
    values |= {"defaults": function.__defaults__, "keyword defaults": function.__kwdefaults__}
    for name, value in values.items():
        try:
            yield f"{name}={_content(value)}"
        except TypeError as error:
            hint = "give @suffice.model a version='…' and change it when that object changes"
            raise UsageError(f"{function.__qualname__} reads {name!r}, {error}: {hint}") from None


def _code_parts(code: CodeType, doc: str | None = None) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_exceptiontable.hex()} {code.co_names} {code.co_varnames}"
    for index, constant in enumerate(code.co_consts):
        if isinstance(constant, CodeType):
            yield from _code_parts(constant)
        elif not (index == 0 and constant == doc):
            yield _content(constant)


def _global_names(code: CodeType) -> set[str]:
    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(_global_names(each) for each in code.co_consts if isinstance(each, CodeType)))


def _content(value: Any) -> str:
    """Text that tells `value` from any other; raises TypeError where there is none."""
    kind = type(value).__qualname__
    if value is None or value is Ellipsis or isinstance(value, PLAIN):
        return f"{kind} {value!r}"
    if isinstance(value, (PurePath, logging.Logger)):
        return f"{kind} {value}"
    if isinstance(value, re.Pattern):
        return f"{kind} {value.pattern!r} {value.flags}"
    if isinstance(value, ModuleType):
        return f"module {value.__name__}"
    if isinstance(getattr(value, "signature", None), Signature):
        return f"model {value.signature.name} {value.signature.version} {_content(dict(value.signature.options))}"
    if type(value).__module__ in ("typing", "types"):
        return repr(value)
    if callable(value) and hasattr(value, "__name__"):
        owner = getattr(value, "__self__", None)
        bound = "" if owner is None or isinstance(owner, (ModuleType, type)) else f" of {_content(owner)}"
        name = getattr(value, "__qualname__", value.__name__)
        return f"{kind} {getattr(value, '__module__', '')}.{name}{bound}"
    return _container_content(kind, value)


def _container_content(kind: str, value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"{kind}({', '.join(map(_content, value))})"
    if isinstance(value, (set, frozenset)):
        return f"{kind}({', '.join(sorted(map(_content, value)))})"
    if isinstance(value, dict):
        return f"{kind}({', '.join(f'{_content(key)}: {_content(item)}' for key, item in value.items())})"
    if isinstance(value, np.ndarray) and value.dtype != object:
        return f"array {value.dtype} {value.shape} {hashlib.blake2b(np.ascontiguousarray(value).data).hexdigest()}"
    if isinstance(value, functools.partial):
        return f"partial {_content(value.func)} {_content(value.args)} {_content(value.keywords)}"
    if isinstance(value, enum.Enum):
        return f"{kind}.{value.name}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"{kind} {_content({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})}"
    raise TypeError(f"a {type(value).__module__}.{kind} whose content cannot be told")
