from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import (
    BadCredentials,
    InsufficientResource,
    NotSent,
    NovitaNotFound,
    NovitaRefused,
    NovitaUnavailable,
    OutcomeUnknown,
)
from bot.novita.answers import Answer, Malformed, complaint_of, retry_after_of, shown
from bot.novita.refusals import Effect, error_of

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HTML = "<html><body>Bad gateway</body></html>"


def kratos(status: int, reason: str, message: str = "no") -> str:
    return json.dumps({"code": status, "reason": reason, "message": message, "metadata": {}})


def error(status: int, body: str = "", effect: Effect = Effect.NONE, **kwargs):
    return error_of(Answer(status_code=status, began_at=AT, body=body.encode(), **kwargs), effect)


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_2xx_is_no_error(status: int) -> None:
    assert error(status, HTML) is None


class TestKinds:
    @pytest.mark.parametrize(
        ("status", "body", "kind", "code"),
        [
            (400, kratos(400, "INSUFFICIENT_RESOURCE"), InsufficientResource, "INSUFFICIENT_RESOURCE"),
            (403, kratos(403, "INSUFFICIENT_RESOURCE"), InsufficientResource, "INSUFFICIENT_RESOURCE"),
            (400, kratos(400, "REQUEST", "start instance error"), InsufficientResource, "REQUEST"),
            (400, '{"message":"Insufficient resource"}', InsufficientResource, "INSUFFICIENT_RESOURCE"),
            (
                400,
                kratos(400, "BALANCE_NOT_ENOUGH", "insufficient balance"),
                NovitaRefused,
                "BALANCE_NOT_ENOUGH",
            ),
            (400, kratos(400, "VALIDATOR_PARAM"), NovitaRefused, "VALIDATOR_PARAM"),
            (400, kratos(400, "IMAGE_NOT_FOUND", "image not found"), NovitaRefused, "IMAGE_NOT_FOUND"),
            (404, "", NovitaNotFound, "NOT_FOUND"),
            (404, "instance not found", NovitaNotFound, "NOT_FOUND"),
            (404, kratos(404, "RESOURCE_NOT_FOUND"), NovitaNotFound, "RESOURCE_NOT_FOUND"),
            (400, kratos(400, "RESOURCE_NOT_FOUND"), NovitaNotFound, "RESOURCE_NOT_FOUND"),
            (400, kratos(400, "TEMPLATE_NOT_FOUND"), NovitaNotFound, "TEMPLATE_NOT_FOUND"),
            (400, '{"message":"template not found"}', NovitaNotFound, "NOT_FOUND"),
            (404, "404 page not found", NovitaRefused, "NOVITA_API_ERROR"),
            (404, HTML, NovitaRefused, "NOVITA_API_ERROR"),
            (401, "", BadCredentials, "UNAUTHORIZED"),
            (401, kratos(401, "UNAUTHORIZED"), BadCredentials, "UNAUTHORIZED"),
            (403, kratos(403, "INVALID_API_KEY"), BadCredentials, "INVALID_API_KEY"),
            (403, HTML, BadCredentials, "UNAUTHORIZED"),
            (400, kratos(400, "MISSING_API_KEY"), BadCredentials, "MISSING_API_KEY"),
            (403, kratos(403, "NOT_ENOUGH_BALANCE"), NovitaRefused, "NOT_ENOUGH_BALANCE"),
            (403, '{"message":"GPU quota exceeded"}', NovitaRefused, "NOVITA_API_ERROR"),
            (
                400,
                '{"error":{"code":"CREATE_GPU_NUM_LIMIT","message":"x"}}',
                NovitaRefused,
                "CREATE_GPU_NUM_LIMIT",
            ),
            (422, '{"error":"too big"}', NovitaRefused, "NOVITA_API_ERROR"),
        ],
    )
    @pytest.mark.parametrize("effect", list(Effect))
    def test_a_definite_4xx_is_refused_whatever_was_called(self, status, body, kind, code, effect) -> None:
        refused = error(status, body, effect)
        assert type(refused) is kind
        assert (refused.code, refused.status_code) == (code, status)

    @pytest.mark.parametrize("status", [302, 408, 409, 425, 500, 502, 503, 504])
    @pytest.mark.parametrize("body", ["", HTML, kratos(500, "UNKNOWN"), kratos(400, "INSUFFICIENT_RESOURCE")])
    def test_any_other_answer_leaves_a_change_unknown(self, status, body) -> None:
        assert type(error(status, body, Effect.CHANGE)) is OutcomeUnknown
        assert type(error(status, body)) is NovitaUnavailable

    @pytest.mark.parametrize("effect", list(Effect))
    def test_novitas_own_429_was_certainly_not_taken(self, effect) -> None:
        wait = timedelta(seconds=7)
        limited = error(429, kratos(429, "RATE_LIMIT_EXCEEDED"), effect, retry_after=wait)
        assert type(limited) is NotSent
        assert (limited.code, limited.status_code, limited.retry_after) == ("RATE_LIMIT_EXCEEDED", 429, wait)

    @pytest.mark.parametrize("body", ["", HTML, "slow down", '{"message":"API rate limit exceeded"}'])
    def test_somebody_elses_429_leaves_a_change_unknown(self, body) -> None:
        assert type(error(429, body, Effect.CHANGE)) is OutcomeUnknown
        limited = error(429, body, retry_after=timedelta(seconds=3))
        assert type(limited) is NovitaUnavailable
        assert limited.retry_after == timedelta(seconds=3)

    def test_an_invalid_state_change_has_a_code_of_its_own(self) -> None:
        refused = error(400, kratos(400, "REQUEST", "Invalid state change: exited"), Effect.CHANGE)
        assert type(refused) is NovitaRefused
        assert refused.code == "INVALID_STATE_CHANGE"


