"""Why a query is answered exactly."""

from __future__ import annotations


class NotSampledError(Exception):
    """No honest bound is known for this query on a sample; the message completes "answered exactly: …"."""
