"""The page, as a browser's parser sees it."""

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.harness.fake_runs import good_run
from tests.harness.report.making import (
    HOSTILE,
    Voices,
    contents,
    hostile,
    lied_to,
    misheard,
    passed,
    regressed,
    silence,
    unheard,
    unobserved,
)
from voxgate.harness.metrics.registry import FAMILIES, GOLDEN_FAMILY
from voxgate.harness.records.verdict import judgement_to_dict
from voxgate.harness.report.contents import Report
from voxgate.harness.report.page import listening, page
from voxgate.harness.report.pr_comment import CommentLinks, comment

LOADING = ("src", "href", "srcset", "action", "data", "poster", "formaction", "background", "ping")
VOID = ("meta", "img", "source", "br", "hr", "link", "input")


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

    def inside(self, tag: str) -> list[str]:
        return [data for name, data in self.texts if name == tag]


def parsed(of: Report, load: object = silence) -> Page:
    return Page(page(of, load))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return parsed(regressed(tmp_path_factory.mktemp("full")), Voices())


def test_nothing_is_loaded_but_fragments_and_data(full: Page) -> None:
    urls = [
        value or ""
        for _, attributes in full.elements
        for name, value in attributes.items()
        if name in LOADING
    ]
    assert urls
    assert all(url.startswith(("#", "data:")) for url in urls)
    assert not full.all("link")
    assert not full.all("iframe")


def test_policy_lets_only_the_pages_own_style_and_script_run(full: Page) -> None:
    (policy,) = [
        meta["content"] or ""
        for meta in full.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    code = [
        text
        for text, kind in zip(full.inside("script"), full.all("script"), strict=True)
        if "type" not in kind
    ]
    (style,), (script,) = full.inside("style"), code
    assert "default-src 'none'" in policy
    assert f"style-src {digest(style)};" in policy
    assert f"script-src {digest(script)};" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_no_inline_handler_or_style_that_the_policy_would_stop(full: Page) -> None:
    names = {name for _, attributes in full.elements for name in attributes}
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]


def test_tags_are_nested_and_closed(full: Page) -> None:
    assert full.open == []


def test_hostile_text_stays_text() -> None:
    found = parsed(hostile(), Voices())
    assert not [attributes for attributes in found.all("img") if attributes.get("src") == "x"]
    assert len(found.all("script")) == 2
    assert not any("onerror" in attributes for _, attributes in found.elements)
    assert found.text().count('<script>alert("x")</script>') >= 5


def test_hostile_workload_text_reaches_the_player_unchanged() -> None:
    found = parsed(hostile(), Voices())
    voices = json.loads(found.inside("script")[0])
    assert voices["utterances"][0]["text"] == HOSTILE


def test_verdict_stands_first_in_words(full: Page) -> None:
    assert full.text().index("REGRESSED Something got slower or worse.") < full.text().index(
        "nfe=32"
    )
    assert "latency_p50 +10.0 %" in full.text()


@pytest.mark.parametrize(
    ("make", "words"),
    [(passed, "PASS Nothing got slower or worse."), (lied_to, "FAILED Something could not")],
)
def test_every_kind_of_run_has_its_sentence(tmp_path: Path, make: object, words: str) -> None:
    assert words in parsed(make(tmp_path)).text()


def test_fastest_passing_cell_is_named(tmp_path: Path) -> None:
    assert (
        "Fastest cell fit to ship: nfe=8 at rtf 0.0501; 4 [4 4] times as fast as the reference"
        in parsed(passed(tmp_path)).text()
    )


def test_missing_values_say_missing_and_why_also_to_a_screen_reader() -> None:
    assert "missing : no ASR weights" in parsed(unheard()).text()


def test_lie_is_shown_as_asked_and_observed(tmp_path: Path) -> None:
    assert "nfe_steps 8 32 NO DiT ran 32 times" in parsed(lied_to(tmp_path)).text()


