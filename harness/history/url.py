"""
The address of a database: parsed strictly, and shown without its secrets.

A password may be in an unexpected place: in a mistyped URL, in the query, in the driver's own
message. So an address that cannot be parsed with certainty is refused and not shown at all, and of
a good one only the name of the database is.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from voxgate.harness.errors import HarnessError

EXAMPLE = "sqlite:///FILE or postgresql://USER@HOST/NAME"
POSTGRESQL = "postgresql+psycopg"
KINDS = ("sqlite", POSTGRESQL)
PLAIN = r"[\w./~ -]*|://"
"""Texts that hold no secret: a bare path, or nothing at all."""
OF_SQLITE = ("uri", "mode", "cache", "immutable", "timeout", "vfs", "nolock", "psow")
"""Parameters that an address of SQLite may have."""
HIDDEN = "***"
SHORTEST = 4
"""
Characters of a secret that is removed from a message; with a shorter one the message is not shown
at all.
"""
OPEN = ("connect_timeout", "keepalives", "uri")
"""
Parameters of which a number may be shown in a driver's message; any other value may be a password
in the wrong place.
"""


def parse_url(url: str) -> URL:
    """
    Parse a database's address. Raises HarnessError for anything else, and for a database that the
    history is not tested on.
    """
    try:
        # bytes of the command line that are no text can be in no address, and could not be shown
        url.encode()
        parsed = make_url(url)
        str(parsed).encode()
    except (SQLAlchemyError, ValueError, TypeError):
        raise _no_url(url) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername=POSTGRESQL)
    if _is_odd(parsed):
        raise _no_url(url)
    if parsed.drivername not in KINDS:
        is_plain = re.fullmatch(r"[a-z]{2,12}(\+[a-z0-9]{2,12})?", parsed.drivername)
        kind = parsed.drivername if is_plain else "a database of that kind"
        raise HarnessError(f"no history in {kind}; write {EXAMPLE}")
    if parsed.drivername == "sqlite" and _is_in_memory(parsed):
        raise HarnessError(
            f"{shown(parsed)} is in memory: nothing appended to it is kept; write {EXAMPLE}"
        )
    return parsed


def _is_in_memory(url: URL) -> bool:
    """Return whether SQLite would keep the database in memory, and lose it with the process."""
    database = url.database or ""
    return (
        database in ("", "file:")
        or ":memory:" in database
        or "memory" in (url.query.get("mode"), url.query.get("vfs"))
    )


def shown(url: URL) -> str:
    """Return a URL for display: without password, and without a query, which may hold another."""
    return url.set(query={}).render_as_string(hide_password=True)


def without_secrets(text: str, url: URL) -> str:
    """
    Return a message without the secrets of a URL, however they are written; nothing of it where one
    is very short.
    """
    secrets = sorted(
        {form for secret in _secrets(url) for form in _forms(secret)}, key=len, reverse=True
    )
    for secret in secrets:
        if secret in text and len(secret) < SHORTEST:
            return "the database's answer is not shown, for it may hold the password"
        text = text.replace(secret, HIDDEN)
    return text


def _is_odd(url: URL) -> bool:
    """
    Return whether a part holds characters of another: a typing error, after which a password may be
    anywhere.
    """
    if url.drivername == "sqlite":
        foreign = [
            part for part in (url.username, url.password, url.host, url.port) if part is not None
        ]
        return (
            bool(foreign) or "://" in (url.database or "") or not set(url.query) <= set(OF_SQLITE)
        )
    names = [url.username or "", url.host or "", url.database or "", *url.query]
    return any(re.search(r"[@:/?#\s]", name) for name in names) and not _is_address(url, names)


def _is_address(url: URL, names: list[str]) -> bool:
    """Return whether the only oddity is a host given as an IPv6 address."""
    host = url.host or ""
    others = [name for name in names if name != host]
    return re.fullmatch(r"[0-9a-fA-F:.]+", host) is not None and not any(
        re.search(r"[@:/?#\s]", other) for other in others
    )


def _secrets(url: URL) -> Iterator[str]:
    if url.password is not None:
        yield str(url.password)
    for name, value in url.query.items():
        values = (value,) if isinstance(value, str) else value
        yield from (value for value in values if name not in OPEN or not value.isdigit())


def _forms(secret: str) -> set[str]:
    """
    Return a secret in every form in which it may be written: plain, quoted for a URL, as a literal,
    on one line.
    """
    forms = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        repr(secret)[1:-1],
        " ".join(secret.split()),
    }
    return {form for form in forms if form}


def _no_url(url: str) -> HarnessError:
    what = repr(url) if re.fullmatch(PLAIN, url) else "what --history or VOXGATE_HISTORY names"
    advice = (
        ""
        if re.fullmatch(PLAIN, url)
        else " (not shown: it may hold a password; write its odd letters as %XX)"
    )
    return HarnessError(f"{what} is no database URL; write {EXAMPLE}{advice}")
