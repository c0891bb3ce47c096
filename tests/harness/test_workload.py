import runpy
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.workload import known_workloads, load_workload

MAKER = runpy.run_path(str(Path(__file__).with_name("make_workloads.py")))


@pytest.mark.parametrize("name", MAKER["CHOICE"])
def test_a_shipped_workload_is_a_copy_of_the_held_out_sentences(name: str) -> None:
    text = (MAKER["FOLDER"] / f"{name}.toml").read_text(encoding="utf-8")
    assert text == MAKER["workload_text"](name), "run tests/harness/make_workloads.py"


@pytest.mark.parametrize(("name", "count"), [("smoke", 8), ("everyday-short", 24), ("everyday-200", 200)])
def test_shipped_workloads_use_both_speakers_equally(name: str, count: int) -> None:
    requests = load_workload(name).requests
    assert len(requests) == count
    assert sum(request.options["speaker"] == "slt" for request in requests) == count // 2


def test_a_sentence_is_the_same_request_in_every_workload() -> None:
    everything = {request.id: request for request in load_workload("everyday-200").requests}
    for name in known_workloads():
        assert all(everything[request.id] == request for request in load_workload(name).requests)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[request]\n", "is not valid TOML: .*line 1"),
        ("", "must hold one or more"),
        ("[[requests]]\nid = 'a'\ntext = 'b'\n", "it holds requests"),
        ("[[request]]\nid = 'a/b'\ntext = 'b'\n", "request 1: id must be text of"),
        ("[[request]]\nid = 'a'\ntext = ' '\n", "request a: text must be text to speak"),
        ("[[request]]\nid = 'a'\ntext = 'b'\nspeaker = ['x']\n", "request a: speaker must be one word or number"),
        ("[[request]]\nid = 'a'\ntext = 'b'\n" * 2, "more than once: a"),
    ],
)
def test_a_malformed_workload_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "w.toml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=message):
        load_workload(str(path))
