"""Which models there are: packaged ones and anyone's package by entry point, those a user bound, Python functions."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from suffice.errors import SufficeError, UsageError, nearest
from suffice.models.protocol import Model
from suffice.models.recipe import Factory, Recipe


class Registry:
    """Finds a model by its SQL name; instances are kept, so weights load once."""

    def __init__(self) -> None:
        installed = entry_points()  # once for both: it reads the metadata of every installed package
        self._packaged: dict[str, EntryPoint] = {e.name: e for e in installed.select(group="suffice.models")}
        self._runners: dict[str, EntryPoint] = {e.name: e for e in installed.select(group="suffice.runners")}
        self._bound: dict[str, Factory] = {}
        self._instances: dict[tuple[str, str], tuple[Recipe, Model]] = {}

    def names(self) -> list[str]:
        return sorted({*self._packaged, *self._bound})

    def runner_names(self) -> list[str]:
        return sorted(self._runners)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._bound or name.lower() in self._packaged

    def model(self, name: str, options: Mapping[str, Any]) -> Model:
        """The model `name` with `options`; raises :class:`UsageError` for a name or option nobody knows."""
        name = name.lower()
        key = (name, repr(sorted(options.items())))
        if key not in self._instances:
            recipe = Recipe(name, self._factory(name), options)
            self._instances[key] = recipe, recipe.build()
        return self._instances[key][1]

    def recipe(self, model: Model) -> Recipe | None:
        """How `model` was made here; None when it was made elsewhere."""
        return next((recipe for recipe, made in self._instances.values() if made is model), None)

    def _factory(self, name: str) -> Factory:
        if name in self._bound:
            return self._bound[name]
        if name not in self._packaged:
            raise UsageError(f"there is no model {name!r}{nearest(name, self.names())}")
        factory: Factory = self._packaged[name].load()
        return factory

    def bind(self, name: str, locator: str, options: Mapping[str, Any]) -> None:
        """``CREATE MODEL name USING 'runner:locator' (options)``; a packaged model's name is its own runner.

        Raises:
            SufficeError: nobody knows the runner, or the model cannot be set up.
        """
        self.bind_later(name, locator, options)
        try:
            self.model(name, {})
        except SufficeError:
            self.unbind(name)
            raise

    def bind_later(self, name: str, locator: str, options: Mapping[str, Any]) -> None:
        """As :meth:`bind`, but what cannot be set up is found at the first call."""
        runner_name, _, place = locator.partition(":")
        if runner_name in self._runners:
            runner = self._runners[runner_name].load()
            self.register(name, lambda **more: runner(name.lower(), place, **{**options, **more}))
        elif locator in self:
            packaged = self._factory(locator.lower())
            self.register(name, lambda **more: packaged(**{**options, **more}))
        else:
            known = [f"{r}:…" for r in self.runner_names()] + self.names()
            raise UsageError(f"CREATE MODEL {name}: no runner or model {runner_name!r}{nearest(runner_name, known)}")

    def register(self, name: str, factory: Factory) -> None:
        """Make `factory` callable as `name` from now on."""
        self._bound[name.lower()] = factory
        self._forget(name)

    def unbind(self, name: str) -> None:
        if self._bound.pop(name.lower(), None) is None:
            raise UsageError(f"there is no model {name!r} to drop{nearest(name, self._bound)}")
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._instances = {key: made for key, made in self._instances.items() if key[0] != name.lower()}
