"""At which confidences, and how often, each cell of the coverage lab is run."""

import pytest

LEVELS = [
    (0.8, 40),
    *(pytest.param(level, 400, marks=pytest.mark.coverage) for level in (0.8, 0.9, 0.95, 0.99)),
]
"""(confidence, runs): few runs at the level where failures show best; all levels behind `make coverage`."""
