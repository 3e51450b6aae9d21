"""Why a query is answered exactly."""

from __future__ import annotations


class NotSampledError(Exception):
    """No honest bound is known for this query on a sample; the message completes "answered exactly: …".

    Args:
        from_metadata: the database knows the answer without reading rows.
        rows: of all tables, where they were counted on the way.
    """

    def __init__(self, message: str, *, from_metadata: bool = False, rows: int | None = None) -> None:
        super().__init__(message)
        self.from_metadata, self.rows = from_metadata, rows
