"""Signatures are those of Standard Webhooks, and nothing else passes for one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from itsm.delivery import signing

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
"""The vector that the project publishes in the tests of its own libraries."""


def test_a_message_is_signed_as_the_published_vector_says() -> None:
    assert signing.headers(signing.keys(SECRET), MESSAGE, AT, BODY) == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_the_published_vector_is_taken_for_good_within_five_minutes() -> None:
    headers = signing.headers(signing.keys(SECRET), MESSAGE, AT, BODY)
    for late in (-300, 0, 300):
        assert signing.verify(signing.keys(SECRET), headers, BODY, AT + timedelta(seconds=late)) == MESSAGE


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("webhook-id", "msg_another"),
        ("webhook-timestamp", "1614265331"),
        ("webhook-timestamp", "1614265330.0"),
        ("webhook-timestamp", "-5"),
        ("webhook-timestamp", "٣"),
        ("webhook-timestamp", ""),
        ("webhook-signature", SIGNATURE.removeprefix("v1,")),
        ("webhook-signature", SIGNATURE.replace("v1", "v1a")),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "v1,é"),
        ("webhook-signature", ""),
    ],
)
def test_whatever_is_changed_is_refused(header: str, value: str) -> None:
    headers = {**signing.headers(signing.keys(SECRET), MESSAGE, AT, BODY), header: value}
    with pytest.raises(signing.BadSignature):
        signing.verify(signing.keys(SECRET), headers, BODY, AT)


def test_another_body_and_another_time_are_refused() -> None:
    headers = signing.headers(signing.keys(SECRET), MESSAGE, AT, BODY)
    with pytest.raises(signing.BadSignature):
        signing.verify(signing.keys(SECRET), headers, BODY + b" ", AT)
    with pytest.raises(signing.BadSignature):
        signing.verify(signing.keys(SECRET), headers, BODY, AT + timedelta(seconds=301))


def test_while_a_secret_is_replaced_both_sign_and_either_passes() -> None:
    old, new = SECRET, "whsec_" + base64.b64encode(bytes(32)).decode()
    both = signing.headers(signing.keys(f"{new} {old}"), MESSAGE, AT, BODY)
    assert len(both["webhook-signature"].split()) == 2
    for one in (old, new):
        assert signing.verify(signing.keys(one), both, BODY, AT) == MESSAGE
        alone = signing.headers(signing.keys(one), MESSAGE, AT, BODY)
        assert signing.verify(signing.keys(f"{new} {old}"), alone, BODY, AT) == MESSAGE


@pytest.mark.parametrize("weak", ["whsec_", "hunter2!", "whsec_" + base64.b64encode(b"short").decode(), "whsec_" + "A" * 100])
def test_a_secret_that_is_none_is_refused_without_being_told(weak: str) -> None:
    with pytest.raises(ValueError, match="a secret") as refusal:
        signing.keys(weak)
    assert weak.removeprefix("whsec_") not in str(refusal.value) or weak == "whsec_"
