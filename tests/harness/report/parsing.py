"""A page as a browser's parser sees it, for the tests of every kind of page."""

import base64
import hashlib
from html.parser import HTMLParser

LOADING = ("src", "href", "srcset", "action", "data", "poster", "formaction", "background", "ping")
VOID = ("meta", "img", "source", "br", "hr", "link", "input", "col")


class Page(HTMLParser):
    """Elements with their attributes, the text of each, and whether tags were nested properly."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self) -> str:
        return " ".join(
            " ".join(data for tag, data in self.texts if tag not in ("script", "style")).split()
        )

    def ids(self) -> set[str]:
        return {attributes["id"] or "" for _, attributes in self.elements if "id" in attributes}

    def policy(self) -> str:
        (policy,) = [
            meta["content"] or ""
            for meta in self.all("meta")
            if meta.get("http-equiv") == "Content-Security-Policy"
        ]
        return policy

    def addresses(self) -> list[str]:
        """All that the page loads or leads to."""
        return [
            value or ""
            for _, attributes in self.elements
            for name, value in attributes.items()
            if name in LOADING
        ]

    def attribute_names(self) -> set[str]:
        return {name for _, attributes in self.elements for name in attributes}

    def inside(self, tag: str) -> list[str]:
        return [data for name, data in self.texts if name == tag]


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
