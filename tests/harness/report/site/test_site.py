"""The site, as files: what its pages say, and that nothing from outside can do harm on them."""

import errno
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.harness.report.making import HOSTILE
from tests.harness.report.parsing import Page
from tests.harness.report.site.making import (
    EPYC,
    NIGHTS,
    TODAY,
    Made,
    hostile,
    make_site,
    night,
)
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import open_history
from voxgate.harness.history.records import HistoryEntry
from voxgate.harness.judging import replace_folder
from voxgate.harness.records import files as atomic
from voxgate.harness.report.html import SITE_POLICY as POLICY
from voxgate.harness.report.pictures.waterfall import stage_colors
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.build import build_site
from voxgate.harness.report.site.folder import Folder
from voxgate.harness.report.site.run_data import CHUNK

CELL = "cell-smoke~nfe_steps-8.html"


def data_of(made: Made, name: str) -> object:
    """What a page's script gets from a data file."""
    script = (made.out / "data" / f"{name}.js").read_text()
    found = re.fullmatch(r"voxgate\.take\((\".*?\"),JSON\.parse\((\".*\")\)\);\n", script)
    assert found is not None
    assert json.loads(found.group(1)) == name
    return json.loads(json.loads(found.group(2)))


def test_first_words_say_what_is_worse_where_and_since_when(site: Made) -> None:
    text = Page(site.text()).text()
    assert "1 thing got worse; 1 budget is broken; no data from 1 machine." in text
    assert re.search(
        rf"8\.\d % slower \(limit 5 %\) \(worse\) smoke / nfe_steps=8 on {EPYC} Since 2026-11-13 , "
        r"8 nights; 1\.\d times the limit; latency_p50 1\d\d → 1\d\d ms. Also p95, rtf",
        text,
    )
    assert "over its budget of 50.0 ms" in text and "a reply must begin within a blink" in text


def test_nights_are_seen_at_a_glance_with_gaps_and_acknowledged_changes(site: Made) -> None:
    page = Page(site.text())
    tips = [each["data-tip"] or "" for each in page.all("rect") if each.get("data-tip")]
    assert any(re.fullmatch(r"2026-11-1\d to 2026-11-20: .*\(limit 5 %\)", tip) for tip in tips)
    assert "2026-11-16 to 2026-11-20: no run" in tips
    assert "2026-10-26: acknowledged: it got a fan" in tips
    assert "2026-10-26, acknowledged: it got a fan (smoke / " in page.text()
    assert "40 nights to 2026-11-20: 2 things are worse, 1 change is acknowledged, 5 nights" in (
        page.text()
    )
    places = [(each["x"] or "").rstrip("%") for each in page.all("rect") if each.get("data-tip")]
    assert all(0.0 <= float(place) < 100.0 for place in places)


def test_what_nobody_measures_any_more_is_said(site: Made) -> None:
    assert re.search(r"no value for \d nights, since 2026-11-16", Page(site.text()).text())


def test_worst_cell_stands_first_in_the_table(site: Made) -> None:
    rows = re.findall(
        r'<th scope="row"><a href="(cell[^"]+)">.*?class="badge (\w+)">([\w ]+)<',
        site.text(),
        flags=re.DOTALL,
    )
    states = [state for _, _, state in rows]
    assert len(rows) == 6
    assert states[0] == "worse" and rows[0][0] == CELL
    assert states == sorted(
        states, key=["worse", "over budget", "no data", "better", "too few", "steady"].index
    )


def test_empty_history_says_what_to_run(tmp_path: Path) -> None:
    made = make_site(tmp_path, [])
    assert "voxgate check smoke" in Page(made.text()).text()
    assert made.pages() == ["index.html"]


def test_single_run_makes_every_page(tmp_path: Path) -> None:
    made = make_site(tmp_path, [night(NIGHTS - 1, EPYC, np.random.default_rng(1))])
    assert "run-1.html" in made.pages() and CELL in made.pages()
    assert (
        "Nothing can be said yet: 3 cells" in Page(made.text()).text()
        or "over budget" in made.text()
    )


