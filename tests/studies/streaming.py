"""
How early, how smooth and how dear is a stream in chunks, and what do batches and workers buy?

    python -m tests.studies.streaming FOLDER [--page batching] [--repeats 3] [--out
    docs/evidence]

Measures the suites `streaming`, `batching` and `workers` into FOLDER (a run that is whole is only
read), has them judged for their quality, and writes streaming.md, streaming.png and batching.md, or
one page alone. Every figure on those pages comes from here. Of `workers` it takes two processors
that are otherwise idle, all others one.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.machine.interference import interference_causes
from voxgate.harness.machine.profiles import DEFAULT
from voxgate.harness.machine.quietness import fitness
from voxgate.harness.records.environment import facts_of
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.run import Iteration, Phase, Run
from voxgate.harness.report.format import shown
from voxgate.harness.runner import process_files, run_folder

ABOUT_STREAMING = (
    "An underrun is the moment at which a player that began with the first piece has nothing left "
    "(`harness/analysis/speed.py`); the stall is the mean silence per text. A flow-matching voice "
    "makes a chunk whole, so the first audio is as late as the first chunk is long. What short "
    "chunks cost is fixed work per chunk and more joins; a short first chunk may end in "
    "mid-sentence."
)
ABOUT_BATCHING = (
    "snr is against batch 1 of the same run: the audio is the same but for the order in which sums "
    "are added up. What pads the shorter chunks of a group is computed for nothing, and the first "
    "audio waits for its whole group."
)
ABOUT_WORKERS = (
    "Each worker has its share of the threads: one of two where there are two. snr is against one "
    "worker with two threads: the audio is the same but for the order in which sums are added up. "
    "The first audio has the processors to itself only where `first_chunk_characters` asks for it; "
    "else its neighbours are begun beside it."
)
COMMAND = "python -m tests.studies.streaming FOLDER"
PROFILES = {"workers": "cpu"}
"""Of the suites that one processor cannot answer."""
PAGES = ("streaming", "batching")
AIM = 0.30
"""Of the whole's latency, within which the first audio is to be there."""
INK, FAINT, COLOURS, MARKERS = "#1c2430", "#c9d1db", ("#0072b2", "#d55e00"), ("o", "s")
STREAMING = (
    ("first_audio_p50", "first audio ms"),
    ("latency_p50", "whole ms"),
    ("longest_gap_p50", "longest gap ms"),
    ("underruns", "underruns / min"),
    ("stall", "stall ms"),
    ("rtf", "rtf"),
    ("join_clicks", "clicks at joins / s"),
)
BATCHING = (
    ("rtfx", "audio s / s"),
    ("latency_p50", "whole ms"),
    ("first_audio_p50", "first audio ms"),
    ("longest_gap_p50", "longest gap ms"),
    ("underruns", "underruns / min"),
    ("peak_rss", "rss MiB"),
    ("snr", "snr dB"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One cell: what it sets, what was measured, and the first audio's share of the whole's latency.
    """

    axes: Mapping[str, Any]
    named: Mapping[str, Measurement]
    share: tuple[float, float, float] | None
    """
    Median of each process: the median of these, the least, the greatest. None where nothing was
    left alone.
    """


def measured(folder: Path, suite: str, repeats: int) -> Run:
    """Measure a suite unless it is there, and have its quality scored."""
    run = folder / suite
    if not (run / "complete").exists():
        resume = ["--resume"] if (run / "run.json").exists() else ["--repeats", str(repeats)]
        how = ["--profile", PROFILES.get(suite, DEFAULT)]
        subprocess.run(
            [sys.executable, "-m", "voxgate", "run", suite, "--out", str(run), *how, *resume],
            check=True,
        )
    if not (run / "measurements.json").exists():
        judged = subprocess.run([sys.executable, "-m", "voxgate", "gate", str(run)], check=False)
        if judged.returncode not in (0, 3):  # 3: there is no baseline, and none is needed
            sys.exit(f"the gate of {run} ended with {judged.returncode}; look above")
    return run_folder.load_run(run)


def rows(run: Run) -> list[Row]:
    """Give a row per cell, in the suite's order."""
    measurements = run_folder.load_measurements(Path(run.folder))
    return [
        Row(
            axes=cell.axes,
            named=by_name(measurements[cell.slug]),
            share=share(quiet_samples(run, cell.slug)),
        )
        for cell in run.cells
    ]


def quiet_samples(run: Run, slug: str) -> list[list[Iteration]]:
    """Give the measured iterations of every process of a cell that nothing disturbed."""
    processes = [process.iterations for process in run.processes if process.cell == slug]
    return [
        [s for s in samples if s.phase is Phase.MEASURED and not interference_causes(s)]
        for samples in processes
    ]


def share(processes: Sequence[Sequence[Iteration]]) -> tuple[float, float, float] | None:
    """
    Give the first audio's share of the whole's latency: median over processes of medians, least and
    greatest.
    """
    medians = [
        float(np.median([s.first_audio_s / s.wall_s for s in samples]))
        for samples in processes
        if samples
    ]
    return (float(np.median(medians)), min(medians), max(medians)) if medians else None


def table(found: Sequence[Row], columns: Sequence[tuple[str, str]]) -> str:
    """Write the Markdown table of some metrics, with the share behind the first audio."""
    axes = list(found[0].axes)
    titles = [*axes, "first / whole %", *(title for _, title in columns)]
    lines = [f"| {' | '.join(titles)} |", f"|{' ---: |' * len(titles)}"]
    for row in found:
        settings = [str(row.axes[name]) for name in axes]
        texts = [
            shown(row.named[metric]) if metric in row.named else "missing" for metric, _ in columns
        ]
        lines.append(f"| {' | '.join([*settings, share_text(row), *texts])} |")
    return "\n".join(lines)


def share_text(row: Row) -> str:
    """Give the share in percent with its spread over processes."""
    return (
        "missing"
        if row.share is None
        else "{:.0f} [{:.0f} {:.0f}]".format(*(100.0 * each for each in row.share))
    )


def reached(found: Sequence[Row]) -> str:
    """Say of how many cells the first audio is early enough, and of which not."""
    known = [(row, row.share[0]) for row in found if row.share is not None]
    late = [row for row, median in known if median >= AIM]
    names = "; ".join(
        " ".join(f"{name}={value}" for name, value in row.axes.items()) for row in late
    )
    verdict = (
        f"missed by {len(late)} of {len(known)} cells: {names}"
        if late
        else f"reached by {len(known)} of {len(known)} cells"
    )
    unknown = f"; of {len(found) - len(known)} nothing is known" if len(known) < len(found) else ""
    return (
        f"The aim, first audio within {AIM * 100:.0f} % of the whole's latency: {verdict}{unknown}."
    )


def circumstances(run: Run) -> str:
    """Say where and how often it was measured, and how quiet it was there."""
    machine, toolchain = facts_of(run.environment.machine), facts_of(run.environment.toolchain)
    assert isinstance(machine, Mapping) and isinstance(toolchain, Mapping), (
        "a run says where it was measured"
    )
    samples = [
        s for process in run.processes for s in process.iterations if s.phase is Phase.MEASURED
    ]
    lost = sum(bool(interference_causes(sample)) for sample in samples)
    audio_s = np.mean([sample.audio_s for sample in samples])
    texts = len(run.cells[0].workload.requests)
    state = fitness(run.environment)
    quiet = state.status if state.status == "quiet" else f"{state.status}: {state.detail}"
    shared = (
        f"Of {len(samples)} iterations {lost} shared their CPU with another process and are left "
        "out"
    )
    if not any(sample.disturbance for sample in samples):
        shared = (
            f"Of {len(samples)} iterations none was watched for what shared its CPUs: threads of "
            "one process wait anyway"
        )
    return (
        f"Measured {run.created[:10]} on {machine['cpu_model']} ({machine['cores']} CPUs, "
        f"{quiet}), torch {toolchain['torch']}, profile `{run.profile}`: {texts} texts of "
        f"{audio_s:.0f} s on average (workload `paragraphs`), spoken once in each of "
        f"{process_files.rounds(Path(run.folder))} fresh processes a cell, cells taking turns; NFE "
        f"{run.cells[0].fixed['nfe_steps']}. {shared}. Brackets are 95 % intervals over processes; "
        "of the share, the least and the greatest process."
    )


def draw(found: Sequence[Row], path: Path) -> None:
    """
    Draw chunk size against first audio, and below it against the real-time factor; one line per
    size of the first chunk.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.2, 6.4), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 1, sharex=True)
    firsts = sorted({row.axes["first_chunk_characters"] for row in found})
    for axes, metric, label, scale in (
        (panels[0], "first_audio_p50", "first audio (ms), lower is earlier", 1000.0),
        (panels[1], "rtf", "real-time factor, lower is faster", 1.0),
    ):
        for first, colour, marker in zip(firsts, COLOURS, MARKERS, strict=True):
            line = sorted(
                (row for row in found if row.axes["first_chunk_characters"] == first), key=chunk
            )
            curve(
                axes,
                line,
                metric,
                scale,
                {"color": colour, "marker": marker, "label": first_words(first)},
            )
        axes.set_ylabel(label, color=INK)
        axes.set_ylim(bottom=0.0)
        axes.grid(color=FAINT, lw=0.6)
    panels[1].set_xlabel("chunk_characters, the most that is said in one go", color=INK)
    panels[0].legend(frameon=False)
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def curve(
    axes: Any, line: Sequence[Row], metric: str, scale: float, style: Mapping[str, Any]
) -> None:
    """Draw one metric over the chunk size, with its intervals; what is missing leaves a hole."""
    known = [
        (chunk(row), row.named[metric])
        for row in line
        if isinstance(row.named[metric].summary, float)
    ]
    values = np.array([each.summary * scale for _, each in known])
    lows = np.array([(each.summary if each.low is None else each.low) * scale for _, each in known])
    highs = np.array(
        [(each.summary if each.high is None else each.high) * scale for _, each in known]
    )
    axes.errorbar(
        [size for size, _ in known],
        values,
        yerr=(values - lows, highs - values),
        capsize=3,
        lw=1.4,
        **style,
    )


def chunk(row: Row) -> int:
    """Give the chunk size of a row."""
    return int(row.axes["chunk_characters"])


def first_words(first: int) -> str:
    """Say what the first chunk is."""
    return f"first chunk of {first} characters" if first else "first chunk like the others"


def streaming_page(run: Run) -> str:
    """Write the page about streaming."""
    found = rows(run)
    return f"""# Streaming: how early, how smooth, how dear

`{COMMAND}` measures the suite `streaming` and writes this page and its picture. {circumstances(run)}

![Chunk size against first audio and real-time factor](streaming.png)

{table(found, STREAMING)}

{reached(found)} {ABOUT_STREAMING}
"""  # noqa: E501


def batching_page(run: Run, several: Run) -> str:
    """
    Write the page about batches, and about workers, which are the other way of speaking chunks
    together.
    """
    return f"""# Batching: chunks of one text spoken together

`{COMMAND}` measures the suite `batching` and writes this page. {circumstances(run)}

{table(rows(run), BATCHING)}

{ABOUT_BATCHING}

## Workers: chunks of one text spoken at the same time

The suite `workers`. {circumstances(several)}

{table(rows(several), BATCHING)}

{ABOUT_WORKERS}
"""


def main() -> None:
    """Measure, and write the pages: one of PAGES, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--page", choices=PAGES)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/evidence"))
    asked = parser.parse_args()
    for page in [asked.page] if asked.page else PAGES:
        suites = ("batching", "workers") if page == "batching" else (page,)
        runs = [measured(asked.folder, suite, asked.repeats) for suite in suites]
        if page == "streaming":
            draw(rows(*runs), asked.out / "streaming.png")
        text = (batching_page if page == "batching" else streaming_page)(*runs)
        (asked.out / f"{page}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
