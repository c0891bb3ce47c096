"""What does a slower flite cost? A process for each text."""

from voxgate import Suite

suite = Suite(
    target="command",
    command=["flite", "-voice", "{voice}", "-f", "{text_file}", "-o", "{wav}"],
    arguments={"stretch": ["--setf", "duration_stretch={stretch}"]},
    workload="sentences.toml",
    fixed={"voice": "slt"},
    cells=[{}, {"stretch": 1.3}],
)
