"""Statistics only, no I/O: one file a bound or a sampling design, each with its coverage test."""
