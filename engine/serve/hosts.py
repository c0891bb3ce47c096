"""
Which names a server answers to. A page of any site can have a browser ask a name of its own that it
points to this machine (DNS rebinding); the request then names that site in its Host, and is
refused. An address cannot be pointed anywhere.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import EngineError

HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?")
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """
    The names; with `addresses`, every address besides: the server listens on all that the machine
    has.
    """

    names: frozenset[str] = frozenset({"localhost"})
    addresses: bool = False

    def allow(self, header: str | None) -> bool:
        """
        Whether a request's Host is one of ours. None: HTTP/1.0 without one, which no browser sends.
        """
        if header is None:
            return True
        found = HOST.fullmatch(header)
        if found is None:
            return False
        name = _plain(found["name"])
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
    Return the names of a server that listens on `host`. Raises EngineError for an allowed name that
    is none.
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
    """Write a name or an address in one way."""
    address = _address(name)
    return str(address) if address is not None else name.lower().removesuffix(".")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
