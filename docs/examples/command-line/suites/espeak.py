"""What does a slower espeak-ng cost? A process for each text."""

from voxgate import Suite

suite = Suite(
    target="command",
    command=["espeak-ng", "-v", "{voice}", "-w", "{wav}"],  # no {text}: on standard input
    arguments={"speed": ["-s", "{speed}"]},
    workload="sentences.toml",
    fixed={"voice": "en"},
    axes={"speed": [200, 120]},
    reference={"speed": 200},
)
