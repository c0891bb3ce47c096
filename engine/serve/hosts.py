"""
The host names that a server accepts, against DNS rebinding.

A page of any site can make a browser request a name of its own that resolves to this machine.
Such a request carries that name in its Host header, and is rejected.
An IP address cannot be rebound.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from voxgate.engine.errors import EngineError

HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?")
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """
    The accepted names; with `addresses` also every IP address, for a server on all interfaces.
    """

    names: frozenset[str] = frozenset({"localhost"})
    addresses: bool = False

    def allow(self, header: str | None) -> bool:
        """
        Return whether a request's Host header is accepted.

        None is accepted: HTTP/1.0 without the header, which no browser sends.
        """
        if header is None:
            return True
        match = HOST.fullmatch(header)
        if match is None:
            return False
        name = _plain(match["name"])
        address = _address(name)
        return name in self.names or (
            address is not None and (self.addresses or address.is_loopback)
        )

    def __str__(self) -> str:
        return ", ".join(
            [
                *sorted(self.names),
                "127.0.0.1",
                "[::1]",
                *(["any address"] if self.addresses else []),
            ]
        )


def hosts_of(host: str, allowed: Iterable[str]) -> Hosts:
    """
    Return the accepted names of a server that listens on `host`.

    Raises: EngineError for an invalid allowed name.
    """
    for name in allowed:
        if HOST.fullmatch(name) is None and _address(name) is None:
            raise EngineError(
                "--allowed-host must be a name or an address without http:// and path, not "
                f"{name!r}"
            )
    named = [
        name if _address(name) is not None else re.sub(r":\d+$", "", name)
        for name in (*allowed, host)
    ]
    names = {"localhost", *(_plain(name) for name in named if name not in EVERYWHERE)}
    return Hosts(names=frozenset(names), addresses=host in EVERYWHERE)


def _plain(name: str) -> str:
    """Return a name or an address in canonical form."""
    address = _address(name)
    return str(address) if address is not None else name.lower().removesuffix(".")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
