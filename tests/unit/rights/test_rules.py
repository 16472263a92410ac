"""Rules: what each token may do, and what nobody's token may."""

import pytest

from whipbird.rights import Action, Grant, Rules, RulesError, digest_of

TEXT = f"""
[[tokens]]
name = "studio"
hash = "{digest_of("s3cret")}"
actions = ["publish", "record"]
streams = ["studio-*", "test"]
expires = 2030-01-01T00:00:00Z

[[tokens]]
name = "chief"
hash = "{digest_of("chief")}"
actions = ["admin"]

[anonymous]
actions = ["watch"]
streams = ["public-*"]
"""
EXPIRY = 1893456000.0


@pytest.mark.parametrize(
    ("action", "stream", "expected"),
    [
        (Action.PUBLISH, "studio-1", True),
        (Action.RECORD, "test", True),
        (Action.PUBLISH, "tests", False),
        (Action.PUBLISH, "Studio-1", False),
        (Action.WATCH, "studio-1", False),
        (Action.ADMIN, "studio-1", False),
        (Action.PUBLISH, None, False),
    ],
)
def test_actions_by_stream(action: Action, stream: str | None, expected: bool) -> None:
    grant = Rules.parse(TEXT).find("s3cret", 0)
    assert grant is not None
    assert grant.allows(action, stream) is expected


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("stream", ["any", None])
def test_admin_may_do_everything(action: Action, stream: str | None) -> None:
    grant = Rules.parse(TEXT).find("chief", 0)
    assert grant is not None
    assert grant.allows(action, stream)


def test_expiry() -> None:
    rules = Rules.parse(TEXT)
    assert rules.find("s3cret", EXPIRY - 1)
    assert rules.find("s3cret", EXPIRY) is None


def test_unknown_tokens() -> None:
    rules = Rules.parse(TEXT)
    for token in ("", "s3cre", "s3cret=", "S3CRET", digest_of("s3cret")):
        assert rules.find(token, 0) is None


def test_anonymous() -> None:
    anonymous = Rules.parse(TEXT).anonymous
    assert anonymous is not None
    assert anonymous.allows(Action.WATCH, "public-1")
    assert not anonymous.allows(Action.WATCH, "private")
    assert not anonymous.allows(Action.PUBLISH, "public-1")
    assert Rules.parse("").anonymous is None


def test_one_token_for_everything() -> None:
    grant = Rules({}).and_token("abc").find("abc", 0)
    assert isinstance(grant, Grant)
    assert all(grant.allows(action, None) for action in Action)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[tokens]", "line 1"),
        (TEXT.replace('"admin"', '"root"'), "tokens.1.actions"),
        (TEXT.replace('"test"', '"a b"'), "tokens.0.streams"),
        (TEXT.replace('["admin"]', "[]"), "tokens.1.actions"),
        (TEXT.replace('"chief"', '"studio"'), "studio: .* twice"),
        (TEXT.replace('"chief"', '"anonymous"'), "anonymous: .* twice"),
        (TEXT.replace('"chief"', '"token"'), "token: .* twice"),
        (TEXT.replace("[anonymous]", "[nobody]"), "nobody"),
        (TEXT.replace("00Z", "00"), "expires"),
    ],
)
def test_invalid_rules(text: str, reason: str) -> None:
    with pytest.raises(RulesError, match=reason):
        Rules.parse(text)


def test_a_token_instead_of_its_hash_is_not_shown() -> None:
    with pytest.raises(RulesError) as caught:
        Rules.parse(TEXT.replace(digest_of("chief"), "my-own-token"))
    assert "my-own-token" not in str(caught.value)


STREAMS = """
[[streams]]
names = ["studio-1"]
takeover = false

[[streams]]
names = ["studio-*", "test"]
takeover = true
wait_for_publisher = false
"""


def test_what_holds_for_streams() -> None:
    for rules in (Rules.parse(STREAMS), Rules.parse(STREAMS).and_token("abc")):
        first, second = rules.of_stream("studio-1"), rules.of_stream("studio-2")
        assert first is not None
        assert (first.takeover, first.wait_for_publisher) == (False, None)
        assert second is not None
        assert second is rules.of_stream("test")
        assert (second.takeover, second.wait_for_publisher) == (True, False)
        assert rules.of_stream("other") is None


@pytest.mark.parametrize(
    "text",
    [
        "[[streams]]",
        '[[streams]]\nnames = ["a"]\ntakover = true',
        '[streams]\nnames = "a"',
    ],
)
def test_invalid_rules_of_streams(text: str) -> None:
    with pytest.raises(RulesError, match=r"^streams"):
        Rules.parse(text)
