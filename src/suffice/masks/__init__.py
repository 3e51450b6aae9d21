"""Prompts to masks, masks to tracks, and both to data sets."""