@pytest.mark.parametrize("which", ["site", "attacked"])
def test_pages_are_well_formed_and_carry_the_policy(
    which: str, request: pytest.FixtureRequest
) -> None:
    made: Made = request.getfixturevalue(which)
    for name in made.pages():
        page = Page(made.text(name))
        assert page.policy() == POLICY
        assert page.open == [], name
        ids = [each["id"] for _, each in page.elements if "id" in each]
        assert len(ids) == len(set(ids)), name
        assert page.all("html")[0]["lang"] == "en"


def test_policy_lets_nothing_in_from_elsewhere_and_runs_no_inline_script() -> None:
    assert (
        "default-src 'none'" in POLICY
        and "script-src 'self'" in POLICY
        and "style-src 'self'" in POLICY
    )
    assert "unsafe" not in POLICY and "http" not in POLICY and "*" not in POLICY


@pytest.mark.parametrize("which", ["site", "attacked"])
def test_no_inline_script_style_or_handler_stands_in_a_page(
    which: str, request: pytest.FixtureRequest
) -> None:
    made: Made = request.getfixturevalue(which)
    for name in made.pages():
        page = Page(made.text(name))
        attributes = page.attribute_names()
        assert "style" not in attributes and not [
            each for each in attributes if each.startswith("on")
        ], name
        assert page.all("style") == []
        assert all(
            each.get("type") == "application/json" or "src" in each for each in page.all("script")
        ), name


@pytest.mark.parametrize("which", ["site", "attacked"])
def test_all_links_lead_to_files_and_places_that_exist(
    which: str, request: pytest.FixtureRequest
) -> None:
    made: Made = request.getfixturevalue(which)
    pages = {name: Page(made.text(name)) for name in made.pages()}
    runs = {
        int(run)
        for chunk in made.out.glob("data/runs-*.js")
        for run in data_of(made, chunk.stem)["runs"]
    }
    for name, page in pages.items():
        for link in page.all("a"):
            file, _, place = (link["href"] or "").partition("#")
            assert file in pages or not file, (name, link)
            if file in ("run.html", "compare.html"):
                assert not place or {int(run) for run in place.split(",")} <= runs, (name, link)
            elif place:
                assert place in pages[file or name].ids(), (name, link)
        for tag, attribute in (
            ("script", "src"),
            ("link", "href"),
            ("img", "src"),
            ("source", "srcset"),
        ):
            for each in page.all(tag):
                address = each.get(attribute)
                assert address in (None, "data:,") or (made.out / address).is_file(), (name, each)


def test_hostile_text_stays_text(attacked: Made) -> None:
    for name in attacked.pages():
        page = Page(attacked.text(name))
        assert not [each for each in page.all("img") if each.get("src") == "x"], name
        assert not any("onerror" in attributes for _, attributes in page.elements)
    assert Page(attacked.text()).text().count('<script>alert("x")</script>') >= 5


def test_hostile_text_reaches_the_scripts_unchanged_and_closes_no_element(attacked: Made) -> None:
    for path in (attacked.out / "data").glob("*.js"):
        assert "</script" not in path.read_text()
        data_of(attacked, path.stem)
    run = data_of(attacked, "runs-0")["runs"]["1"]
    assert run["head"] == HOSTILE
    assert run["cells"][0]["config"] == {HOSTILE: HOSTILE, "__proto__": "x"}


def test_hostile_names_make_harmless_file_names_that_differ(attacked: Made) -> None:
    names = [path.name for path in attacked.out.rglob("*") if path.is_file()]
    assert all(re.fullmatch(r"[A-Za-z0-9._~-]+", name) for name in names)
    assert len([name for name in names if name.startswith("cell-") and name.endswith(".html")]) == 3


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b", "", ".", "..", "A", "a", "ä", "x" * 300, "a~b", "\ud800"]
)
def test_any_name_makes_one_file_name(name: str) -> None:
    made = urls.suite_page(name)
    assert re.fullmatch(r"suite-[a-z0-9._~-]*\.html", made)
    assert len(made) < 200 and ".." not in made
    assert made == urls.suite_page(name) != urls.suite_page(f"{name}!")


