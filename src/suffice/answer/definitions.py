"""Views over models, and models made in SQL: kept in the store, shared by all its connections."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field

from suffice.errors import SufficeError, SufficeWarning, UsageError
from suffice.models.registry import Registry
from suffice.sql.statement import CreateModel, DropModel
from suffice.store.database import Database
from suffice.store.ledger import Ledger
from suffice.store.schema import revising, revision


@dataclass
class Definitions:
    """What the store defines, as it was when it was last looked at. `views` are name to SQL."""

    database: Database
    registry: Registry
    views: dict[str, str] = field(default_factory=dict)
    models: dict[str, tuple[str, str]] = field(default_factory=dict)
    revision: dict[str, str] | None = None

    def look_again(self) -> frozenset[str]:
        """Take over what any connection made or dropped since the last look; the names of what changed in ``meta``."""
        import duckdb

        try:
            now = revision(self.database)
        except duckdb.TransactionException:  # a transaction of the user's has failed: let the ROLLBACK through
            return frozenset()
        before, schema = self.revision or {}, self.database.schema
        changed = frozenset(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))
        if not changed:
            return changed
        self.views = {str(name): str(sql) for name, sql in self.database.rows(f"SELECT name, sql FROM {schema}.views")}
        stored = self.database.rows(f"SELECT name, locator, options FROM {schema}.models")
        self._bind({str(name): (str(locator), str(options)) for name, locator, options in stored})
        self.revision = now
        return changed

    def _bind(self, stored: dict[str, tuple[str, str]]) -> None:
        """The models of the store; one whose runner is not installed here must not keep the store from opening."""
        for name in self.models.keys() - stored.keys():
            if name in self.registry:
                self.registry.unbind(name)
        for name, (locator, options) in stored.items():
            if self.models.get(name) != (locator, options):
                try:
                    self.registry.bind_later(name, locator, json.loads(options))
                except SufficeError as error:
                    warnings.warn(str(error), SufficeWarning, stacklevel=2)
        self.models = stored

    def create_view(self, name: str, sql: str, *, replace: bool) -> str:
        """Keep a view; what to tell the user."""
        self._check_free(name, replace)
        schema = self.database.schema
        with revising(self.database):
            self.database.rows(f"DELETE FROM {schema}.views WHERE name = ?", [name])
            self.database.rows(f"INSERT INTO {schema}.views VALUES (?, ?)", [name, sql])
        return f"view {name} created"

    def give_up_view(self, name: str, *, replace: bool) -> None:
        """A view of this name that DuckDB keeps by itself is made: one of ours goes."""
        self._check_free(name, replace)
        if name in self.views:
            self.drop_view(name)

    def _check_free(self, name: str, replace: bool) -> None:
        if name in self.views and not replace:
            raise UsageError(f"the view {name!r} exists already: CREATE OR REPLACE VIEW replaces it")

    def drop_view(self, name: str) -> str:
        """Drop a view of ours; what to tell the user."""
        with revising(self.database):
            self.database.rows(f"DELETE FROM {self.database.schema}.views WHERE name = ?", [name])
        return f"view {name} dropped"

    def create_model(self, statement: CreateModel) -> str:
        """Bind a name to a model; what to tell the user."""
        name, schema = statement.name.lower(), self.database.schema
        if self.database.rows("SELECT 1 FROM duckdb_functions() WHERE function_name = ? LIMIT 1", [name]):
            raise UsageError(f"CREATE MODEL {name}: DuckDB has a function of this name already")
        known = {str(row[0]) for row in self.database.rows(f"SELECT name FROM {schema}.models")}
        if name in known and not statement.replace:
            raise UsageError(f"the model {name!r} exists already: CREATE OR REPLACE MODEL replaces it")
        options = json.dumps(dict(statement.options))
        self.registry.bind(name, statement.locator, statement.options)
        self.models[name] = (statement.locator, options)
        with revising(self.database):
            self.database.rows(f"DELETE FROM {schema}.models WHERE name = ?", [name])
            self.database.rows(f"INSERT INTO {schema}.models VALUES (?, ?, ?)", [name, statement.locator, options])
        return f"model {name} created"

    def drop_model(self, statement: DropModel) -> str:
        """Unbind a name; what to tell the user."""
        name = statement.name.lower()
        if statement.if_exists and name not in self.registry:
            return f"no model {name}"
        self.registry.unbind(name)
        self.models.pop(name, None)
        with revising(self.database):
            self.database.rows(f"DELETE FROM {self.database.schema}.models WHERE name = ?", [name])
            Ledger(self.database).close(name)
        return f"model {name} dropped; its results are kept, suffice store drop removes them"
