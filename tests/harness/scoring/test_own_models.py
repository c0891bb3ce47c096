"""Networks of the user's own from the suite to the verdict: tried, scored, kept by content."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.metrics.speech import PATH, speech
from tests.harness.own_networks import brightness, voiceprint
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.policy import read_policy
from voxgate.harness.metrics.registry import select_metrics
from voxgate.harness.models.own_model import records_of
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.measurement import Missing, MissingKind
from voxgate.harness.records.own_model import OwnModel, model_entries
from voxgate.harness.runner import run_folder
from voxgate.harness.scoring import own_models
from voxgate.harness.scoring.own_models import check_models, located
from voxgate.harness.scoring.scorer import score_quality
from voxgate.harness.scoring.tasks import AudioJob

SUITE = """
from voxgate import Suite

suite = Suite(
    target="scripted",
    pipeline="any",
    workload="two.toml",
    cells=[{}],
    fixed={"audio_s": 1.0},
    repeats=1,
    metrics=[],
    models={"utmos": "net.onnx"},
)
"""
LIMIT = '{ absolute = 0.1, blocking = true, against = "intrinsic", evidence = "none" }'
WORKLOAD = '[[request]]\nid = "r1"\ntext = "One."\n'


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_scores_are_kept_by_the_content_of_the_file(tmp_path: Path) -> None:
    entries = model_entries(
        {
            "utmos": brightness(tmp_path / "score.onnx"),
            "wavlm": {"path": voiceprint(tmp_path / "voice.onnx"), "kind": "embedding"},
        }
    )
    models = records_of(entries)
    names = [each.name for each in select_metrics((), (), models) if "_" in each.name]
    names = [name for name in names if name.endswith(("_utmos", "_wavlm"))]
    job = AudioJob(
        key="a", utterance="a", path=PATH, text="", reference=PATH, models=located(models)
    )
    scores = score_quality([job], cache_dir=tmp_path / "scores", metrics=names)["a"]
    steps = np.abs(np.diff(speech())).mean() / np.abs(speech()).mean()
    assert scores.values["mos_utmos"] == pytest.approx(steps, rel=1e-3)
    assert scores.values["similarity_wavlm"] == pytest.approx(1.0)
    assert isinstance(scores.values["golden_similarity_wavlm"], Missing)
    assert "voice_similarity_wavlm" not in scores.values  # no recording of the voice
    assert scores.versions["mos_utmos"].endswith(models["utmos"].dependency)
    (tmp_path / "score.onnx").unlink()
    job = replace(job, models=located(models))
    gone = score_quality([job], cache_dir=tmp_path / "other", metrics=["mos_utmos"])["a"]
    value = gone.values["mos_utmos"]
    assert isinstance(value, Missing)
    assert value.kind is MissingKind.NOT_INSTALLED


def test_a_suite_is_measured_judged_and_reported_with_it(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "own.py").write_text(SUITE)
    (tmp_path / "two.toml").write_text(WORKLOAD)
    assert invoke(["run", "own"]) == 2
    assert "net.onnx does not exist" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    brightness(tmp_path / "net.onnx")
    assert invoke(["run", "own"]) == 0
    assert invoke(["accept", "runs/0001", "--why", "first", "--loaded"]) == 0
    stored = "".join(path.read_text() for path in Path("baselines").rglob("*.json"))
    assert "mos_utmos" in stored
    run = run_folder.load_run(tmp_path / "runs" / "0001")
    assert str(tmp_path) not in repr(run.models)
    policy = f"schema_version = 1\n[metrics]\nmos_utmos = {LIMIT}\n"
    (tmp_path / "baselines" / "policy.toml").write_text(policy)
    assert invoke(["gate", "runs/0001"]) in (0, 3)
    assert "mos_utmos" in capsys.readouterr().out


def test_what_crashes_or_hangs_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = brightness(tmp_path / "net.onnx")
    for outcome, reason in (
        (own_models.Crashed(), "crashed the process"),
        ("no graph", "no graph"),
    ):
        monkeypatch.setattr(own_models, "run_isolated", lambda *_, told=outcome: [(0, told)])
        with pytest.raises(HarnessError, match=f"models: utmos: {reason}"):
            check_models({"utmos": path})


def test_a_strangers_record_is_checked_where_it_is_read() -> None:
    good = {"sha256": "0" * 64, "kind": "mos", "rate_hz": 16_000}
    assert to_json(from_json(OwnModel, good)) == good
    for wrong in ({"sha256": "../../etc"}, {"kind": "x"}, {"rate_hz": 1}, {"path": "/etc/passwd"}):
        with pytest.raises(HarnessError):
            from_json(OwnModel, {**good, **wrong})


def test_a_policy_may_limit_them(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f"schema_version = 1\n[metrics]\nphone_mos_utmos = {LIMIT}\n")
    assert read_policy(path, ("wer",))["phone_mos_utmos"].absolute == 0.1
    path.write_text(f"schema_version = 1\n[metrics]\nmoss_utmos = {LIMIT}\n")
    with pytest.raises(HarnessError, match="no such metric"):
        read_policy(path, ("wer",))
