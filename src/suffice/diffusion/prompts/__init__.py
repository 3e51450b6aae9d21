"""Prompts to embeddings: weights, any length, clip skip."""
