"""Embeddings in an index: which of those kept are nearest to a given one. One small protocol, one file an index."""
