from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from suffice.errors import UsageError
from suffice.models.classify import classify
from suffice.models.options import Option, read_options

KNOWN = {"k": Option(5, 1, 1000), "min_score": Option(0.05, 0.0, 1.0)}


def test_defaults_and_given() -> None:
    assert read_options("tag", KNOWN, {}) == {"k": 5, "min_score": 0.05}
    read = read_options("tag", KNOWN, {"k": Decimal(3), "min_score": 1})
    assert read == {"k": 3, "min_score": 1.0}
    assert [type(value) for value in read.values()] == [int, float]


def test_a_sql_decimal_becomes_the_float_it_spells() -> None:
    assert read_options("tag", KNOWN, {"min_score": Decimal("0.4")})["min_score"] == 0.4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_scroe": 0.5}, "tag has no option 'min_scroe' (did you mean 'min_score'?)"),
        ({"zzz": 1}, "tag has no option 'zzz'; its options are k, min_score"),
        ({"k": "5"}, "tag(k => '5'): expected a whole number from 1 to 1000"),
        ({"k": 2.5}, "tag(k => 2.5): expected a whole number from 1 to 1000"),
        ({"k": True}, "tag(k => True): expected a whole number from 1 to 1000"),
        ({"k": 0}, "tag(k => 0): expected a whole number from 1 to 1000"),
        ({"k": None}, "tag(k => None): expected a whole number from 1 to 1000"),
        ({"min_score": 1.5}, "tag(min_score => 1.5): expected a number from 0.0 to 1.0"),
        ({"min_score": float("nan")}, "tag(min_score => nan): expected a number from 0.0 to 1.0"),
        ({"min_score": Decimal("NaN")}, "tag(min_score => Decimal('NaN')): expected a number from 0.0 to 1.0"),
    ],
)
def test_wrong_options(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        read_options("tag", KNOWN, given)
    assert str(error.value) == message


def test_a_model_without_options_says_so() -> None:
    with pytest.raises(UsageError, match="classify has no option 'k'; it takes none"):
        classify(k=3)
