"""A page in a real browser that is listened to. The browser itself comes from conftest.py."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

CONTRASTS = """() => {
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => [r, g, b].map((c) => linear(c / 255))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const numbers = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const poor = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const node = walker.currentNode.parentElement;
    if (!text || !node.offsetParent || node.closest('script, .reader, .skip, [aria-hidden]')) continue;
    const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${node.className} ${text.slice(0, 40)}`);
  }
  return poor;
}"""  # noqa: E501
"""Returns the texts whose contrast with what is behind them is below 4.5."""


USABLE = """() => performance.getEntriesByName('usable')[0]?.startTime
  ?? performance.getEntriesByType('navigation')[0].loadEventEnd"""
"""Returns after how many ms the page that is open could be used."""


@dataclass
class Visit:
    """A page that is open, with everything that it complained of and asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def strangers(self, folder: Path) -> list[str]:
        """What was asked for beyond the files of a folder and what lies in the page itself."""
        own = (folder.resolve().as_uri() + "/", "data:", "blob:")
        return [url for url in self.requests if not url.startswith(own)]

    def open(self, address: str, settled: str | None = None) -> None:
        """Goes there, and waits until the page's script says that it is done, where it has one."""
        self.page.goto("about:blank")
        self.page.goto(address)
        if settled is not None:
            self.page.wait_for_selector(settled, timeout=20_000)


def watched(context: Any) -> Visit:
    """Opens a page and listens to it."""
    found = Visit(page=context.new_page())
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
