"""What do a faster and a higher espeak-ng cost? A process for each text."""

from voxgate import Suite

suite = Suite(
    target="command",
    command=["espeak-ng", "-v", "{voice}", "-w", "{wav}"],  # no {text}: on standard input
    arguments={"speed": ["-s", "{speed}"], "pitch": ["-p", "{pitch}"]},
    workload="sentences.toml",
    fixed={"voice": "en-us"},
    cells=[{"speed": 175}, {"speed": 260}, {"pitch": 80}],
)
