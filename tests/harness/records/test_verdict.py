"""A judgement survives JSON."""

import json
from pathlib import Path

import pytest

from tests.harness.fake_runs import accepted, good_run, judged
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.verdict import judgement_from_dict, judgement_to_dict


def test_a_judgement_survives_json(tmp_path: Path) -> None:
    judgement = judged(good_run(), accepted(tmp_path), pesq=Missing("crashed"))
    again = judgement_from_dict(
        json.loads(json.dumps(judgement_to_dict(judgement), allow_nan=False))
    )
    assert again == judgement


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"verdict": "GREAT"}, {"extra": 1}])
def test_a_strange_judgement_is_refused(tmp_path: Path, change: dict) -> None:
    data = judgement_to_dict(judged(good_run(), accepted(tmp_path)))
    with pytest.raises(HarnessError, match="judge the run again"):
        judgement_from_dict({**data, **change})
