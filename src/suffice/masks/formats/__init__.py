"""Masks of data sets as files that others write and read, one file a format."""
