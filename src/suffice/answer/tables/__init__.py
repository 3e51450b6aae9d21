"""Aggregates over stored tables with an error bound: what is drawn, how sure it makes, and when that is enough."""
