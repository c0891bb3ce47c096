"""Both pages as text: what they hold, what they may load, and what hostile text cannot do."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.harness.report.listening.making import Rows, requests, rising, row, two_runs, write_run
from tests.harness.report.making import HOSTILE
from tests.harness.report.parsing import Page, digest
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.listening import abx_page, listening_page
from voxgate.harness.report.listening import page as page_module
from voxgate.harness.report.listening.recordings import EarlierRun, earlier_run

PAGES = ("listen-2.html", "abx-2.html")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both pages of two runs of rising tones."""
    folder = tmp_path_factory.mktemp("pages")
    heard = two_runs(folder)
    assert (
        listening_page(heard.history, heard.run, folder / "site", heard.baselines)
        == "listen-2.html"
    )
    return folder / "site"


def parsed(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def data_of(path: Path) -> dict:
    return json.loads(parsed(path).inside("script")[0])


@pytest.mark.parametrize("name", PAGES)
def test_policy_names_style_and_script_by_hash_and_lets_markup_load_nothing(
    out: Path, name: str
) -> None:
    found = parsed(out / name)
    policy = found.policy()
    (style,), (_, script) = found.inside("style"), found.inside("script")

    assert f"style-src {digest(style)};" in policy
    assert f"script-src {digest(script)} 'strict-dynamic';" in policy
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"unsafe|http|\*|'self'", policy)


@pytest.mark.parametrize("name", PAGES)
def test_page_loads_nothing_but_itself(out: Path, name: str) -> None:
    assert all(
        re.match(r"#|data:image/png;|index\.html$|listen-2\.html$|abx-2\.html$", address)
        for address in parsed(out / name).addresses()
    )


@pytest.mark.parametrize("name", PAGES)
def test_tags_are_closed_and_nothing_is_inline(out: Path, name: str) -> None:
    found = parsed(out / name)
    names = found.attribute_names()

    assert found.open == []
    assert "style" not in names
    assert not [each for each in names if each.startswith("on")]


@pytest.mark.parametrize("name", PAGES)
def test_every_control_has_a_name(out: Path, name: str) -> None:
    found = parsed(out / name)
    labelled = {label.get("for") for label in found.all("label")}

    for control in [*found.all("select"), *found.all("input")]:
        named = (
            control.get("id") in labelled
            or "aria-label" in control
            or control.get("type") in ("checkbox", "radio")
        )
        assert named, control
    assert all("alt" in picture for picture in found.all("img"))


def test_hostile_text_stays_text_on_both_pages(tmp_path: Path) -> None:
    asked = requests(2, HOSTILE)
    old, new = (
        write_run(tmp_path / str(n), {32: lambda r, n=n: rising(500.0 * n)}, asked=asked)
        for n in (1, 2)
    )
    names = dict.fromkeys(("suite", "profile", "machine", "head"), HOSTILE)
    history = Rows([row(1, old, "2026-11-20T00:00:00+00:00", **names), row(2, new, **names)])

    listening_page(history, history.rows[1], tmp_path, tmp_path)

    for name in PAGES:
        found = parsed(tmp_path / name)
        assert len(found.all("script")) == 2
        assert not [picture for picture in found.all("img") if picture.get("src") == "x"]
        assert not any("onerror" in attributes for _, attributes in found.elements)
        assert found.open == []
    assert HOSTILE in data_of(tmp_path / PAGES[0])["utterances"][0]["text"]
    assert HOSTILE in data_of(tmp_path / PAGES[1])["pairs"][0]["a"]["label"]


def test_every_take_has_clip_gain_and_picture_on_the_shelf(out: Path) -> None:
    first = data_of(out / PAGES[0])["utterances"][0]
    files = {path.stem for path in (out / "audio").iterdir()}

    assert first["voices"][0]["voice"]["when"] == "golden"
    assert len(first["voices"]) == 5
    for each in first["voices"]:
        assert {each["voice"]["clip"], each["picture"]} <= files
        assert {contrast["picture"] for contrast in each["contrasts"]} <= files
    assert first["voices"][4]["voice"]["gain"]["gain_db"] == pytest.approx(6.02, abs=0.05)


def test_current_is_held_against_previous_and_golden_and_other_cells_against_the_reference(
    out: Path,
) -> None:
    voices = data_of(out / PAGES[0])["utterances"][0]["voices"]
    held = [[contrast["against"] for contrast in each["contrasts"]] for each in voices]

    assert held == [[], [], [1, 0], [], [3, 2]]


def test_utterance_that_changed_most_stands_first(tmp_path: Path) -> None:
    def changed(request: str) -> np.ndarray:
        return rising(1600.0 if request != "u02" else 2000.0)

    heard = two_runs(
        tmp_path, nfe_32=changed, before_8=lambda r: rising(3800.0), nfe_8=lambda r: rising(3800.0)
    )
    listening_page(heard.history, heard.run, tmp_path, heard.baselines)

    table = parsed(tmp_path / PAGES[0]).text().split("Where to listen first")[1]
    assert table.index("u02") < table.index("u01") < table.index("u03")
    assert "the same audio" in table.split("u01")[-1].split("u03")[0]


