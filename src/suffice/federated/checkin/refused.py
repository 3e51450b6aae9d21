"""What a replica will not take in."""

from __future__ import annotations


class RefusedError(Exception):
    """Something a device sent that will not be used; the device is told why."""
