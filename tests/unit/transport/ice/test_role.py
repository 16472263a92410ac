"""Roles (RFC 8445 sections 6.1.1, 7.2.5.1 and 7.3.1.1)."""

import random

import pytest

from whipbird.transport.ice.role import Role
from whipbird.transport.stun import StunMessage, binding_request, parse

MAXIMUM = (1 << 64) - 1


def request(*, controlling: bool, tie_breaker: int) -> StunMessage:
    return parse(
        binding_request(
            bytes(12),
            username=b"a:b",
            key=b"",
            priority=1,
            controlling=controlling,
            tie_breaker=tie_breaker,
        )
    )


def role(*, controlling: bool, lite: bool = False) -> Role:
    made = Role(controlling=controlling, lite=lite, rng=random.Random(1))
    made.tie_breaker = 1000
    return made


@pytest.mark.parametrize("controlling", [False, True])
def test_no_conflict(controlling: bool) -> None:
    one = role(controlling=controlling)
    for tie_breaker in (0, MAXIMUM):
        assert one.accepts(
            request(controlling=not controlling, tie_breaker=tie_breaker)
        )
    assert one.controlling is controlling


@pytest.mark.parametrize(
    ("controlling", "theirs", "accepts", "then"),
    [
        # Both controlling: the larger tie-breaker stays, ours when they are equal.
        (True, 999, False, True),
        (True, 1000, False, True),
        (True, 1001, True, False),
        # Both controlled: the larger one switches, ours when they are equal.
        (False, 999, True, True),
        (False, 1000, True, True),
        (False, 1001, False, False),
    ],
)
def test_conflicts(controlling: bool, theirs: int, accepts: bool, then: bool) -> None:
    """RFC 8445 section 7.3.1.1."""
    one = role(controlling=controlling)
    message = request(controlling=controlling, tie_breaker=theirs)
    assert one.accepts(message) is accepts
    assert one.controlling is then


def test_a_refused_role_is_given_up_once() -> None:
    """RFC 8445 section 7.2.5.1; the tie-breaker changes too: section 16.1."""
    one = role(controlling=True)
    one.refused(controlling=True)
    assert not one.controlling
    assert one.tie_breaker != 1000
    # Another check of the same time is refused too.
    one.refused(controlling=True)
    assert not one.controlling


@pytest.mark.parametrize("tie_breaker", [0, MAXIMUM])
def test_a_lite_agent_never_controls(tie_breaker: int) -> None:
    one = role(controlling=True, lite=True)
    assert not one.controlling
    assert not one.accepts(request(controlling=False, tie_breaker=tie_breaker))
    assert one.accepts(request(controlling=True, tie_breaker=tie_breaker))
    assert not one.controlling
