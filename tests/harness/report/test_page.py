"""The page, as a browser's parser sees it."""

import base64
import io
import json
import re
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import soundfile

from tests.harness.fake_runs import good_run
from tests.harness.report.making import (
    HOSTILE,
    RATE_HZ,
    Voices,
    contents,
    hostile,
    lied_to,
    misheard,
    one_broken,
    passed,
    regressed,
    silence,
    unheard,
    unobserved,
)
from tests.harness.report.parsing import Page, digest
from voxgate.harness.metrics.registry import FAMILIES, GOLDEN_FAMILY
from voxgate.harness.records.verdict import judgement_to_dict
from voxgate.harness.report.contents import Report
from voxgate.harness.report.html import templates
from voxgate.harness.report.listening import differences, player
from voxgate.harness.report.listening.player import run_player
from voxgate.harness.report.page import page
from voxgate.harness.report.pr_comment import CommentLinks, comment
from voxgate.harness.report.run_page import MEANINGS, SECTIONS
from voxgate.harness.report.tables import OF_SOME
from voxgate.harness.report.worst_utterances import heard_first


def parsed(of: Report, load: object = silence) -> Page:
    return Page(page(of, load))


def data_of(found: Page) -> dict:
    """What the page's script gets."""
    return json.loads(found.inside("script")[0])


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return parsed(regressed(tmp_path_factory.mktemp("full")), Voices())


def test_a_first_run_shows_the_accepting_command_and_what_all_cells_share_once() -> None:
    of = contents(good_run())
    html = page(of, silence)
    assert html.count("voxgate accept runs/0001") == 1
    assert html.count("all 2 cells: no baseline for") == 1
    assert "First run of this suite: nothing to compare with yet." in html
    assert "Keep it as the baseline:" in html
    assert html.count('data-copy="next-command"') == 1


def test_nothing_is_loaded_but_fragments_and_data(full: Page) -> None:
    urls = full.addresses()
    assert urls
    assert all(url.startswith(("#", "data:")) for url in urls)
    assert not full.all("link")
    assert not full.all("iframe")


def test_policy_lets_only_the_pages_own_style_and_script_run(full: Page) -> None:
    policy = full.policy()
    code = [
        text
        for text, kind in zip(full.inside("script"), full.all("script"), strict=True)
        if "type" not in kind
    ]
    (style,), (script,) = full.inside("style"), code
    assert policy.startswith("default-src 'none';")
    assert f"style-src {digest(style)};" in policy
    assert f"script-src {digest(script)};" in policy
    assert not re.search(r"unsafe|http|\*|'self'|dynamic", policy)


def test_no_inline_handler_or_style_that_the_policy_would_stop(full: Page) -> None:
    names = full.attribute_names()
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
    assert data_of(found)["utterances"][0]["text"] == HOSTILE


def test_verdict_stands_first_in_words(full: Page) -> None:
    assert full.text().index("REGRESSED 1 thing got worse.") < full.text().index("nfe=32")
    assert "latency_p50 +10.0 %" in full.text()


@pytest.mark.parametrize(
    ("make", "words"),
    [(passed, "PASS Nothing got slower or worse."), (lied_to, "FAILED 1 thing could not")],
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


def test_columns_that_only_some_suites_have_are_explained() -> None:
    plain = contents(good_run())
    (cell, found), *others = plain.measurements.items()
    of_conversion = [
        replace(found[0], metric=name) for name in ("similarity_margin", "source_f0_correlation")
    ]
    converted = replace(plain, measurements={cell: [*found, *of_conversion], **dict(others)})
    html = page(converted, silence)

    assert {column.metric for column in OF_SOME} == set(MEANINGS)
    assert '<th scope="col" class="number" title="similarity_margin">margin</th>' in html
    for title, metric in (("margin", "similarity_margin"), ("melody", "source_f0_correlation")):
        assert f"{title}: {MEANINGS[metric]}" in html
    assert MEANINGS["similarity_margin"] not in page(plain, silence)


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


def test_each_picture_has_words_or_its_values_beside_it(full: Page) -> None:
    drawn = [each for each in full.all("svg") if each.get("role") == "img"]
    assert len(drawn) > 6
    assert all(each["aria-label"] for each in drawn)
    assert any("2. nfe=32: 4.99× real time" in (each["aria-label"] or "") for each in drawn)
    assert all(
        each.get("aria-hidden") == "true" or each.get("role") == "img" or "x" in each or "y" in each
        for each in full.all("svg")
    )
    assert not full.all("picture")


def test_tables_have_captions_and_controls_have_labels(full: Page) -> None:
    assert len(full.all("table")) == len(full.all("caption"))
    assert {label.get("for") for label in full.all("label")} == {"utterance", "against", None}
    named = ("aria-label", "id")
    assert all(set(named) & set(control) for control in full.all("input") + full.all("select"))
    assert full.all("html")[0]["lang"] == "en"


def test_links_within_the_page_lead_somewhere(full: Page) -> None:
    utterances = {f"u={each['id']}" for each in data_of(full)["utterances"]}
    targets = {(link["href"] or "").removeprefix("#") for link in full.all("a")}
    assert targets <= full.ids() | utterances
    assert {section.name for section in SECTIONS} - {"reels", "streams"} <= full.ids() & targets


def test_voices_are_golden_reference_then_cells_and_equal_clips_are_stored_once(full: Page) -> None:
    data = data_of(full)
    voices = [each["voice"] for each in data["utterances"][0]["voices"]]
    assert [(each["when"], each["cell"]) for each in voices] == [
        ("golden", "nfe-32"),
        ("current", "nfe-32"),
        ("current", "nfe-8"),
    ]
    assert voices[0]["clip"] == voices[1]["clip"] != voices[2]["clip"]
    assert data["cells"] == [
        {"slug": "nfe-32", "label": "nfe=32"},
        {"slug": "nfe-8", "label": "nfe=8"},
    ]


def test_every_clip_and_picture_lies_in_the_page_once_and_can_be_decoded(full: Page) -> None:
    data = data_of(full)
    seen = list(chain.from_iterable(each["voices"] for each in data["utterances"]))
    clips = {each["voice"]["clip"] for each in seen}
    pictures = {each["picture"] for each in seen}
    pictures |= {c["picture"] for each in seen for c in each["contrasts"] if c["picture"]}
    assert len(clips) == 16
    assert set(data["embedded"]) == clips | pictures
    frames, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(data["embedded"][min(clips)])))
    assert (len(frames), rate_hz) == (3200, RATE_HZ)


