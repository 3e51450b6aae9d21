from __future__ import annotations

import pytest

from suffice.models.similarity import prompt


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("bus", "a photo of a bus"),
        ("a red bus", "a photo of a red bus"),
        ("The moon", "a photo of The moon"),
        ("another bus", "a photo of a another bus"),
    ],
)
def test_prompt(text: str, caption: str) -> None:
    assert prompt(text) == caption
