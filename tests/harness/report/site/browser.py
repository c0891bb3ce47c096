"""A page in a real browser that is listened to. The browser itself comes from conftest.py."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@dataclass
class Watched:
    """A page, with everything that it complained of and asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, address: str, settled: str | None = None) -> None:
        """Goes there, and waits until the page's script says that it is done, where it has one."""
        self.page.goto("about:blank")
        self.page.goto(address)
        if settled is not None:
            self.page.wait_for_selector(settled, timeout=20_000)


def watched(context: Any) -> Watched:
    """Opens a page and listens to it."""
    found = Watched(page=context.new_page())
    found.page.on(
        "console",
        lambda message: (
            found.complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on(
        "requestfailed", lambda request: found.complaints.append(f"failed: {request.url}")
    )
    found.page.on("request", lambda request: found.requests.append(request.url))
    return found


def address(folder: Path, name: str) -> str:
    """Gives a file's address as the browser writes it."""
    file, mark, place = name.partition("#")
    return f"{(folder / file).as_uri()}{mark}{place}"