def test_a_page_weighs_at_most_a_megabyte_and_a_half_with_its_audio() -> None:
    """However much audio there is, what is embedded and all else are within it."""
    without = len(page(contents(good_run()), silence))
    assert without + player.EMBEDDED_BYTES * 4 / 3 + 50_000 < 1_500_000


def test_page_without_audio_says_so(tmp_path: Path) -> None:
    assert "No audio was at hand" in parsed(passed(tmp_path)).text()


def test_audio_beyond_the_budget_is_left_out_by_whole_utterances_and_counted() -> None:
    run = good_run()
    sizes = [len(run_player(run, Voices(), budget).data["embedded"]) for budget in (10**7, 30_000)]
    assert sizes[0] > sizes[1] > 0
    found = run_player(run, Voices(), 30_000)
    held = sum(len(base64.b64decode(each)) for each in found.data["embedded"].values())
    assert held <= 30_000
    assert [each.id for each in found.views] == [f"u{n:02}" for n in range(1, len(found.views) + 1)]
    assert found.left_out == 8 - len(found.views) > 0


def test_a_first_utterance_beyond_the_budget_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run_player(good_run(), Voices(), 1000)
    assert (found.views, found.left_out, found.data["embedded"]) == ((), 8, {})
    monkeypatch.setattr(player, "run_player", lambda *_, **__: found)
    text = parsed(contents(good_run()), Voices()).text()
    assert "or the first utterance is too large to embed" in text


def test_stages_share_one_scale(full: Page) -> None:
    blocks = [bar for bar in full.all("rect") if "block" in (bar.get("class") or "")]
    widths = [float((bar["width"] or "0").rstrip("%")) for bar in blocks]
    assert widths == pytest.approx([75.0, 25.0, 75 * 0.11 / 0.4, 25 * 0.11 / 0.4], abs=0.1)


ELSEWHERE = ("watermark", "reels", "conversion", "accent")
"""Families of requests that the full page's run has none of."""


def test_metrics_stand_under_their_family_in_the_order_of_the_panel(full: Page) -> None:
    headings = [data for tag, data in full.texts if tag == "th"]
    families = [each for each in headings if each in {*FAMILIES.values(), "speed", GOLDEN_FAMILY}]
    assert families[: len(families) // 2] == [
        "speed",
        *(name for name in dict.fromkeys(FAMILIES.values()) if name not in ELSEWHERE),
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


def test_every_id_stands_once_and_every_section_is_a_macro(full: Page) -> None:
    ids = [attributes["id"] for _, attributes in full.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    macros = templates().get_template("sections.html").module
    assert all(callable(getattr(macros, section.name)) for section in SECTIONS)


def test_an_utterance_too_long_to_draw_is_heard_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(differences, "LONGEST_S", 0.1)
    monkeypatch.setattr(differences, "spectrogram", None)
    found = run_player(good_run(), Voices())
    voices = found.views[0].voices
    assert [each.voice.clip != "" for each in voices] == [True] * 3
    assert {each.picture for each in voices} == {""}
    assert {each.marks.searched for each in voices} == {False}
    assert [contrast.same for contrast in voices[1].contrasts] == [True]
    assert voices[2].contrasts[0].missing == "longer than 120 s"
    assert found.lines[0].since_golden == "the same audio"
    assert "longer than" in parsed(contents(good_run()), Voices()).inside("script")[0]


def test_a_broken_utterance_is_named_spread_and_heard_first(tmp_path: Path) -> None:
    """Its voices are in the page even where the budget holds one utterance only."""
    of = one_broken(tmp_path)
    found = parsed(of, Voices())
    assert found.text().count("Beyond the limit of one utterance: u06 (pesq 3.60 → 2.40)") == 2
    assert "p5 2.84, p95 3.65, worst 2.40 (u06)" in found.text()
    assert "#u=u06" in found.addresses()
    first = heard_first(of.judgement.cells)
    assert first == ("u06",)
    assert run_player(of.run, Voices(), 30_000, first).views[0].id == "u06"


def test_a_broken_utterance_without_audio_has_no_link(tmp_path: Path) -> None:
    found = parsed(one_broken(tmp_path))
    assert "Beyond the limit of one utterance: u06" in found.text()
    assert "#u=u06" not in found.addresses()
