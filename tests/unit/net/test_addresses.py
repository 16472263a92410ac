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


def adapter(name: str, *ips: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(name=name, nice_name=name, ips=list(ips))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """A machine whose addresses the test chooses."""
    ips = [V4_LOOPBACK, V6_LOOPBACK]
    lone = SimpleNamespace(name="all", nice_name="all", ips=ips)
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [lone])
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


@pytest.fixture
def interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with the interfaces lo, eth0 and wlan0."""
    found = [
        adapter("lo", V4_LOOPBACK, V6_LOOPBACK),
        adapter("eth0", V4, V6, V6_LINK_LOCAL),
        adapter("wlan0", SimpleNamespace(ip="192.0.2.9")),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: found)


@pytest.mark.usefixtures("interfaces")
@pytest.mark.parametrize(
    ("names", "version", "loopback", "expected"),
    [
        ((), None, False, ["198.51.100.7", "2001:db8::7", "192.0.2.9"]),
        (("eth0",), None, False, ["198.51.100.7", "2001:db8::7"]),
        (("wlan0", "eth0"), 4, False, ["198.51.100.7", "192.0.2.9"]),
        ((), 6, False, ["2001:db8::7"]),
        (("lo",), 6, False, ["::1"]),
        (("wlan0",), None, True, ["192.0.2.9", "127.0.0.1", "::1"]),
        (("wlan0",), 6, False, []),
    ],
)
def test_filters(
    names: tuple[str, ...], version: int | None, loopback: bool, expected: list[str]
) -> None:
    addresses = HostAddresses(loopback=loopback, interfaces=names, version=version)
    assert addresses.current() == expected


@pytest.mark.usefixtures("interfaces")
@pytest.mark.parametrize(
    ("names", "version", "said"),
    [
        (
            ("eth0", "eth1"),
            None,
            'there is no network interface named "eth1"; this machine has eth0, lo, '
            "wlan0",
        ),
        (("wlan0",), 6, "wlan0 has no IPv6 address"),
    ],
)
def test_filters_that_leave_nothing(
    names: tuple[str, ...], version: int | None, said: str
) -> None:
    with pytest.raises(OSError, match=f"^{said}$"):
        HostAddresses(interfaces=names, version=version).check()
    HostAddresses(interfaces=names[:1]).check()
