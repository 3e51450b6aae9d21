"""A Python function as a model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any

import numpy as np

from suffice.errors import ModelError, UsageError, nearest
from suffice.models.check import check_rows
from suffice.models.code_version import code_version
from suffice.models.column_type import wrong
from suffice.models.protocol import Row, Signature
from suffice.models.python_declaration import Declaration, read_shape


class PythonModel:
    """A :class:`~suffice.models.protocol.Model` that calls `function`; calling it calls the function as ever.

    Args:
        options: values for parameters that have a default.

    Raises:
        UsageError: the declaration or an option does not fit the function.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        declared: Declaration,
        name: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function, self.declared = function, declared
        name = name or function.__name__
        self.shape = read_shape(function, name, declared)
        for option in options or ():
            if option not in self.shape.defaults:
                raise UsageError(f"{name} has no option {option!r}{nearest(option, self.shape.defaults)}")
        self.options = {**self.shape.defaults, **(options or {})}
        self.signature = Signature(
            name=name,
            version=str(declared.version or code_version(function)),
            inputs=self.shape.inputs,
            outputs=self.shape.result.columns,
            returns=self.shape.result.returns,
            options=self.options,
            batch_size=declared.batch_size,
            concurrency=declared.concurrency,
            cost_s=declared.cost_s,
            price=declared.price,
            rows_max=declared.rows_max,
            ranges=declared.ranges,
        )

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.function(*arguments, **options)

    def prepare(self, *inputs: Any) -> tuple[Any, ...]:
        return inputs

    def predict(self, batch: Sequence[tuple[Any, ...]]) -> list[list[Row] | Exception]:
        """One call an input, or one for the whole batch; when that fails, each input alone, to fail those at fault."""
        if not self.declared.batch:
            return [self._answer(arguments) for arguments in batch]
        try:
            return list(self._answers(batch))
        except Exception as error:
            if len(batch) > 1:
                return [answer for arguments in batch for answer in self.predict([arguments])]
            return [self._failure(error)]

    def _answer(self, arguments: tuple[Any, ...]) -> list[Row] | Exception:
        try:
            return self._rows(self.function(*arguments, **self.options))
        except Exception as error:
            return self._failure(error)

    def _answers(self, batch: Sequence[tuple[Any, ...]]) -> list[list[Row]]:
        columns = zip(*batch, strict=True)
        packed = [
            list(column) if dtype is None else np.asarray(column, dtype)
            for column, dtype in zip(columns, self.shape.arrays, strict=True)
        ]
        results = self.function(*packed, **self.options)
        if not isinstance(results, Iterable):
            raise ModelError(f"{self.signature.name}: {wrong(f'a list of {len(batch)} results', results)}")
        results = results if isinstance(results, Sized) else list(results)
        if len(results) != len(batch):
            raise ModelError(f"{self.signature.name}: expected {len(batch)} results, one an input, got {len(results)}")
        return [self._rows(result) for result in results]

    def _rows(self, result: Any) -> list[Row]:
        if self.signature.returns == "scalar":
            return check_rows(self.signature, [self._row(result)])
        if not isinstance(result, Iterable) or isinstance(result, (str, bytes, Mapping)):
            raise ModelError(f"{self.signature.name}: {wrong('a list of rows', result)}")
        return check_rows(self.signature, [self._row(each) for each in result])

    def _row(self, value: Any) -> Any:
        names = [column.name for column in self.signature.outputs]
        if isinstance(value, Mapping) and (self.shape.result.is_record or set(value) == set(names)):
            if set(value) != set(names):
                raise ModelError(f"{self.signature.name}: expected columns {', '.join(names)}, got {', '.join(value)}")
            return tuple(value[name] for name in names)
        if not self.shape.result.is_record:
            return (value,)
        if hasattr(value, "__dataclass_fields__"):
            return tuple(getattr(value, name, None) for name in names)
        return value

    def _failure(self, error: Exception) -> ModelError:
        if isinstance(error, ModelError):
            return error
        failure = ModelError(f"{self.signature.name} raised {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        failure.__cause__ = error
        return failure