def test_planted_click_is_on_the_page(tmp_path: Path) -> None:
    def clicked(request: str) -> np.ndarray:
        found = rising(500.0, level=0.05)
        found[8_000] = 0.9
        return found

    heard = two_runs(tmp_path, nfe_8=clicked)
    listening_page(heard.history, heard.run, tmp_path, heard.baselines)

    assert "click at 0.50 s (nfe=8)" in parsed(tmp_path / PAGES[0]).text()


def test_page_beyond_its_budget_counts_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "BUDGET_BYTES", 1)
    heard = two_runs(tmp_path)
    listening_page(heard.history, heard.run, tmp_path, heard.baselines)

    assert len(data_of(tmp_path / PAGES[0])["utterances"]) == 1
    assert "2 more utterances are not here" in parsed(tmp_path / PAGES[0]).text()


@pytest.mark.parametrize("make", [listening_page, abx_page])
def test_run_without_audio_says_why(tmp_path: Path, make: Callable) -> None:
    heard = two_runs(tmp_path)
    gone = replace(heard.run, folder=str(tmp_path / "gone"))

    assert make(heard.history, gone, tmp_path, heard.baselines) == Missing(
        f"the folder of run 2 is gone: {tmp_path}/gone"
    )
    foreign = make(heard.history, replace(heard.run, source="asv"), tmp_path, heard.baselines)
    assert foreign == Missing("run 2 was measured by asv, which keeps no audio")


def test_first_run_says_that_there_is_no_previous_one(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", {32: lambda request: rising(500.0)})
    listening_page(Rows([]), row(1, folder), tmp_path, tmp_path)

    text = parsed(tmp_path / "listen-1.html").text()
    assert "previous no earlier run of this suite, profile and machine has kept its folder" in text
    assert "golden none is accepted yet" in text


def test_run_whose_audio_was_deleted_has_no_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", {32: lambda request: rising(500.0)})
    for path in folder.glob("audio/*/*.wav"):
        path.unlink()

    assert listening_page(Rows([]), row(1, folder), tmp_path, tmp_path) == Missing(
        "run 1 kept no audio"
    )


def test_takes_that_all_sound_the_same_leave_nothing_to_test(tmp_path: Path) -> None:
    same = dict.fromkeys(
        ("golden", "before_32", "nfe_32", "before_8", "nfe_8"), lambda request: rising(500.0)
    )
    heard = two_runs(tmp_path, **same)

    assert abx_page(heard.history, heard.run, tmp_path, heard.baselines) == Missing(
        "no two takes of an utterance differ"
    )
    listening_page(heard.history, heard.run, tmp_path, heard.baselines)
    assert (
        "There is no blind test: no two takes of an utterance differ."
        in parsed(tmp_path / PAGES[0]).text()
    )


@pytest.mark.parametrize("folder", ["runs/0001", "runs/0002"])
def test_damaged_run_folder_is_named_in_place_of_a_page(tmp_path: Path, folder: str) -> None:
    heard = two_runs(tmp_path)
    (tmp_path / folder / "run.json").write_text("{")

    found = listening_page(heard.history, heard.run, tmp_path, heard.baselines)

    assert isinstance(found, Missing)
    assert f"{folder}/run.json is not valid JSON" in found.reason


def test_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    heard = two_runs(tmp_path)
    (tmp_path / "site").write_text("a file")

    with pytest.raises(HarnessError, match="cannot write"):
        listening_page(heard.history, heard.run, tmp_path / "site", heard.baselines)


def test_previous_run_is_the_last_of_the_same_kind_that_is_still_there(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / str(n), {32: lambda request: rising(500.0)}) for n in range(4)]
    rows = [row(n, folder, f"2026-11-0{n + 1}T00:00:00+00:00") for n, folder in enumerate(folders)]
    gone = row(8, tmp_path / "gone", "2026-11-03T12:00:00+00:00")
    other = row(9, folders[1], "2026-11-03T13:00:00+00:00", machine="another")

    found = earlier_run(Rows([*rows[:3], gone, other, rows[3]]), rows[3])
    assert found == EarlierRun(run=rows[2], passed_by=0)
    assert earlier_run(Rows(rows), rows[0]) is None


