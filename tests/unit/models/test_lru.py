from __future__ import annotations

from suffice.models.lru import Lru


def test_keeps_what_was_used_last() -> None:
    made: list[str] = []
    kept: Lru[str] = Lru(2)

    def ask(key: str) -> str:
        return kept.get(key, lambda: made.append(key) or key.upper())  # type: ignore[func-returns-value]

    assert [ask(key) for key in "abacab"] == ["A", "B", "A", "C", "A", "B"]
    assert made == ["a", "b", "c", "b"]
