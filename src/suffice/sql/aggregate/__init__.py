"""Aggregate queries taken apart into sums over rows, so that a sample of blocks can answer them."""
