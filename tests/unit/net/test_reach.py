"""The addresses that the server sends to before they have sent anything."""

from ipaddress import ip_network

import pytest

from whipbird.net.reach import Reach, is_public

PUBLIC = ["8.8.8.8", "2a00:1450::1", "::ffff:8.8.8.8"]
NOT_PUBLIC = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.1.2.3",
    "::1",
    "fe80::1",
    "fd00:ec2::254",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
]


@pytest.mark.parametrize("address", PUBLIC + NOT_PUBLIC)
def test_a_server_of_a_private_network_checks_all(address: str) -> None:
    assert Reach().includes(address)


@pytest.mark.parametrize("address", PUBLIC + NOT_PUBLIC)
def test_one_with_a_public_address_checks_public_ones(address: str) -> None:
    assert Reach(private=False).includes(address) is (address in PUBLIC)
    assert is_public(address) is (address in PUBLIC)


def test_networks_can_be_left_out() -> None:
    reach = Reach([ip_network("10.1.0.0/16"), ip_network("2a00::/16")])
    assert not reach.includes("10.1.2.3")
    assert not reach.includes("::ffff:10.1.2.3")
    assert not reach.includes("2a00:1450::1")
    assert reach.includes("10.2.2.3")
    assert reach.includes("127.0.0.1")


def test_names_with_a_dot_are_taken_for_public() -> None:
    assert is_public("live.example.org")
    assert not is_public("studio")
