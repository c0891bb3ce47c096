"""
How much work do the options of the solver leave out, and what is left of the voice? The table of
docs/solver-options.md.

    python tests/studies/solver_options.py [SENTENCES] [SUITE ...]

Work is counted and not timed: rows of the batch over all calls of the acoustic model, against the
default's. What is said is held against what the default says from the same noise. How fast that is:
`voxgate check guidance | adaptive | early_exit`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # as a script: `tests` is no installed package

import numpy as np  # noqa: E402
from pesq import pesq  # noqa: E402

from voxgate.engine.pipelines.flow import FlowPipeline  # noqa: E402
from voxgate.harness.suite.suite import load_suite  # noqa: E402
from voxgate.harness.suite.workload import load_workload  # noqa: E402

SUITES = ("guidance", "adaptive", "early_exit")


def cells(suites: tuple[str, ...]) -> list[dict]:
    """Return the suites' cells, once each, the default first."""
    expanded = [cell for name in suites for cell in load_suite(name, ROOT).expand(ROOT).cells]
    asked = [{**cell.fixed, **cell.axes} for cell in expanded]
    plain = [
        {
            k: v
            for k, v in each.items()
            if (k, v) not in (("nfe_steps", 16), ("early_exit", 0.0), ("nfe_adaptive", "off"))
        }
        for each in asked
    ]
    return [
        {},
        *({**each} for index, each in enumerate(plain) if each and each not in plain[:index]),
    ]


def spoken(options: dict, requests: tuple) -> tuple[list[np.ndarray], list[int]]:
    """
    Synthesise with the embedded voice, and return the audio and the rows of the acoustic model.
    """
    pipeline = FlowPipeline.load({"threads": 1, **options})
    inner, rows, audio = pipeline.acoustic, [], []
    for request in requests:
        seen: list[int] = []
        pipeline.acoustic = lambda *told, seen=seen: (seen.append(told[0].shape[0]), inner(*told))[
            1
        ]
        audio.append(pipeline.synthesize(request.text, request.options))
        rows.append(sum(seen))
    return audio, rows


def snr_db(reference: np.ndarray, candidate: np.ndarray) -> float:
    """Return the ratio of the default's output to the difference; infinite without a difference."""
    apart = float(np.square(candidate - reference).sum())
    return float(10 * np.log10(np.square(reference).sum() / apart)) if apart else np.inf


def main(sentences: int, suites: tuple[str, ...]) -> None:
    """Print the table."""
    requests = load_workload("everyday-short", ROOT).requests[:sentences]
    reference, all_rows = spoken({}, requests)
    print(
        "| options | work | of the sentences, from to | snr dB | pesq |\n| --- | ---: | ---: | "
        "---: | ---: |"
    )
    for options in cells(suites)[1:]:
        audio, rows = spoken(options, requests)
        shares = [100 * row / whole for row, whole in zip(rows, all_rows, strict=True)]
        pairs = list(zip(reference, audio, strict=True))
        name = " ".join(f"{key}={value}" for key, value in options.items())
        print(
            f"| {name} | {100 * sum(rows) / sum(all_rows):.0f} % | {min(shares):.0f} to "
            f"{max(shares):.0f} % | {np.mean([snr_db(*pair) for pair in pairs]):.1f} | "
            f"{np.mean([pesq(16_000, *pair, 'wb') for pair in pairs]):.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(int((*sys.argv[1:], "24")[0]), tuple(sys.argv[2:]) or SUITES)
