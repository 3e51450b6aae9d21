"""Statements taken apart into what each unit (frame, picture, page, row) contributes, for answers from a sample."""
