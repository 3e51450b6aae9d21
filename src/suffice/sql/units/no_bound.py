"""Why a statement cannot be answered from a sample."""

from __future__ import annotations


class NoBoundError(Exception):
    """No honest bound is known for this; the message is the reason, and the statement is answered exactly instead."""