def test_addresses_of_different_places_differ_and_are_short_enough_for_a_file_system() -> None:
    digest = urls.suite_page("A").removeprefix("suite-a~").removesuffix(".html")
    places = [
        ("A", "x", "b"),
        ("a", digest, "x"),
        ("a", digest.upper(), "x"),
        ("a~" + digest, "x", "b"),
    ]
    places += [("s" * 300, "p" * 300, "m" * 300), ("s" * 300, "p" * 300, "m" * 301)]
    names = [urls.place_name(*each) for each in places]
    assert len(set(names)) == len(names) and all(len(name) < 150 for name in names)
    cells = [
        urls.cell_page("A", "b"),
        urls.cell_page("a", digest),
        urls.cell_page("a", f"{digest}~b"),
    ]
    assert len(set(cells)) == 3


def test_missing_value_is_said_with_its_reason(site: Made, attacked: Made) -> None:
    assert "missing : no ASR weights" not in Page(site.text("suite-smoke.html")).text()
    content = data_of(site, "cell-smoke~nfe_steps-8")
    wer = next(each for each in content["places"][0]["trends"] if each["metric"] == "wer")
    assert wer["missing"] == {"20": "no ASR weights"} and wer["value"][20] is None
    (suite,) = [name for name in attacked.pages() if name.startswith("suite")]
    assert f"missing : {HOSTILE}" in Page(attacked.text(suite)).text()


def test_data_of_a_cell_says_steps_budgets_and_what_was_acknowledged(site: Made) -> None:
    epyc, jetson = data_of(site, "cell-smoke~nfe_steps-8")["places"]
    slower = epyc["trends"][0]
    assert slower["metric"] == "latency_p50"
    assert [change["kind"] for change in slower["changes"]] == ["bad"]
    assert abs(slower["changes"][0]["at"] - 32) <= 1
    assert jetson["trends"][0]["cuts"] == [
        {"at": 14, "label": "acknowledged", "why": "acknowledged: it got a fan"}
    ]
    assert data_of(site, "cell-smoke~nfe_steps-4")["places"][0]["trends"][0][
        "budget"
    ] == pytest.approx(50.0)


def test_values_are_shown_in_the_units_of_the_other_reports(site: Made) -> None:
    trends = data_of(site, "cell-smoke~nfe_steps-32")["places"][0]["trends"]
    of = {each["metric"]: each for each in trends}
    assert of["latency_p50"]["unit"] == "ms" and 390 < of["latency_p50"]["value"][0] < 430
    assert of["wer"]["unit"] == "%" and of["wer"]["value"][0] == pytest.approx(2.5)
    assert of["snr"]["exact"] == 120.0
    assert "exact" in Page(site.text("suite-smoke.html")).text()


def test_metric_that_never_had_a_value_is_shown_and_is_no_loss(site: Made) -> None:
    """
    The EPYC has no GPU: the cells are steady all the same, and its memory stands among the metrics
    that unfold.
    """
    assert re.search(r"smoke / nfe_steps=32 steady ", Page(site.text()).text())
    trends = data_of(site, "cell-smoke~nfe_steps-32")["places"][0]["trends"]
    assert [each["metric"] for each in trends if not each["main"]] == [
        "peak_rss",
        "peak_cuda_bytes",
    ]
    assert "missing: no CUDA device" in Page(site.text("cell-smoke~nfe_steps-32.html")).text()


def test_runs_of_other_tools_are_shown_with_their_own_metrics_and_without_a_verdict(
    tmp_path: Path,
) -> None:
    made = make_site(tmp_path, [foreign(number) for number in range(3)])
    suite = Page(made.text("suite-smoke.html")).text()
    assert "cell state mean ms" in suite and "not judged" in suite and "fit to ship" not in suite
    assert "not judged This run was not judged." in Page(made.text("run-3.html")).text()
    (trend,) = data_of(made, "cell-smoke~nfe_steps-8")["places"][0]["trends"]
    assert (trend["metric"], trend["unit"], trend["main"]) == ("mean", "ms", True)


