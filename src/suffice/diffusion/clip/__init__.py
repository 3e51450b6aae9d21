"""Clips in and out: frames from any source, and files that remember how they were made."""
