"""One training stage a file, in the order they run."""