def foreign(number: int) -> HistoryEntry:
    """
    A run as pytest-benchmark's files give it: one number a cell, nothing judged, nothing known of
    the machine.
    """
    entry = night(number, EPYC, np.random.default_rng(number))
    values = [replace(cell.values[0], metric="mean", verdict=None) for cell in entry.cells]
    cells = [
        replace(cell, verdict=None, reason="", config={}, effective={}, effects=(), values=(value,))
        for cell, value in zip(entry.cells, values, strict=True)
    ]
    return replace(
        entry,
        source="pytest-benchmark",
        verdict=None,
        line="",
        baseline="",
        environment={},
        cells=tuple(cells),
    )


def test_stages_go_to_the_chart_and_not_among_the_metrics(site: Made) -> None:
    place = data_of(site, "cell-smoke~nfe_steps-8")["places"][0]
    assert place["stages"]["names"] == ["frontend", "acoustic", "vocoder"]
    assert place["stages"]["values"][0][0] == pytest.approx(1000 * 0.012 * 0.26, rel=1e-3)
    assert not [each for each in place["trends"] if each["metric"].startswith("stage")]
    colors = stage_colors(place["stages"]["names"])
    assert place["stages"]["colors"] == list(colors.values())
    told = site.text("cell-smoke~nfe_steps-8.html")
    assert [f'class="stage-of-{color}"' in told for color in colors.values()] == [True] * 3


def test_suite_names_the_fastest_cell_that_passes_and_sounds_good_enough(site: Made) -> None:
    """
    nfe_steps-4 is faster but below the policy's floor for PESQ; nfe_steps-8 regressed on the EPYC
    and not on the Jetson.
    """
    text = Page(site.text("suite-smoke.html")).text()
    assert "Fastest cell that still passes, and sounds good enough: nfe_steps=32, rtf 0.15" in text
    assert "Fastest cell that still passes, and sounds good enough: nfe_steps=8, rtf 0.12" in text
    assert not (site.out / "pictures").exists(), "pictures stand in their pages"


def test_latest_run_has_a_page_that_says_what_changed_in_its_environment(site: Made) -> None:
    text = Page(site.text(f"run-{NIGHTS}.html")).text()
    assert "REGRESSED Something got slower or worse." in text
    assert "toolchain · torch 2.13.0 2.13.1" in text
    assert "latency_p50 +8.0 % [+7.2 +8.8], limit +5 %; acoustic +10 % is 97 % of it" in text
    assert "nfe_steps 8 8 yes counted" in text
    for said in (
        "Speed against quality",
        "Where the time goes",
        "real time",
        "intelligibility",
    ):
        assert said in text, "the page of a run is the same wherever it stands"


def test_every_run_is_in_a_data_file_with_its_values(site: Made) -> None:
    found = {}
    for chunk in site.out.glob("data/runs-*.js"):
        content = data_of(site, chunk.stem)
        found |= content["runs"]
        for run in content["runs"]:
            assert chunk.stem == f"runs-{int(run) // CHUNK}"
    assert len(found) == 2 * NIGHTS - 5
    points, content = found["21"]["points"], data_of(site, "runs-0")
    wer = [
        row
        for row, metric in enumerate(points["metric"])
        if content["metrics"][metric]["metric"] == "wer"
    ]
    assert [points["missing"][str(row)] for row in wer] == ["no ASR weights"] * 3
    assert len(points["value"]) == 36 and found["21"]["before"] == 20
    assert found["21"]["environment"]["toolchain · torch"] == "2.13.0"


def test_site_replaces_a_site_and_nothing_else(tmp_path: Path) -> None:
    made = make_site(tmp_path, hostile())
    (made.out / "stale.html").write_text("old")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("do not lose")
    with open_history(made.url) as history:
        build_site(history, made.out, tmp_path / "baselines", TODAY)
        with pytest.raises(HarnessError, match="something else than a site"):
            build_site(history, precious, tmp_path / "baselines", TODAY)
    assert "stale.html" not in made.pages() and "index.html" in made.pages()
    assert [path.name for path in precious.iterdir()] == ["thesis.txt"]


