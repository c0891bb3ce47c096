"""Python 3.10 is the oldest: what is newer is in one module of each package, and nowhere else."""

import re
import subprocess
import sys
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_architecture import ROOT
from voxgate.engine import python310 as of_engine
from voxgate.harness import python310
from voxgate.harness.records.documents import parse_toml

OLDEST = "3.10"
VERMIN = "from vermin import main; main()"
FORMS = (
    "%Y-%m-%d",
    "%Y%m%d",
    "%Y-%m-%dT%H",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y%m%dT%H%M%S",
    "%Y%m%dT%H%M%S,5+0530",
    "%Y-%m-%dT%H:%M:%S.12345678-02",
    "%Y-%m-%dT%H:%M:%S+01:30:15",
    "%Y-%m-%dT%H:%M:%S+00:00",
    "%Y-%m-%dx%H:%M",
)


def test_tests_use_no_newer_interface():
    """What mypy does for the packages, whose `python_version` is the oldest."""
    found = subprocess.run(
        [
            *(sys.executable, "-c", VERMIN, f"-t={OLDEST}-", "--no-tips", "--eval-annotations"),
            *("--violations", "tests", "suites", "docs"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-2000:]


def test_every_tool_aims_at_the_oldest_version():
    project = parse_toml((ROOT / "pyproject.toml").read_text())
    makefile = (ROOT / "Makefile").read_text()
    checked = re.search(r"version_info >= \(3, (\d+)\)", makefile)

    assert project["project"]["requires-python"] == f">={OLDEST}"
    assert project["tool"]["mypy"]["python_version"] == OLDEST
    assert "target-version" not in project["tool"]["ruff"], "ruff reads requires-python"
    assert checked is not None
    assert f"3.{checked[1]}" == OLDEST
    assert f"voxgate needs Python {OLDEST} or newer" in makefile
    assert f'"{OLDEST}"' in (ROOT / ".github/workflows/ci.yml").read_text()


@given(
    moment=st.datetimes(datetime(1000, 1, 1), datetime(9998, 12, 31)), form=st.sampled_from(FORMS)
)
def test_every_form_of_a_time_is_written_as_3_10_reads_it(moment, form):
    text = moment.strftime(form)
    written = python310._as_isoformat(text)

    assert _reads_3_10(written)
    if sys.version_info >= (3, 11):
        assert datetime.fromisoformat(written) == datetime.fromisoformat(text)
    assert python310.parse_iso(text) == python310.parse_iso(written)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-1120", "2026-13-01", "20", "2026-11-20T"])
def test_what_is_no_time_stays_an_error(text):
    with pytest.raises(ValueError, match=r"."):
        python310.parse_iso(python310._as_isoformat(text))


def test_a_time_of_another_service_is_read():
    assert python310.parse_iso("2026-11-20T02:00:00Z") == datetime(
        2026, 11, 20, 2, tzinfo=timezone.utc
    )


@pytest.mark.parametrize("module", [python310, of_engine])
def test_a_text_enumeration_prints_as_its_text(module):
    class Colour(module.StrEnum):
        RED = "red"

    assert (str(Colour.RED), f"{Colour.RED:>4}", "%s" % Colour.RED) == ("red", " red", "red")  # noqa: UP031
    assert Colour("red") is Colour.RED


def _reads_3_10(text):
    """Whether Python 3.10's `datetime.fromisoformat` reads a text, by its documentation."""
    offset = r"[+-]\d\d:\d\d(:\d\d(\.\d{6})?)?"
    clock = r"\d\d(:\d\d(:\d\d(\.\d{3}|\.\d{6})?)?)?"
    return re.fullmatch(rf"\d{{4}}-\d\d-\d\d(.{clock}({offset})?)?", text) is not None
