"""
The engine is broken on purpose, and the main job says what and where. Real engine, real processes,
real recogniser.

Each test changes one line of a copy of the engine's source, as a person would, and gives the
command of the README.
"""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(900)]

TRIES, UNDECIDED = 3, 3


def _said(done) -> str:
    """
    Everything that was printed, on one line: reasons are wrapped to the width of the terminal.
    """
    return " ".join((done.stdout + done.stderr).split())


def test_an_unchanged_engine_passes(accepted):
    """A busy machine may try again."""
    for _ in range(TRIES):
        done = accepted.check("--repeats", "2", "--budget", "60")
        if done.returncode != UNDECIDED:
            break
        accepted.measure_anew()

    assert done.returncode == 0, _said(done)
    assert done.stdout.strip().splitlines()[-1].startswith("PASS"), done.stdout


def test_a_vocoder_that_does_extra_work_is_slower_and_named(accepted, tmp_path):
    """
    Real work, 100 more passes through the backbone: twice as slow, beyond doubt. A busy machine may
    try again.
    """
    for attempt in range(TRIES):
        slow = accepted.broken(
            tmp_path / str(attempt),
            "vocoder/vocos.py",
            "        projected: Tensor = self.head(self.backbone(mel, mask))\n",
            "        for _ in range(100):\n            self.backbone(mel, mask)\n"
            "        projected: Tensor = self.head(self.backbone(mel, mask))\n",
        )
        done = slow.check("--repeats", "2", "--budget", "60", "--only", "default")
        if done.returncode != UNDECIDED:
            break
        accepted.measure_anew()

    assert done.returncode == 1, _said(done)
    assert "REGRESSED" in done.stdout and "% slower (limit" in _said(done), _said(done)
    assert "vocoder +" in _said(done), _said(done)


def test_a_default_that_silently_became_32_steps_is_named(accepted, tmp_path):
    back = accepted.broken(
        tmp_path,
        "config/flow.py",
        "    nfe_steps: int = option(\n        16, range=(1, 128)",
        "    nfe_steps: int = option(\n        32, range=(1, 128)",
    )
    done = back.check("--repeats", "2", "--budget", "0", "--only", "default")

    assert done.returncode == 1, _said(done)
    assert "nfe_steps was 16, is 32" in _said(done), _said(done)


def test_int8_that_quantises_nothing_fails_as_not_in_effect(accepted, tmp_path):
    lie = accepted.broken(
        tmp_path,
        "passes/quantization.py",
        "        _quantize(model, quantization)\n",
        "        pass\n",
    )
    done = lie.check("--repeats", "1", "--budget", "0")

    assert done.returncode == 1, _said(done)
    assert "FAILED" in done.stdout and "not in effect" in _said(done), _said(done)
    assert "0 of 59 Linear modules int8" in _said(done), _said(done)


def test_a_click_every_second_is_heard(accepted, tmp_path):
    clicking = accepted.broken(
        tmp_path,
        "audio/postprocess.py",
        "    return (audio * min(TARGET_RMS / rms, PEAK_LIMIT / peak)).astype(np.float32)\n",
        "    out = (audio * min(TARGET_RMS / rms, PEAK_LIMIT / peak)).astype(np.float32)\n"
        "    out[8000::16000] = 0.9\n    return out\n",
    )
    done = clicking.check("--repeats", "1", "--budget", "0", "--only", "default")

    assert done.returncode == 1, _said(done)
    assert "REGRESSED" in done.stdout and "clicks" in _said(done), _said(done)
