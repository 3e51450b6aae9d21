"""Masks that follow things through a video, in memory that does not grow with it."""
