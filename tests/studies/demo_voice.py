"""
The engine of the demonstration: flite's speech, in stages that take a time of their own on a
virtual clock, so that any machine shows the same picture. `CHANGE` is the line that a pull request
edits.

Copied into a repository by `demo.py`; runs in a worker process of voxgate.
"""

import os

import numpy as np
from scipy.signal import butter, sosfilt

from voxgate import Target
from voxgate.harness.machine.clock import VirtualClock
from voxgate.harness.targets.flite import speak

CHANGE = {"slowness": 1.0, "broken": ""}
RATE_HZ = 16_000
STEP_S, VOCODER_S = 0.010, 0.028
"""For each second of audio."""
FRONTEND_S = 0.003
NOISE = 0.06
CHUNKS = 6
DEFAULTS = {"nfe_steps": 8, "speaker": "slt", "device": "cpu", "threads": 1}


class DemoVoice(Target):
    """More steps take longer and leave less noise."""

    sample_rate_hz = RATE_HZ

    def __init__(self):
        """Draw how fast this process is: within about one per cent of the others."""
        self.clock = VirtualClock()
        self.rng = np.random.default_rng(os.getpid())
        self.pace = float(np.exp(self.rng.normal(0.0, 0.006)))
        self.spoken = {}

    def load(self, cell, defaults):
        """Keep the options."""
        self.options = {**DEFAULTS, **defaults, **cell.options}
        self.clock.advance(0.4)

    def effective(self):
        """Return every option."""
        return self.options

    def synthesize(self, request, watch):
        """Yield the speech in chunks."""
        steps = int(self.options["nfe_steps"])
        slowness = CHANGE["slowness"] if steps == 8 else 1.0
        audio = self._speech(request, steps, steps == 8)
        length_s = len(audio) / RATE_HZ
        with watch("frontend"):
            self._pass(FRONTEND_S)
        with watch("acoustic"):
            self._pass(STEP_S * steps * length_s * slowness)
        for chunk in np.array_split(audio, CHUNKS):
            with watch("vocoder"):
                self._pass(VOCODER_S * length_s / CHUNKS)
            yield chunk

    def _pass(self, duration_s):
        self.clock.advance(duration_s * self.pace * float(np.exp(self.rng.normal(0.0, 0.012))))

    def _speech(self, request, steps, changed):
        clean = self.spoken.get(request.id)
        if clean is None:
            clean = self.spoken[request.id] = speak("slt", request.text)[0]
        rng = np.random.default_rng(7)
        noise = clean * rng.normal(0.0, NOISE / steps, len(clean))  # as loud as the speech is
        audio = clean + noise.astype(np.float32) if steps < 32 else clean.copy()
        if changed and request.id == CHANGE["broken"]:
            start, end = int(0.35 * len(audio)), int(0.8 * len(audio))
            muffled = sosfilt(butter(6, 700, fs=16_000, output="sos"), audio[start:end])
            audio[start:end] = muffled
            audio[end : end + 1600] = 0.0
        return audio.astype(np.float32)
