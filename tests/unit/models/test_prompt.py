from __future__ import annotations

import pytest

from suffice.errors import UsageError
from suffice.models.similarity import prompt, words


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


def test_a_picture_is_no_text() -> None:
    with pytest.raises(UsageError, match=r"array_cosine_similarity\(embed"):
        words("img:" + 32 * "a")
    assert words("img: a caption") == "img: a caption"
