"""The comment on a pull request, compared as text for every kind of outcome, and attacked."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.harness.report.making import passed, regressed
from tests.harness.report.outcomes import EVIL, GOLDEN, OUTCOMES, PLACE, drawn, paired, written
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.format import LIMIT
from voxgate.harness.report.pr_comment import MARKER, CommentLinks, comment, headline

MANY = 250
"""Cells; their reasons alone are longer than a comment may be."""
AGAIN = "if the new one is right: python -m tests.harness.report.outcomes"


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_outcome_reads_as_drawn(name: str) -> None:
    assert drawn(name) == (GOLDEN / f"{name}.md").read_text(encoding="utf-8"), AGAIN


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.md")} == set(OUTCOMES)


def test_a_stranger_s_text_becomes_no_markup_and_no_command() -> None:
    found = drawn("hostile")
    tokens = [
        each
        for token in MarkdownIt("commonmark").enable("table").parse(found)
        for each in (token, *(token.children or ()))
    ]
    links = [token.attrs["href"] for token in tokens if token.type == "link_open"]
    assert links == [f"{PLACE.page}#listen", PLACE.page, PLACE.log]
    html = [token.content for token in tokens if token.type.startswith("html")]
    assert html[0] == f"{MARKER}\n"
    assert {re.sub("<summary>[A-Za-z,() 0-9-]+</summary>", "", each) for each in html[1:]} == {
        *("<details>\n", "</details>\n", "<sub>", "</sub>")
    }
    assert not {"image", "code_inline", "code_block"} & {token.type for token in tokens}
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h3"]
    [drawn_shifts] = [token.content for token in tokens if token.type == "fence"]
    assert len(drawn_shifts.splitlines()) == found.count("●") + 1
    outside = found.replace(drawn_shifts, "")
    assert "@all" not in outside
    assert found.count(MARKER) == 1
    assert "\x1b" not in found


def test_a_broken_utterance_is_linked_to_its_place_on_the_page() -> None:
    document = paired_document("one-broken")
    linked = f"- nfe=8: [u06]({PLACE.page}#u=u06) pesq 3.60 → 2.40\n"
    assert f"Hear first:\n\n{linked}" in comment(document, PLACE)
    assert f"**Hear the old voice and the new:** [u06]({PLACE.page}#u=u06) · " in comment(
        document, PLACE
    )
    assert "- nfe=8: u06 pesq 3.60 → 2.40\n" in comment(document, CommentLinks())
    for cell in document["cells"]:
        for metric in cell["metrics"]:
            for each in metric.get("utterances", ()):
                each["id"] = "u06](https://evil.example) @all"
            spread = (metric["comparison"] or {}).get("spread")
            if spread:
                spread["worst"] = "u06](https://evil.example) @all"
    told = comment(document, PLACE)
    assert "](https://evil.example)" not in told
    assert "@all" not in told
    assert "#u=" not in told


def test_the_verdict_is_counted_and_not_believed() -> None:
    document = paired_document("regressed-speed")
    told = {
        **document,
        "verdict": "PASS",
        "exit_code": 0,
        "counts": {"PASS": 2},
        "line": "PASS: 2 passed",
    }
    assert comment(told, PLACE) == drawn("regressed-speed")
    found = headline(told)
    assert (found.verdict, found.exit_code) == (Verdict.REGRESSED, 1)
    assert found.line == "REGRESSED: 1 regressed, 1 passed"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("suite", "smoke; rm -rf ~"),
        ("suite", "$(x)"),
        ("profile", "--out=/etc"),
        ("profile", "a`b"),
        ("suite", "-x"),
    ],
)
def test_a_command_is_made_of_known_words_or_not_at_all(field: str, value: str) -> None:
    assert "Reproduce" not in comment({**paired_document("regressed-speed"), field: value}, PLACE)


def test_a_commit_that_is_none_is_in_no_command() -> None:
    document = paired_document("pass")
    document["revisions"]["base"]["commit"] = "$(curl evil)"
    assert "evil" not in comment(document, PLACE)


def test_the_working_tree_is_named_as_such() -> None:
    document = paired_document("pass")
    document["revisions"]["head"]["changed_files"] = 2
    assert "voxgate ab 3fa1c2e00000 . smoke" in comment(document, PLACE)


def test_changed_settings_are_read_from_the_remarks_and_not_from_the_text() -> None:
    document = paired_document("other-setting")
    for cell in document["cells"]:
        cell["notes"] = cell["reason"] = "reworded"
        for remark in cell["remarks"]:
            assert remark["kind"] == "settings"
            remark["facts"] = ["depth was 8, is 7", "width was 3, is 4"]
    assert "In effect, and not as asked or as before:\n\n- " in comment(document, PLACE)
    assert ": depth was 8, is 7, width was 3, is 4\n" in comment(document, PLACE)


def test_a_remark_of_a_newer_version_is_read_and_left_out() -> None:
    document = paired_document("other-setting")
    for cell in document["cells"]:
        for remark in cell["remarks"]:
            remark["kind"] = "moon_phase"
    assert "In effect, and not" not in comment(document, PLACE)


def test_many_changed_cells_are_reproduced_whole() -> None:
    assert "smoke --profile cpu`" in comment(
        with_cells(paired_document("regressed-speed"), 4), PLACE
    )


@pytest.mark.parametrize("reason", ["x" * 400, "@|<" * 200, "\N{MUSICAL SYMBOL G CLEF}" * 500])
def test_a_comment_keeps_github_s_limit_and_says_how_many_cells_are_left_out(reason: str) -> None:
    document = with_cells(paired_document("regressed-speed"), MANY, reason=reason)
    document |= {"notes": [reason] * MANY, "in_effect": {f"c{n}": [reason] for n in range(MANY)}}
    found = comment(document, PLACE)
    rows = found.count("** REGRESSED: ")
    assert len(found.encode("utf-16-le")) // 2 <= LIMIT + 1
    assert 5 < rows < MANY
    assert f"{MANY - rows} more cells are left out here" in found
    assert "Reproduce: " in found
    assert PLACE.page in found


NO_JUDGEMENT = {
    "list": [],
    "empty": {},
    "text": "PASS",
    "other schema": {"schema_version": 99, "cells": []},
    "cells are no list": {"cells": 7},
    "label is no text": {
        "cells": [
            {"cell": "a", "label": 7, "verdict": "PASS", "reason": "", "notes": "", "metrics": []}
        ]
    },
    "unknown verdict": {
        "cells": [
            {"cell": "a", "label": "a", "verdict": "FINE", "reason": "", "notes": "", "metrics": []}
        ]
    },
    "notes are a number": {"notes": 7},
    "revisions are a list": {"revisions": [1]},
    "in_effect is a list": {"in_effect": [1]},
}


@pytest.mark.parametrize("name", NO_JUDGEMENT)
def test_what_is_no_judgement_is_refused_in_one_line(name: str) -> None:
    broken: Any = NO_JUDGEMENT[name]
    document = (
        {**paired_document("pass"), **broken} if isinstance(broken, dict) and broken else broken
    )
    with pytest.raises(HarnessError):
        comment(document, PLACE)


@pytest.mark.parametrize("number", ["1e999", "NaN", '"9"', "[]", "true"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    text = json.dumps(paired_document("regressed-speed")).replace(
        '"shift": 0.1', f'"shift": {number}, "was": 0.1'
    )
    assert number in text
    with pytest.raises(HarnessError):
        comment(json.loads(text), PLACE)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "https://e.com/) [x](https://evil", "https://a b"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(HarnessError, match="is no address to link to"):
        comment(paired_document("pass"), CommentLinks(page=address))


def test_a_comment_says_first_what_broke_its_limit_and_by_how_much() -> None:
    lines = drawn("regressed-speed").splitlines()
    assert lines[2] == "### ❌ smoke, nfe=8: 10 % slower (limit 5 %)"
    assert lines[4] == "**REGRESSED**: ❌ 1 regressed · ⚠️ 0 undecided · ✅ 1 passed"
    table = [[each.strip() for each in line.split("|")[1:-1]] for line in lines[6:10]]
    assert table[0] == ["metric", "base", "head", "change \\[95 %\\]", "limit"]
    told = "❌ **latency\\_p50**, nfe=8|100 ms|110 ms|**+10.0 %** \\[+9.9 +10.1\\]|+5 %".split("|")
    assert [each.replace("\N{NO-BREAK SPACE}", " ") for each in table[2]] == told
    assert table[3][0] == "❌ **rtf**, nfe=8"


@pytest.mark.parametrize(("high", "row"), [(0.2, "pesq of u06"), (-0.2, "pesq")])
def test_one_utterance_is_told_where_the_mean_proves_nothing(high: float, row: str) -> None:
    document = paired_document("one-broken")
    for cell in document["cells"]:
        for metric in cell["metrics"]:
            if metric.get("utterances"):
                metric["comparison"] |= {"shift": -0.3, "low": -0.8, "high": high}
    found = comment(document, PLACE)
    assert f"| ❌ **{row}**, nfe=8 |".replace("pesq of u06", "pesq\xa0of\xa0u06") in found
    assert f"### ❌ smoke, nfe=8: {row} " in found


def test_cells_with_one_cause_share_its_rows() -> None:
    found = comment(with_cells(paired_document("regressed-speed"), 30), PLACE)
    rows = [line for line in found.splitlines() if line.startswith("| ❌")]
    assert [row.split("|")[1].strip() for row in rows] == [
        "❌ **latency\\_p50**, c=0 and 29 more cells",
        "❌ **rtf**, c=0 and 29 more cells",
    ]
    assert "### ❌ smoke, 30 cells, worst c=0: 10 % slower (limit 5 %)" in found


def test_advisory_changes_are_no_row_and_no_heading() -> None:
    document = paired_document("regressed-speed")
    for cell in document["cells"]:
        for metric in cell["metrics"]:
            metric["blocking"] = False
        cell["verdict"] = "PASS"
    found = comment(document, PLACE)
    assert "### ✅ smoke: nothing got slower or worse" in found
    assert "| ❌" not in found


def test_every_shift_is_drawn_on_the_scale_of_its_limit() -> None:
    fence = re.search(r"```text\n(.*?)```", drawn("regressed-speed"), re.DOTALL)
    assert fence is not None
    head, first, *_ = fence[1].splitlines()
    drawing = first.split()[2]
    zero, limit, point = (drawing.index(each) for each in "│┊●")
    assert (limit - zero) * 2 == point - zero, "10 % stands twice as far out as a limit of 5 %"
    assert len(drawing) == 2 * zero + 1
    assert head.index("0") == first.index(drawing) + zero


def test_no_picture_is_drawn_where_nothing_moved() -> None:
    assert "```" not in drawn("pass")


def test_where_no_comment_can_accept_the_commands_stand_there(tmp_path: Path) -> None:
    document = paired(regressed(tmp_path))
    assert 'voxgate accept runs/accept --only quality --why "REASON"' in comment(
        document, CommentLinks()
    )
    assert '`voxgate accept RUN --why "REASON"` with the folder' in comment(
        {**document, "revisions": None}, CommentLinks()
    )


def test_what_passed_needs_no_accepting(tmp_path: Path) -> None:
    found = comment(paired(passed(tmp_path)), PLACE)
    assert "/voxgate accept" not in found
    assert "<summary>Reproduce</summary>" in found


def test_a_comment_needs_no_package_installed() -> None:
    script = Path(__file__).parents[3] / "harness" / "ci" / "from_checkout.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), "comment", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def paired_document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(written(name))
    return document


def with_cells(document: dict[str, Any], count: int, **changes: object) -> dict[str, Any]:
    """Give a document so many cells that regressed."""
    one = next(each for each in document["cells"] if each["verdict"] == "REGRESSED")
    return {
        **document,
        "cells": [
            {**one, **{name: f"{n} {text}" for name, text in changes.items()}}
            | {"cell": f"c{n}", "label": f"c={n}"}
            for n in range(count)
        ],
    }


def test_the_hostile_text_is_in_the_document() -> None:
    """Else the test above proves nothing."""
    assert json.dumps(paired_document("hostile")).count(json.dumps(EVIL)[1:-1]) > 20
