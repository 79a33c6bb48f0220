from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.novita.fields import Flag, Id, Lenient, Moment, Text, Texts, Usd, Verbatim, Whole, Wholes


class Row(Lenient):
    text: Text = ""
    verbatim: Verbatim = ""
    texts: Texts = ()
    whole: Whole = None
    wholes: Wholes = ()
    moment: Moment = None
    usd: Usd = None
    flag: Flag = None


class Owned(Lenient):
    id: Id


def read(field: str, value: object) -> object:
    return getattr(Row.model_validate({field: value}), field)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(value=ANY_JSON, field=st.sampled_from(sorted(Row.model_fields)))
def test_no_json_value_makes_a_field_fail(field: str, value: object) -> None:
    read(field, value)


@pytest.mark.parametrize(
    ("sent", "whole"),
    [
        (16, 16),
        ("16", 16),
        (" 16 ", 16),
        ("62.5", 62),
        (60.0, 60),
        ("-1", -1),
        ("", None),
        (None, None),
        (True, None),
        ("many", None),
        ("NaN", None),
        ("1e999999", None),
        ([1], None),
    ],
)
def test_numbers_may_be_text(sent: object, whole: int | None) -> None:
    assert read("whole", sent) == whole


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("1785600000", datetime(2026, 8, 1, 16, 0, tzinfo=UTC)),
        (1785600000, datetime(2026, 8, 1, 16, 0, tzinfo=UTC)),
        ("1785600000000", datetime(2026, 8, 1, 16, 0, tzinfo=UTC)),
        ("0", None),
        (0, None),
        ("-1", None),
        (-1, None),
        ("", None),
        (None, None),
        ("soon", None),
        (10**17, None),
    ],
)
def test_times_are_unix_seconds_and_zero_is_none(sent: object, moment: datetime | None) -> None:
    assert read("moment", sent) == moment


@pytest.mark.parametrize(
    ("sent", "usd"),
    [
        ("35000", Decimal("0.35")),
        (35000, Decimal("0.35")),
        ("1", Decimal("0.00001")),
        ("0", None),
        (0, None),
        ("-5", None),
        ("", None),
        (None, None),
        ("free", None),
    ],
)
def test_prices_are_sent_in_hundred_thousandths_of_a_dollar(sent: object, usd: Decimal | None) -> None:
    assert read("usd", sent) == usd


@pytest.mark.parametrize(
    ("sent", "flag"),
    [
        (True, True),
        ("true", True),
        (1, True),
        (False, False),
        ("False", False),
        (None, None),
        ("maybe", None),
    ],
)
def test_flags_may_be_text(sent: object, flag: object) -> None:
    assert read("flag", sent) is flag


def test_text_is_trimmed_unless_its_spaces_matter() -> None:
    assert read("text", "  a ") == "a"
    assert read("verbatim", "  a ") == "  a "
    assert read("text", 26) == "26"
    assert read("text", {"status": "running"}) == ""


def test_lists_keep_what_can_be_read_of_them() -> None:
    assert read("texts", ["a", None, "", 3]) == ("a", "3")
    assert read("texts", "a") == ("a",)
    assert read("wholes", ["8888", 22, "x"]) == (8888, 22)
    assert read("wholes", 22) == (22,)
    assert read("texts", None) == ()


@pytest.mark.parametrize(("sent", "identity"), [("a1", "a1"), (107672, "107672"), ("", ""), (None, "")])
def test_ids_are_text_or_numbers(sent: object, identity: str) -> None:
    assert Owned(id=sent).id == identity


@pytest.mark.parametrize("sent", [True, 1.5, ["a1"], {"id": "a1"}])
def test_anything_else_is_no_id(sent: object) -> None:
    with pytest.raises(ValidationError):
        Owned(id=sent)


def test_an_error_does_not_quote_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        Owned(id={"password": "hunter2"})
    assert "hunter2" not in str(caught.value)
