"""Painting within masks only."""
