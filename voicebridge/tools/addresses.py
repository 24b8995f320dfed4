"""Which internet addresses a tool may dial: those of the public internet and no others.

The lists are those of IANA's special-purpose address registries. An IPv6 address that carries an
IPv4 one inside is judged by that one.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


_IN_HOUSE = _networks(
    "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
    "::1/128", "fc00::/7",
)  # fmt: skip
"""What ``allow_private`` opens: loopback, private networks, carrier-grade NAT."""

_NEVER = _networks(
    # "this" network, link-local with the clouds' metadata services, protocol assignments,
    # documentation, the retired 6to4 relays, benchmarks, multicast, reserved and broadcast.
    "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    # Metadata services that some clouds keep inside private ranges.
    "100.100.100.200/32", "fd00:ec2::254/128", "fd20:ce::254/128",
    # Protocol assignments with Teredo, documentation, 6to4.
    "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)  # fmt: skip

_GLOBAL_V6 = IPv6Network("2000::/3")
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")


def may_dial(text: str, *, private: bool = False) -> bool:
    """Tell whether a tool may dial an address; ``private`` allows those of one's own network.

    What is no address is not dialled.
    """
    try:
        address = _innermost(ip_address(text.partition("%")[0]))
    except ValueError:
        return False
    if "%" in text or _within(address, _NEVER):  # a zone belongs to link-local addresses
        return False
    if _within(address, _IN_HOUSE):
        return private
    return isinstance(address, IPv4Address) or address in _GLOBAL_V6


def _innermost(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one leads to, where it does."""
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks if network.version == address.version)
