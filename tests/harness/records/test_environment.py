"""The environment of a run: typed where it decides, and whole again as JSON."""

import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.identity import environment, machine, toolchain
from voxgate.harness.records.environment import MOST_LETTERS, environment_from_json, facts_of

WHOLE = {
    "machine": {"id": "box-2c", "cores": 2, "gpus": ["x"], "former_id": "box"},
    "toolchain": {"python": "3.11", "commit": "3fa1c2e", "branch": "main", "dirty_files": 2},
    "before": {"load_1min": 0.2},
    "after": {},
    "finished": "2026-11-21T00:01:00+00:00",
    "power": "no power meter: no RAPL",
}


@pytest.mark.parametrize("data", [WHOLE, {}, {"machine": {"id": "m"}, "before": {}}, {"new": 1}])
def test_an_environment_is_written_as_it_was_read(data: dict[str, object]) -> None:
    assert facts_of(environment_from_json(data)) == data


def test_its_keys_keep_their_order() -> None:
    data = facts_of(environment_from_json(WHOLE))
    assert [*data] == [*WHOLE] and [*data["machine"]] == [*WHOLE["machine"]]


def test_fields_have_what_decides() -> None:
    made = environment_from_json(WHOLE)
    assert (made.machine.id, made.machine.former_id) == ("box-2c", "box")
    assert made.machine.facts == {"cores": 2, "gpus": ["x"]}
    assert (made.toolchain.commit, made.toolchain.dirty_files) == ("3fa1c2e", 2)
    assert made.power == "no power meter: no RAPL"


def test_this_machine_is_read_whole() -> None:
    made = environment()
    assert facts_of(made.machine) == machine() and facts_of(made.toolchain) == toolchain()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"machine": []}, r"environment: machine: must be an object"),
        ({"machine": {"id": 3}}, r"machine\.id"),
        ({"machine": {"id": "m" * (MOST_LETTERS + 1)}}, r"machine\.id.* no longer than 200"),
        ({"toolchain": {"dirty_files": "many"}}, r"toolchain\.dirty_files"),
        ({"after": 3}, "after"),
    ],
)
def test_a_wrong_part_is_named(data: dict[str, object], words: str) -> None:
    with pytest.raises(HarnessError, match=words):
        environment_from_json(data)
