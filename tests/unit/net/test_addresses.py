"""The addresses of this machine."""

from types import SimpleNamespace

import ifaddr
import pytest

from whipbird.net import HostAddresses, addresses

V4 = SimpleNamespace(ip="198.51.100.7")
V4_LOOPBACK = SimpleNamespace(ip="127.0.0.1")
V6 = SimpleNamespace(ip=("2001:db8::7", 0, 0))
V6_LOOPBACK = SimpleNamespace(ip=("::1", 0, 0))
V6_LINK_LOCAL = SimpleNamespace(ip=("fe80::7", 0, 2))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """A machine whose addresses the test chooses."""
    ips = [V4_LOOPBACK, V6_LOOPBACK]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [SimpleNamespace(ips=ips)])
    return ips


def test_loopback_is_offered_when_there_is_nothing_else(
    machine: list[SimpleNamespace],
) -> None:
    assert HostAddresses().current() == ["127.0.0.1", "::1"]
    machine.append(V6_LINK_LOCAL)
    assert HostAddresses().current() == ["127.0.0.1", "::1"]


def test_loopback_is_offered_beside_others_by_setting(
    machine: list[SimpleNamespace],
) -> None:
    machine.extend([V4, V6])
    assert HostAddresses().current() == ["198.51.100.7", "2001:db8::7"]
    assert HostAddresses(loopback=True).current() == [
        "198.51.100.7",
        "2001:db8::7",
        "127.0.0.1",
        "::1",
    ]


def test_addresses_are_looked_for_again_after_a_while(
    machine: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = HostAddresses()
    assert found.current() == ["127.0.0.1", "::1"]
    machine.append(V4)
    assert found.current() == ["127.0.0.1", "::1"]
    monkeypatch.setattr(addresses, "ADDRESSES_LIFETIME", -1)
    assert found.current() == ["198.51.100.7"]


def test_an_address_on_two_interfaces_is_one_address(
    machine: list[SimpleNamespace],
) -> None:
    machine.extend([V4, V6, V4])
    assert HostAddresses().current() == ["198.51.100.7", "2001:db8::7"]