def test_same_history_makes_the_same_site(attacked: Made, tmp_path: Path) -> None:
    first, second = attacked, make_site(tmp_path, hostile())
    files = sorted(path.relative_to(first.out) for path in first.out.rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(second.out) for path in second.out.rglob("*") if path.is_file()
    )
    assert all(
        (first.out / file).read_bytes() == (second.out / file).read_bytes() for file in files
    )


def test_cells_of_all_runs_are_those_of_each_run(site: Made) -> None:
    with open_history(site.url) as history:
        assert history.every_cell() == [
            cell for run in range(1, 2 * NIGHTS - 4) for cell in history.cells(run)
        ]


def test_command_writes_the_site(
    site: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(["report", "--site", "--history", site.url]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "site reports/site/index.html"
    assert (tmp_path / "reports/site/index.html").is_file()
    assert invoke(["report", "runs/0001", "--site", "--history", site.url]) == 2
    assert "leave RUN and --markdown out" in capsys.readouterr().err


def test_a_site_that_cannot_be_written_is_one_error_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_site(tmp_path, hostile())
    before = {path: path.read_bytes() for path in made.out.rglob("*") if path.is_file()}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for module, name in (
        (atomic, "_write_new"),
        (replace_folder, "exchange"),
        (replace_folder, "_sync_all"),
    ):
        with monkeypatch.context() as patched, open_history(made.url) as history:
            patched.setattr(module, name, full)
            with pytest.raises(
                HarnessError,
                match=r"cannot write .*: No space left on device; choose another --out, or make "
                r"room",
            ):
                build_site(history, made.out, tmp_path / "baselines", TODAY)
        assert before == {path: path.read_bytes() for path in made.out.rglob("*") if path.is_file()}
        assert [path for path in made.out.parent.iterdir() if path.name.endswith(".draft")] == []


def test_a_site_where_a_file_is_or_nobody_can_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file/site"):
        with pytest.raises(HarnessError, match=r"something else than a site|cannot write"):
            Folder(out, TODAY)
    assert (tmp_path / "file").read_text() == "mine"


def test_drafts_of_sites_that_were_killed_are_removed_and_those_in_work_are_not(
    tmp_path: Path,
) -> None:
    (tmp_path / ".site.1-ab.draft/data").mkdir(parents=True)
    with Folder(tmp_path / "site", TODAY) as one, Folder(tmp_path / "site", TODAY) as other:
        assert not (tmp_path / ".site.1-ab.draft").exists()
        assert one.draft != other.draft and one.draft.is_dir() and other.draft.is_dir()
        one.file("index.html", "one")
        other.file("index.html", "other")
        one.done()
        other.done()
    assert (tmp_path / "site/index.html").read_text() == "other"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_site_replaces_another_where_folders_cannot_be_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replace_folder, "exchange", lambda one, other: False)
    for text in ("one", "other"):
        with Folder(tmp_path / "site", TODAY) as folder:
            folder.file("index.html", text)
            folder.done()
    assert (tmp_path / "site/index.html").read_text() == "other"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("address", ["../x.html", "/tmp/x.html", "data/../../x"])
def test_no_page_is_written_outside_the_site(tmp_path: Path, address: str) -> None:
    with (
        Folder(tmp_path / "site", TODAY) as folder,
        pytest.raises(HarnessError, match="does not lie below"),
    ):
        folder.file(address, "x")


def test_an_option_check_that_somebody_shortened_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    entry = night(NIGHTS - 1, EPYC, np.random.default_rng(1))
    cells = tuple(replace(cell, effects=({"option": "nfe_steps"},)) for cell in entry.cells)
    made = make_site(tmp_path, [replace(entry, cells=cells)])
    assert "nfe_steps not observed Asked for" in Page(made.text("run-1.html")).text()
