"""A tool dials the public internet, and its own network only where its file says so."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebridge.tools.addresses import may_dial

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.0", "172.15.255.255",
    "172.32.0.1", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]  # fmt: skip
IN_HOUSE = [
    "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.1.2.3",
    "172.16.0.1", "172.31.255.255", "192.168.0.1", "::1", "fc00::1", "fd12:3456::1",
    "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::192.168.1.1", "64:ff9b::7f00:1",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "192.0.0.1", "192.0.2.1",
    "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "100.100.100.200", "::", "fe80::1",
    "fe80::1%eth0", "1.1.1.1%eth0", "fec0::1", "ff02::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::", "2002:808:808::1", "3fff::1", "fd00:ec2::254", "::127.0.0.1", "::8.8.8.8",
    "::ffff:0:7f00:1", "::ffff:169.254.169.254", "64:ff9b:1::1", "64:ff9b::169.254.169.254",
    "100::1", "5f00::1", "4000::1",
]  # fmt: skip
NO_ADDRESS = ["", "localhost", "2130706433", "0x7f.1", "127.1", "010.0.0.1", "1.1.1.1/8", "::1]"]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_dialled(address: str) -> None:
    assert may_dial(address)


@pytest.mark.parametrize("address", IN_HOUSE)
def test_ones_own_network_is_dialled_only_where_that_is_said(address: str) -> None:
    assert not may_dial(address)
    assert may_dial(address, private=True)


@pytest.mark.parametrize("address", NEVER + NO_ADDRESS)
def test_these_are_never_dialled(address: str) -> None:
    assert not may_dial(address)
    assert not may_dial(address, private=True)


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_as_itself(number: int) -> None:
    plain = str(IPv4Address(number))
    for prefix in (0xFFFF << 32, 0x64FF9B << 96):
        assert may_dial(str(IPv6Address(prefix + number))) == may_dial(plain)


@given(st.ip_addresses())
def test_what_the_standard_library_knows_as_not_global_is_not_dialled(address) -> None:
    address = ip_address(str(address))
    embedded = int(address) >> 32 in {0xFFFF, 0x64FF9B << 64}
    if not embedded and not address.is_global:
        assert not may_dial(str(address))
