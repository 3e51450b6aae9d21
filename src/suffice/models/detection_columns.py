"""What every detector gives, whoever trained it."""

from __future__ import annotations

from suffice.models.protocol import Column

DETECTION_COLUMNS = (
    Column("object_id", "INTEGER"),
    Column("label", "VARCHAR"),
    Column("score", "DOUBLE"),
    Column("x0", "DOUBLE"),
    Column("y0", "DOUBLE"),
    Column("x1", "DOUBLE"),
    Column("y1", "DOUBLE"),
)
"""A row a thing, best score first; its box in pixels of the picture."""