def test_what_could_not_be_observed_is_neither_yes_nor_no(tmp_path: Path) -> None:
    shown = parsed(unobserved(tmp_path)).text()
    assert "voice alloy not observable not observed sent, and not refused" in shown
    assert "in effect not observable" not in shown, "it is no difference between asked and observed"


def test_what_was_heard_before_and_now_stands_in_the_reason(tmp_path: Path) -> None:
    found = misheard(tmp_path)
    told = 'u03 heard before "text u03", now "text <b>three</b> | [31m"'
    assert told in parsed(found).text()
    said = comment(judgement_to_dict(found.judgement), CommentLinks())
    assert (
        'u03 heard before "text u03", now "text' in said
        and "<b>" not in said
        and "\x1b" not in said
    )


def test_each_picture_has_words_and_both_themes(full: Page) -> None:
    pictures, sources = full.all("img"), full.all("source")
    assert len(pictures) == len(sources) == 2
    assert all("nfe=8: rtf" in (picture["alt"] or "") for picture in pictures)


def test_tables_have_captions_and_controls_have_labels(full: Page) -> None:
    assert len(full.all("table")) == len(full.all("caption"))
    assert {label["for"] for label in full.all("label")} == {"utterance"}
    assert all(bar.get("aria-hidden") == "true" for bar in full.all("svg"))
    assert full.all("html")[0]["lang"] == "en"


def test_links_within_the_page_lead_somewhere(full: Page) -> None:
    ids = {attributes["id"] for _, attributes in full.elements if "id" in attributes}
    targets = {(link["href"] or "").removeprefix("#") for link in full.all("a")}
    assert targets <= ids


def test_voices_are_golden_reference_then_cells_and_equal_clips_are_stored_once(full: Page) -> None:
    voices = json.loads(full.inside("script")[0])
    first = voices["utterances"][0]["takes"]
    assert [source for source, _ in first] == ["golden", "nfe-32", "nfe-8"]
    assert first[0][1] == first[1][1] != first[2][1]
    assert len(voices["clips"]) == 16
    assert voices["labels"] == {
        "golden": "golden",
        "nfe-32": "nfe=32 (reference)",
        "nfe-8": "nfe=8",
    }


def test_page_without_audio_says_so(tmp_path: Path) -> None:
    assert "No audio was at hand" in parsed(passed(tmp_path)).text()


def test_audio_beyond_the_budget_is_left_out_by_whole_utterances_and_counted() -> None:
    found = listening(contents(good_run()), Voices(1000), budget_bytes=4500)
    assert [each.id for each in found.utterances] == ["u01", "u02"]
    assert found.left_out == 6


def test_stages_share_one_scale(full: Page) -> None:
    widths = [float(bar["width"] or 0) for bar in full.all("rect") if "x" in bar]
    assert widths == pytest.approx([75.0, 25.0, 75 * 0.11 / 0.4, 25 * 0.11 / 0.4], abs=0.1)


def test_metrics_stand_under_their_family_in_the_order_of_the_panel(full: Page) -> None:
    headings = [data for tag, data in full.texts if tag == "th"]
    families = [each for each in headings if each in {*FAMILIES.values(), "speed", GOLDEN_FAMILY}]
    assert families[: len(families) // 2] == [
        "speed",
        *dict.fromkeys(FAMILIES.values()),
        GOLDEN_FAMILY,
    ]
    assert (
        headings.index("parity")
        < headings.index("snr")
        < headings.index("intelligibility")
        < headings.index("wer")
    )


def test_details_are_open_where_something_is_wrong_and_not_where_there_is_only_no_baseline(
    full: Page,
) -> None:
    def opened(of: Page) -> list[bool]:
        return [
            "open" in attributes
            for tag, attributes in of.elements
            if tag == "details" and "id" in attributes
        ]

    assert any(opened(full))
    first_run = opened(parsed(contents(good_run())))
    assert first_run and not any(first_run)