@pytest.mark.parametrize(
    ("verdicts", "worse_since", "number", "passed_by"),
    [
        ("PASS PASS PASS PASS", "", 2, 0),
        ("PASS PASS REGRESSED REGRESSED", "", 1, 1),
        ("FAILED REGRESSED PASS PASS", "", 2, 0),
        ("REGRESSED REGRESSED REGRESSED REGRESSED", "", 2, 0),
        ("NO_BASELINE NO_BASELINE NO_BASELINE NO_BASELINE", "2026-11-02", 0, 2),
        ("REGRESSED PASS PASS REGRESSED", "2026-11-01", 2, 0),
    ],
)
def test_what_got_worse_some_nights_ago_is_held_against_the_last_good_run(
    tmp_path: Path, verdicts: str, worse_since: str, number: int, passed_by: int
) -> None:
    rows = []
    for n, verdict in enumerate(verdicts.split()):
        (tmp_path / str(n)).mkdir()
        (tmp_path / str(n) / "run.json").touch()
        created = f"2026-11-0{n + 1}T00:00:00+00:00"
        rows.append(row(n, tmp_path / str(n), created, verdict=verdict))
    found = earlier_run(Rows(rows), rows[-1], worse_since)
    assert found == EarlierRun(run=rows[number], passed_by=passed_by)
    assert found.name == ("last good" if passed_by else "previous")


def test_test_asks_only_about_utterances_that_differ(tmp_path: Path) -> None:
    heard = two_runs(
        tmp_path,
        nfe_32=lambda r: rising(1600.0 if r != "u02" else 2000.0),
        golden=lambda r: rising(500.0),
    )
    abx_page(heard.history, heard.run, tmp_path, heard.baselines)

    pairs = {
        (pair["cell"], pair["a"]["label"]): pair for pair in data_of(tmp_path / PAGES[1])["pairs"]
    }
    pair = pairs["nfe-32", "previous, rev1"]
    assert [question["request"] for question in pair["questions"]] == ["u02"]
    assert pair["same"] == 2
    assert pair["a"]["run"] == f"{1:064x}"
    assert pair["b"] == {
        "when": "current",
        "cell": "nfe-32",
        "run": f"{2:064x}",
        "label": "current, rev2",
    }
    assert pairs["nfe-8", "nfe=32 (reference)"]["b"]["label"] == "nfe=8"


def test_markup_of_the_test_does_not_know_a_clip(out: Path) -> None:
    class Attributes(HTMLParser):
        found: str = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += f" {attrs}"

    reader = Attributes()
    reader.feed((out / PAGES[1]).read_text())
    clips = {
        q[side]["clip"]
        for pair in data_of(out / PAGES[1])["pairs"]
        for q in pair["questions"]
        for side in "ab"
    }
    assert clips
    assert not [clip for clip in clips if clip in reader.found]


def test_audio_with_a_watermark_is_heard_beside_the_same_without(tmp_path: Path) -> None:
    plain = {32: lambda _: rising(500.0), 8: lambda _: rising(900.0)}
    marked = {8: lambda _: rising(900.0) + np.float32(0.01) * rising(3000.0)}
    new = row(2, write_run(tmp_path / "runs/0002", plain, marked=marked))
    out = tmp_path / "site"

    assert listening_page(Rows([new]), new, out, tmp_path / "baselines") == "listen-2.html"

    voices = data_of(out / "listen-2.html")["utterances"][0]["voices"]
    whens = [(voice["voice"]["when"], voice["voice"]["cell"]) for voice in voices]
    assert whens == [
        ("golden", "nfe-32"),
        ("current", "nfe-32"),
        ("current", "nfe-8"),
        ("marked", "nfe-8"),
    ]
    product = voices[3]
    assert product["voice"]["clip"] not in ("", voices[2]["voice"]["clip"])
    assert (out / "audio" / f"{product['voice']['clip']}.js").is_file()
    (contrast,) = product["contrasts"]
    assert contrast["against"] == 2 and not contrast["same"] and contrast["picture"]
    pairs = data_of(out / "abx-2.html")["pairs"]
    assert ("current", "marked") in [(pair["a"]["when"], pair["b"]["when"]) for pair in pairs]
    assert "as a user hears it" in (out / "listen-2.html").read_text()


def test_without_a_watermark_nothing_is_said_of_one(out: Path) -> None:
    voices = data_of(out / "listen-2.html")["utterances"][0]["voices"]
    assert "marked" not in [voice["voice"]["when"] for voice in voices]
    assert "as a user hears it" not in (out / "listen-2.html").read_text()


def test_the_blind_test_offers_the_pair_that_changed_most(tmp_path: Path) -> None:
    same = dict.fromkeys(("before_32", "nfe_32"), lambda request: rising(500.0, seconds=0.5))
    heard = two_runs(
        tmp_path,
        golden=lambda request: rising(510.0, seconds=0.5),
        before_8=lambda request: rising(700.0, seconds=0.5),
        nfe_8=lambda request: rising(3000.0, seconds=0.5),
        **same,
    )
    listening_page(heard.history, heard.run, tmp_path, heard.baselines)

    pairs = data_of(tmp_path / PAGES[1])["pairs"]
    options = parsed(tmp_path / PAGES[1]).all("option")[: len(pairs)]
    (pair,) = [pairs[place] for place, each in enumerate(options) if "selected" in each]
    assert (pair["cell"], pair["a"]["when"], pair["b"]["when"]) == ("nfe-8", "previous", "current")
    assert data_of(tmp_path / PAGES[0])["first"]["cell"] == "nfe-8"
