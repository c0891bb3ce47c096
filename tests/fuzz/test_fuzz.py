"""
The short form of the fuzzers, with a fixed seed; `make fuzz` is the long one. And that they find
what is there.
"""

import json
import random
from pathlib import Path
from typing import ClassVar

import pytest

from tests.fuzz.driver import FaultError, check_harmless, fuzz
from tests.fuzz.kinds import KINDS, shares
from tests.fuzz.mutate import CANARIES, SCRIPT, json_text
from voxgate.harness.errors import HarnessError

INPUTS = 2_000
SEED = 20261121


@pytest.mark.parametrize("kind", KINDS)
def test_no_input_of_a_kind_is_a_fault(kind: str, tmp_path: Path) -> None:
    tally = fuzz(KINDS[kind], SEED, inputs=shares(INPUTS)[kind], save=tmp_path)
    assert tally.faults == []
    assert tally.read + tally.refused == tally.inputs > 0


class Planted:
    """
    Has one fault: a traceback for an input that holds a certain byte; and one page that runs what
    it is told.
    """

    name: ClassVar[str] = "planted"
    share: ClassVar[float] = 1.0

    def __init__(self, folder: Path) -> None: ...

    def make(self, chance: random.Random) -> bytes:
        return bytes(chance.randrange(256) for _ in range(40))

    def read(self, content: bytes) -> None:
        if b"\x07" in content:
            raise KeyError(content)
        if content[:1] == b"\x08":
            check_harmless(f"<p>{SCRIPT}</p>", CANARIES)
        if content[:1] == b"\x09":
            raise HarnessError("no")

    def names(self, refusal: str) -> bool:
        return refusal != "no"


def test_a_planted_fault_is_found_shrunk_and_kept(tmp_path: Path) -> None:
    tally = fuzz(Planted, 1, inputs=3000, save=tmp_path)
    places = {each.place: each.first for each in tally.faults}
    crash = next(first for place, first in places.items() if place.startswith("KeyError"))
    assert crash == b"\x07"
    assert any(place.startswith("a canary") for place in places)
    assert any(place.startswith("a refusal that names nothing") for place in places)
    assert sorted(path.read_bytes() for path in tmp_path.glob("*.input")) == sorted(places.values())
    assert tally.to_json()["inputs"] == 3000


def test_the_same_seed_makes_the_same_inputs() -> None:
    makes = [
        [json_text({"a": [1, "b"]}, random.Random(number)) for number in range(50)]
        for _ in range(2)
    ]
    assert makes[0] == makes[1]
    assert len(set(makes[0])) > 20


def test_an_own_word_is_a_fault_with_its_place(tmp_path: Path) -> None:
    class Own(Planted):
        def read(self, content: bytes) -> None:
            raise FaultError("here", "why")

    tally = fuzz(Own, 1, inputs=3)
    assert [(each.place, each.words) for each in tally.faults] == [("here", "why")]
    json.dumps(tally.to_json())
