"""The end of the gate's step: outputs, summary, annotation, exit code."""

from pathlib import Path

import pytest

from tests.harness.report.outcomes import drawn, written
from voxgate.harness.ci.__main__ import main

NOT_ALL = "title=voxgate::nothing regressed, but not all was decided"


def left(folder: Path, name: str) -> Path:
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "index.html").write_text("<html>")
    (folder / "judgement.json").write_text(written(name))
    (folder / "comment.md").write_text(drawn(name))
    return folder


def outputs(folder: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, str], str]:
    files = {name: folder.parent / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for name, path in files.items():
        monkeypatch.setenv(name, str(path))
    assert main(["outputs", "--folder", str(folder), "--code", str(code)]) == 0
    lines = files["GITHUB_OUTPUT"].read_text().splitlines()
    return dict(line.split("=", 1) for line in lines), files["GITHUB_STEP_SUMMARY"].read_text()


def test_other_steps_get_verdict_code_and_page_and_the_summary_is_the_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left(tmp_path / "out", "regressed-speed")
    found, summary = outputs(folder, 1, monkeypatch)
    assert found == {
        "verdict": "REGRESSED",
        "exit-code": "1",
        "page": str(folder / "run/index.html"),
    }
    assert summary == drawn("regressed-speed")


def test_without_a_judgement_the_outputs_are_empty_and_the_summary_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "judgement.json").touch()
    found, summary = outputs(folder, 2, monkeypatch)
    assert found == {"verdict": "", "exit-code": "2", "page": ""}
    assert summary.startswith("**no verdict**")


def test_outside_of_a_job_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    assert main(["outputs", "--folder", str(tmp_path), "--code", "0"]) == 2
    assert "GITHUB_OUTPUT is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcome", "code", "undecided", "ends", "said"),
    [
        ("pass", 0, "warn", 0, ""),
        (
            "regressed-speed",
            1,
            "warn",
            1,
            "::error title=voxgate::REGRESSED: 1 regressed, 1 passed\n",
        ),
        ("unresolved", 3, "fail", 3, "::error title=voxgate::UNRESOLVED: 2 unresolved\n"),
        (
            "unresolved",
            3,
            "warn",
            0,
            f"::warning {NOT_ALL}: UNRESOLVED: 2 unresolved\n",
        ),
        (None, 0, "warn", 2, "::error title=voxgate::no judgement; the log says why\n"),
        (None, 2, "warn", 2, "::error title=voxgate::no judgement; the log says why\n"),
        (None, 130, "warn", 130, "::error title=voxgate::no judgement; the log says why\n"),
    ],
)
def test_the_step_ends_as_the_gate_did_but_for_what_is_undecided(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    outcome: str | None,
    code: int,
    undecided: str,
    ends: int,
    said: str,
) -> None:
    folder = tmp_path / "out" if outcome is None else left(tmp_path / "out", outcome)
    assert (
        main(["conclude", "--folder", str(folder), "--code", str(code), "--undecided", undecided])
        == ends
    )
    assert capsys.readouterr().out == said
