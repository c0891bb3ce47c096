"""Makes contents of reports: the runs of the judges' tests, judged, with audio out of nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.harness.fake_runs import (
    REQUESTS,
    accepted,
    good_run,
    make_run,
    make_scores,
    policy,
    steady,
    with_audio,
)
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.judging.accept import accept
from voxgate.harness.judging.baseline import Baseline, load_baseline
from voxgate.harness.judging.judge import judge
from voxgate.harness.records.cell import Request, Workload
from voxgate.harness.records.environment import environment_from_json
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import UNSEEN, HeardText, OptionCheck, Run
from voxgate.harness.report.contents import Report, build_report, measured_before
from voxgate.harness.runner.recordings import KeptAudio, Take

HOSTILE = '</script><script>alert("x")</script><img src=x onerror=alert(1)> & \'"'
RATE_HZ = 16_000
NOTHING = Baseline(quality=None, speed=None)


def contents(run: Run, baseline: Baseline = NOTHING, **changes: object) -> Report:
    measurements = aggregate(run, make_scores(run, **changes))
    judgement = judge(run, measurements, baseline, policy())
    before = measured_before(baseline)
    return build_report(run, measurements, judgement, before=before, policy=policy())


def passed(tmp_path: Path) -> Report:
    return contents(good_run(), accepted(tmp_path))


def regressed(tmp_path: Path) -> Report:
    """nfe=8 is a tenth slower, in its vocoder, and nobody listened."""
    run = make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.11)}, "runs/0002")
    return contents(run, accepted(tmp_path))


def one_broken(tmp_path: Path) -> Report:
    """The sixth sentence of nfe=8 is broken; the mean over all of them passes."""
    pesq = {name: 2.4 if name == "u06" else 3.65 for name in REQUESTS}
    return contents(good_run("runs/0002"), accepted(tmp_path), pesq=pesq)


def unheard() -> Report:
    """No baseline, and no ASR for nfe=8."""
    return contents(good_run(), wer=Missing("no ASR weights"))


def lied_to(tmp_path: Path) -> Report:
    """Asked for 8 steps, took 32."""
    lie = OptionCheck(
        option="nfe_steps", requested=8, observed="32", in_effect=False, reason="DiT ran 32 times"
    )
    run = good_run(effects=(lie,))
    processes = tuple(replace(p, effects=lie_of(p.cell, lie)) for p in run.processes)
    return contents(replace(run, processes=processes), accepted(tmp_path))


def unobserved(tmp_path: Path) -> Report:
    """A server was asked for a voice, and nothing shows whether it took it."""
    voice = OptionCheck(
        option="voice",
        requested="alloy",
        observed=UNSEEN,
        in_effect=None,
        reason="sent, and not refused",
    )
    return contents(good_run(effects=(voice,)), accepted(tmp_path))


def misheard(tmp_path: Path) -> Report:
    """One sentence has another word, which an attacker wrote."""
    said = {name: HeardText(text=f"text {name}", recogniser="tiny.en") for name in REQUESTS}
    run = with_audio(replace(good_run(tmp_path / "runs/0001"), heard={"nfe-8": said}))
    accept(run, aggregate(run, make_scores(run)), "first", tmp_path / "baselines")
    baseline = load_baseline(tmp_path / "baselines", "smoke", "box-2c")
    now = {**said, "u03": HeardText(text="text <b>three</b> | \x1b[31m", recogniser="tiny.en")}
    return contents(replace(good_run(), heard={"nfe-8": now}), baseline, snr=15.0, pesq=3.2)


def lie_of(cell: str, lie: OptionCheck) -> tuple[OptionCheck, ...]:
    return (lie,) if cell == "nfe-8" else ()


def hostile() -> Report:
    """Every text that comes from outside is an attack."""
    run = good_run()
    texts = tuple(Request(id=r.id, text=HOSTILE) for r in run.cells[0].workload.requests)
    cells = tuple(replace(cell, workload=Workload(name="w", requests=texts)) for cell in run.cells)
    bad = OptionCheck(
        option=HOSTILE, requested=HOSTILE, observed=HOSTILE, in_effect=False, reason=HOSTILE
    )
    processes = tuple(
        replace(p, effects=(bad,), effective={HOSTILE: HOSTILE}) for p in run.processes
    )
    run = replace(
        run,
        question=HOSTILE,
        cells=cells,
        excluded={HOSTILE: HOSTILE},
        profile=HOSTILE,
        environment=environment_from_json(
            {
                "machine": {"id": HOSTILE, HOSTILE: [HOSTILE]},
                "toolchain": {"commit": HOSTILE},
            }
        ),
        processes=processes,
    )
    return contents(run, pesq=Missing(HOSTILE))


class Voices:
    """Gives each cell and request its own tone; the golden one is the reference's."""

    def __init__(self, seconds: float = 0.2) -> None:
        self.seconds = seconds

    def __call__(self, request: str) -> tuple[Take, ...]:
        reference, other = self._tone("nfe-32", request), self._tone("nfe-8", request)
        return (
            Take(when="golden", cell="nfe-32", sound=reference),
            Take(when="current", cell="nfe-32", sound=reference),
            Take(when="current", cell="nfe-8", sound=other),
        )

    def _tone(self, slug: str, request: str) -> KeptAudio:
        pitch_hz = 300.0 + 40.0 * int(request.lstrip("u")) + (1000.0 if slug == "nfe-8" else 0.0)
        time_s = np.arange(int(self.seconds * RATE_HZ)) / RATE_HZ
        frames = (0.2 * np.sin(2 * np.pi * pitch_hz * time_s)).astype(np.float32)
        return KeptAudio(frames=frames, rate_hz=RATE_HZ)


def silence(request: str) -> tuple[Take, ...]:
    return ()
