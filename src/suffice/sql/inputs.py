"""What a call must see, as SQL, and how it is found among what the store keeps."""

from __future__ import annotations

from dataclasses import dataclass

from suffice.store.results import Call


@dataclass(frozen=True)
class Inputs:
    """Inputs of one call: `sql` gives them as ``a0 … an``, and with `by_number` whole blobs' own numbers as ``id``."""

    call: Call
    sql: str
    guards: tuple[str, ...] = ()
    """The predicates that spared others."""
    by_number: bool = False

    @property
    def columns(self) -> str:
        """The arguments, to be selected."""
        return ", ".join(f"n.a{i}" for i in self._width) or "NULL"

    @property
    def needed(self) -> str:
        """``FROM … n WHERE …``: those that a model is called on; a missing value is none."""
        return f"FROM ({self.sql}) n WHERE " + (" AND ".join(f"n.a{i} IS NOT NULL" for i in self._width) or "true")

    @property
    def is_kept(self) -> str:
        """Whether the store has the result of ``n``."""
        same = " AND ".join(f"i.a{n} = n.a{n}" for n in self._width) or "true"
        return f"EXISTS (SELECT 1 FROM {self.call.inputs_table} i WHERE {'i.id = n.id' if self.by_number else same})"

    @property
    def _width(self) -> range:
        return range(len(self.call.signature.inputs))
