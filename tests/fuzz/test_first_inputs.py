"""
The first input of every fault that the fuzzers found, smallest first; each failed before its fault
was mended.
"""

import copy
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.driver import outcome
from tests.fuzz.kinds import KINDS
from tests.harness.report.outcomes import written

FIRST: dict[str, tuple[str, bytes]] = {
    "an axis is text": (
        "suites",
        b'{"pipeline":"","workload":"","reference":{"":""},"axes":"","cells":[{"":""}]}',
    ),
    "a cell is a number": (
        "suites",
        b'{"pipeline":"","workload":"","reference":{"":""},"axes":{"":[""]},"cells":[0.5]}',
    ),
    "cells are a number": (
        "suites",
        b'{"pipeline":"","workload":"","reference":{"":""},"axes":{"":["",1]},"cells":1}',
    ),
    "without holds a number": (
        "suites",
        b'{"pipeline":"","workload":"","reference":{"":""},"axes":{"":[4]},"without":[2]}',
    ),
    "fixed is NaN": (
        "suites",
        b'{"pipeline":"","workload":"","reference":{"":""},"axes":{"":[""]},"fixed":NaN}',
    ),
    "the workload is a number": (
        "suites",
        b'{"pipeline":"","workload":0.0,"reference":{"a":1},"axes":{"a":[1]}}',
    ),
    "conditions are a number": (
        "suites",
        b'{"pipeline":"","workload":"two.toml","reference":{"a":1},"axes":{"a":[1]},"conditions":120}',
    ),
    "ticks beyond every float": (
        "files of the system",
        b"virtual/proc/stat\ncpu  100 0 50 800 0 0 0 " + b"9" * 5000,
    ),
    "clocks beyond every float": (
        "files of the system",
        b"orin_nano/sys/class/devfreq/17000000.gpu/available_frequencies\n" + b"9" * 5000,
    ),
    "a time beyond every float": (
        "files of the system",
        b"thor/proc/self/schedstat\n1000000000 " + b"9" * 5000,
    ),
    "encoded as the headers do not say": (
        "HTTP answers",
        b'models 200 wav 9\n{"content-encoding": "gzip"}\n\n{"',
    ),
    "an option beyond every float": (
        "HTTP answers",
        b'models 200 wav 999\n{}\n\n{"data": [{"id": "a", "options": {"ne": 1'
        + b"0" * 400
        + b"}}]}",
    ),
    "a requirement that is a number": ("pyproject.toml", b"[project]\ndependencies = [9]\n"),
    "nested beyond reading": ("pyproject.toml", b"l=" + b"[" * 3000),
    "a build requirement that is a number": ("pyproject.toml", b"[build-system]\nrequires=[nan]"),
    "half a character in an address": ("database URLs", b"postgres:///\xed\xa0\x80"),
    "half a character for a password": ("database URLs", b"postgresql+psycopg://:\xed\xa0\x80@"),
    "a length of other digits": (
        "speech requests",
        b'POST /v1/audio/speech\n{"content-type": "application/json", "content-length": '
        b'"\\u00b2"}\n\n{}',
    ),
    "a length beyond reading": (
        "speech requests",
        b'POST /v1/audio/speech\n{"content-type": "application/json", "content-length": "'
        + b"9" * 5000
        + b'"}\n\n{}',
    ),
    "half a character for a field": (
        "speech requests",
        b'POST /v1/audio/speech\n{"content-type":"application/json"}\n\n{"\\ud800":""}',
    ),
    "parts of an archive that lie before it": (
        "comments and artifacts",
        b"zPK\x01\x02\x14\x03\x14\x00\x00\x00\x08\x00\xf05~]\x7f\xcfo\xd7\x9d\x02\x00\x00[\x07\x00\x00\x01\x00\x00\x00\x00\x00"
        b"\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00aPK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x2f\x00\x00\x00\x12\x00"
        b"\x00\x00\x00\x00",
    ),
    "a file of an archive without a name": (
        "comments and artifacts",
        b"zPK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\xf05~]\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        b"\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00.\x00\x00\x00\x00\x00"
        b"\x00\x00\x00\x00",
    ),
}


IN_DOCUMENTS = ("shift", "low", "current")
"""Numbers of a judgement that were believed to be floats; and its counts."""


def mended() -> Counter[str]:
    """Count the faults by kind."""
    kinds = Counter(kind for kind, _ in FIRST.values())
    kinds["documents of pull requests"] += 2  # of numbers, and of counts
    return kinds


@pytest.mark.parametrize("name", FIRST)
def test_the_first_input_is_no_fault_any_more(name: str, tmp_path: Path) -> None:
    kind, content = FIRST[name]
    fuzzer = KINDS[kind](tmp_path)
    place, words = outcome(fuzzer, content)
    getattr(fuzzer, "close", lambda: None)()
    assert place == ("read" if "beyond every float" in name else "refused"), (place, words)


def test_a_number_beyond_every_float_in_a_judgement_is_refused(tmp_path: Path) -> None:
    fuzzer = KINDS["documents of pull requests"](tmp_path)
    document = json.loads(written("regressed-speed"))
    for cell in document["cells"]:
        for metric in cell["metrics"]:
            for name in IN_DOCUMENTS:
                if metric["comparison"] is not None:
                    changed = copy.deepcopy(document)
                    place = changed["cells"][document["cells"].index(cell)]["metrics"][
                        cell["metrics"].index(metric)
                    ]
                    place["comparison"][name] = 10**400
                    assert outcome(fuzzer, json.dumps(changed).encode())[0] == "refused", name
    document["counts"] = {"PASS": float("inf")}
    assert outcome(fuzzer, json.dumps(document).encode())[0] == "refused"