class TestMessages:
    @pytest.mark.parametrize(
        "body",
        [
            kratos(400, "X_Y", "disk too\n  small"),
            '{"message":"disk too small"}',
            '{"msg":"disk too small"}',
            '{"error":{"message":"disk too small","code":400}}',
            '{"error":"disk too small"}',
            "disk too small",
        ],
    )
    def test_novitas_words_are_found_in_every_form(self, body) -> None:
        assert str(error(400, body)) == "Novita says: disk too small"

    @pytest.mark.parametrize(
        "body", ["", HTML, "[1]", '{"message":5}', '{"reason":"not a word"}', '{"error":{}}']
    )
    def test_without_words_the_status_is_told(self, body) -> None:
        assert str(error(400, body)) == "Novita answered with HTTP 400."

    def test_secrets_are_taken_out_before_it_is_cut(self) -> None:
        answer = Answer(
            status_code=400, began_at=AT, body=("x" * 290 + " env TOKEN=hunter2hunter2 abc").encode()
        )
        message = str(error_of(answer, Effect.CHANGE, ("hunter2hunter2", "", "abc")))
        assert "hunter" not in message
        assert message.endswith("…")

    def test_a_bad_key_is_never_quoted(self) -> None:
        assert "sk_live" not in str(error(401, kratos(401, "UNAUTHORIZED", "key sk_live_1 is unknown")))

    def test_an_answer_over_the_cap_is_an_answer_without_words(self) -> None:
        too_long = Answer(status_code=400, began_at=AT, body=None)
        assert str(error_of(too_long, Effect.NONE)) == "Novita answered with HTTP 400."
        with pytest.raises(Malformed):
            too_long.parsed()


def test_shown_text_is_one_printable_line() -> None:
    assert shown(" a\t\x1b[31m\u2028b \n") == "a [31m b"
    assert shown("x" * 300) == "x" * 300
    assert shown("x" * 301) == "x" * 299 + "…"
    assert shown("the key is sekrit.", ("sekrit",)) == "the key is ***."
    assert shown("a is 1", ("1",)) == "a is 1"


@pytest.mark.parametrize("body", [b'{"a":', b"<html>", b"[" * 200_000, b"\xff\xfe"])
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        Answer(status_code=200, began_at=AT, body=body).parsed()


def test_an_empty_body_is_nothing() -> None:
    assert Answer(status_code=200, began_at=AT, body=b" \n").parsed() is None
    assert not complaint_of(Answer(status_code=404, began_at=AT)).is_page


def test_an_answer_is_not_in_its_repr() -> None:
    assert "hunter2" not in repr(Answer(status_code=200, began_at=AT, body=b"hunter2"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("-3", 0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30),
        ("Fri, 20 Nov 2026 12:00:30 -0000", 30),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds) -> None:
    assert retry_after_of(header, AT) == (None if seconds is None else timedelta(seconds=seconds))
