"""What a replica will not take in."""

from __future__ import annotations


class RefusedError(Exception):
    """Something a device sent that will not be used; the device is told why."""


class RoundOverError(RefusedError):
    """The round it belongs to has ended, with a new model or without."""
