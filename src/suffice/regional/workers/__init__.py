"""Planner and workers: who is told what, and what workers tell each other."""
