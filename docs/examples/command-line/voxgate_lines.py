"""Serve `speak(text, **options)`, which yields 16-bit mono PCM, to voxgate by lines."""

import json
import os
import sys


def serve(speak, sample_rate_hz, **more):
    """Answer texts until standard input ends; `more` goes into the first line: options=[...]."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the engine prints goes to standard error

    def send(message, pcm=b""):
        out.write(json.dumps(message).encode() + b"\n" + pcm)
        out.flush()

    send({"voxgate": 1, "sample_rate_hz": sample_rate_hz, **more})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            for pcm in speak(asked["text"], **asked["options"]):
                send({"pcm": len(pcm)}, pcm)
            send({"done": True})
        except Exception as error:
            send({"error": f"{type(error).__name__}: {error}"})
