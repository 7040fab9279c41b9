"""Which internet addresses are public, so that a URL from a stranger cannot make this machine call its own network."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_CLOSED_4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)

_UNICAST_6: Final = IPv6Network("2000::/3")

_CLOSED_6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo (embeds an IPv4 address), ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4 (embeds an IPv4 address)
        "3ffe::/16",  # 6bone, returned
        "3fff::/20",  # documentation
    )
)

_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")


def is_public(address: str) -> bool:
    """Whether a numeric *address* is a public unicast one, also where it carries an IPv4 address inside.

    The tables are the IANA special-purpose registries, read strictly: ``ipaddress.is_global`` lets multicast, NAT64,
    6to4 and IPv4-compatible forms of private addresses pass in some versions of Python.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _is_public_4(parsed) if isinstance(parsed, IPv4Address) else _is_public_6(parsed)


def _is_public_4(address: IPv4Address) -> bool:
    return address.is_global and not any(address in network for network in _CLOSED_4)


def _is_public_6(address: IPv6Address) -> bool:
    if address.ipv4_mapped is not None:
        return _is_public_4(address.ipv4_mapped)
    embedded = IPv4Address(address.packed[12:])
    if address in _NAT64:  # where there is no IPv4, every IPv4 site has such an address
        return _is_public_4(embedded)
    if address.packed[8:12] in _ISATAP and not _is_public_4(embedded):
        return False
    return address in _UNICAST_6 and not any(address in network for network in _CLOSED_6)
