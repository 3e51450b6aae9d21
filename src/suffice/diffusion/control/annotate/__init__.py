"""Hints from pictures, without weights."""
