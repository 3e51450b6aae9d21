"""What every detector gives, whoever trained it."""

from __future__ import annotations

from suffice.models.protocol import Column

BOX_COLUMNS = tuple(Column(name, "DOUBLE") for name in ("x0", "y0", "x1", "y1"))
"""A box in pixels of the picture."""

DETECTION_COLUMNS = (
    Column("object_id", "INTEGER"),
    Column("label", "VARCHAR"),
    Column("score", "DOUBLE"),
    *BOX_COLUMNS,
)
"""A row a thing, best score first; its box in pixels of the picture."""
