"""
The engine of the demonstration: flite's speech, passed on in stages that take a time of their own,
so that any machine shows the same picture. `CHANGE` is the line that a pull request edits.

Copied into a repository by `demo.py`; runs in a worker process of voxgate.
"""

import time

import numpy as np
from scipy.signal import butter, sosfilt

from voxgate import Target
from voxgate.harness.targets.flite import speak

CHANGE = {"slowness": 1.0, "broken": ""}
STEP_S, FRONTEND_S, VOCODER_S = 0.004, 0.003, 0.02
CHUNKS = 4
DEFAULTS = {"nfe_steps": 8, "speaker": "slt", "device": "cpu", "threads": 1}


class DemoVoice(Target):
    """More steps take longer and leave less noise."""

    sample_rate_hz = 16_000

    def load(self, cell, defaults):
        """Keep what was spoken: flite's own time is no part of the picture."""
        self.options = {**DEFAULTS, **defaults, **cell.options}
        self.spoken = {}

    def effective(self):
        """Return every option."""
        return self.options

    def synthesize(self, request, watch):
        """Yield the speech in chunks."""
        steps, changed = int(self.options["nfe_steps"]), self.options["nfe_steps"] == 8
        audio = self._speech(request, steps, changed)
        with watch("frontend"):
            time.sleep(FRONTEND_S)
        with watch("acoustic"):
            time.sleep(STEP_S * steps * (CHANGE["slowness"] if changed else 1.0))
        for chunk in np.array_split(audio, CHUNKS):
            with watch("vocoder"):
                time.sleep(VOCODER_S / CHUNKS)
            yield chunk

    def _speech(self, request, steps, changed):
        clean = self.spoken.get(request.id)
        if clean is None:
            clean = self.spoken[request.id] = speak("slt", request.text)[0]
        rng = np.random.default_rng(7)
        noise = rng.normal(0.0, 0.04 / steps, len(clean)).astype(np.float32)
        audio = clean + noise if steps < 32 else clean.copy()
        if changed and request.id == CHANGE["broken"]:
            start, end = int(0.35 * len(audio)), int(0.8 * len(audio))
            muffled = sosfilt(butter(6, 700, fs=16_000, output="sos"), audio[start:end])
            audio[start:end] = muffled
            audio[end : end + 1600] = 0.0
        return audio.astype(np.float32)
