"""
Holds every metric of the panel against somebody else's implementation: the tables of
docs/evidence/metrics.md.

    python tests/harness/metrics/agreement.py FOLDER

Makes a throw-away environment below FOLDER (the package index, once), writes recordings and damaged
copies of them, has both sides score the same files, each in its own environment, and prints
Markdown. What is there is used again.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))  # as a script: `tests` is no installed package

from tests.harness.metrics import golden_values, throwaway  # noqa: E402
from tests.harness.metrics.material import Pair, make_pairs, own_sources, people  # noqa: E402
from voxgate.harness.metrics.registry import entry, metric, select_metrics  # noqa: E402
from voxgate.harness.models.whisper_tensors import dimensions, read_tensors  # noqa: E402
from voxgate.harness.models.whisper_weights import locate_weights  # noqa: E402
from voxgate.harness.records.measurement import SNR_CEILING_DB, Missing, Value  # noqa: E402
from voxgate.harness.scoring.scorer import score_quality  # noqa: E402
from voxgate.harness.scoring.tasks import AudioJob  # noqa: E402

OTHERS = Path(__file__).with_name("others.py")
UNUSABLE = {
    "torch-pesq": "the one rewriting of PESQ; needs torchaudio, which does not load beside torch "
    "2.13"
}
"""Not even tried."""
MOST_TOLD = 3
"""Reasons why an implementation gave no number, per line."""
NEAR_ZERO = 0.01
"""Of the largest value: a difference from less than that has no share worth telling."""
Row = dict[str, Any]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One metric held against one implementation, on the pairs for which both gave a number."""

    name: str
    other: str
    ours: Numbers
    theirs: Numbers
    untouched: NDArray[np.bool_]
    """Which of the pairs are undamaged."""
    remark: str
    reasons: tuple[str, ...]
    """Why the implementation gave no number where ours did."""

    def cells(self) -> tuple[str, ...]:
        """Give the line of the table."""
        if not self.ours.size:
            return (f"`{self.name}`", self.other, "0", *[""] * 6, self._told())
        unit, apart = metric(self.name).unit, np.abs(self.ours - self.theirs)
        worth = np.abs(self.theirs) > NEAR_ZERO * np.abs(self.theirs).max()
        relative = (apart[worth] / np.abs(self.theirs[worth])).max(initial=0.0)
        return (
            f"`{self.name}`",
            self.other,
            str(self.ours.size),
            f"{self.ours.min():.4g} to {self.ours.max():.4g}{'' if unit == '1' else f' {unit}'}",
            f"{apart.max():.2g}",
            f"{100 * relative:.2g} %",
            f"{apart[self.untouched].max(initial=0.0):.2g}",
            f"{self.ours.mean():.4g} / {self.theirs.mean():.4g}",
            self._correlation(),
            self._told(),
        )

    def _correlation(self) -> str:
        if not self.ours.std() or not self.theirs.std():
            return ""
        return f"{np.corrcoef(self.ours, self.theirs)[0, 1]:.4f}"

    def _told(self) -> str:
        lacking = (
            f"no value for {len(self.reasons)}: {'; '.join(sorted(set(self.reasons))[:MOST_TOLD])}"
            if self.reasons
            else ""
        )
        return "; ".join(filter(None, (self.remark, lacking)))


def main(folder: Path) -> None:
    """Do all of it, and print."""
    folder.mkdir(parents=True, exist_ok=True)
    environments = throwaway.make(folder)
    sources = (*own_sources(), *people(environments[0].python, folder / "people"))
    pairs = make_pairs(sources, folder / "audio")
    write_whisper(folder / "tiny.en.pt")
    ours, heard = score(pairs, folder / "cache")
    theirs = [row for each in environments for row in score_elsewhere(each, pairs, heard, folder)]
    absent = {name: reason for each in environments for name, reason in each.absent.items()}
    text = "\n".join(
        [
            *_about(pairs),
            *_table(agreements(pairs, ours, theirs)),
            *_alone(theirs),
            *_absent(absent),
        ]
    )
    text += "\n" + golden_values.table(folder / "PESQ") + "\n"
    (folder / "agreement.md").write_text(text)
    print(text)


def score(
    pairs: Sequence[Pair], cache: Path, metrics: Sequence[str] | None = None
) -> tuple[dict[str, list[Value]], list[str | None]]:
    """
    Have voxgate's scorer score the pairs: metric -> a value for each pair; and what was heard in
    each.
    """
    jobs = [
        AudioJob(
            key=each.name,
            utterance=each.reference,
            path=Path(each.candidate),
            text=each.text,
            reference=Path(each.reference),
            voice=Path(each.reference),
            statement=Path(each.reference),
        )
        for each in pairs
    ]
    names = metrics or [
        each.name for each in select_metrics(None, ()) if not entry(each.name).golden
    ]
    scored = score_quality(jobs, cache_dir=cache, metrics=names)
    found = [scored[each.key] for each in jobs]
    values = {
        name: [each.values.get(name, Missing("does not apply")) for each in found] for name in names
    }
    return values, [each.transcript if isinstance(each.transcript, str) else None for each in found]


def write_whisper(path: Path) -> None:
    """Write the judge's weights in the form that openai-whisper loads."""
    import torch

    weights = locate_weights(None, False)
    assert not isinstance(weights, Missing), weights
    tensors = read_tensors(weights.path, *weights.more)
    state = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
    torch.save({"dims": dimensions(tensors), "model_state_dict": state}, path)


def score_elsewhere(
    environment: throwaway.Environment,
    pairs: Sequence[Pair],
    heard: Sequence[str | None],
    folder: Path,
) -> list[Row]:
    """Have the implementations of an environment score them there."""
    given, out = folder / "given.json", folder / "others.json"
    given.write_text(
        json.dumps(
            [asdict(pair) | {"heard": words} for pair, words in zip(pairs, heard, strict=True)],
            indent=1,
        )
    )
    packages = [name for name in environment.packages if name not in environment.absent]
    subprocess.run(
        [str(environment.python), str(OTHERS), str(given), str(out), *packages],
        check=True,
        cwd=folder,
    )
    rows: list[Row] = json.loads(out.read_text())
    return rows


def agreements(
    pairs: Sequence[Pair], ours: Mapping[str, Sequence[Value]], theirs: Sequence[Row]
) -> Iterator[Agreement]:
    """
    Hold each implementation against ours. Identical audio is infinitely alike elsewhere and at our
    ceiling here.
    """
    untouched = [pair.name.endswith("untouched") for pair in pairs]
    for row in theirs:
        other = [SNR_CEILING_DB if value == "inf" else value for value in row["values"]]
        if metric(row["metric"]).unit == "dB":
            other = [
                value if isinstance(value, str) else min(value, SNR_CEILING_DB) for value in other
            ]
        triples = list(zip(ours[row["metric"]], other, untouched, strict=True))
        both = [(a, b, c) for a, b, c in triples if isinstance(a, float) and not isinstance(b, str)]
        yield Agreement(
            name=row["metric"],
            other=f"{row['package']} {row['version']}",
            ours=np.array([a for a, _, _ in both]),
            theirs=np.array([b for _, b, _ in both]),
            untouched=np.array([c for _, _, c in both], dtype=np.bool_),
            remark=row["remark"],
            reasons=tuple(b for a, b, _ in triples if isinstance(a, float) and isinstance(b, str)),
        )


def _about(pairs: Sequence[Pair]) -> list[str]:
    kinds = {
        kind: len({pair.reference for pair in pairs if pair.kind == kind})
        for kind in dict.fromkeys(p.kind for p in pairs)
    }
    told = ", ".join(f"{count} of {kind}" for kind, count in kinds.items())
    damages = len(pairs) // len({pair.reference for pair in pairs})
    return [
        f"{len(pairs)} files: {sum(kinds.values())} recordings ({told}), each in {damages} states "
        "of damage.",
        "",
    ]


def _table(found: Iterator[Agreement]) -> list[str]:
    head = (
        *("metric", "other implementation", "n", "ours, from to", "largest difference", "relative"),
        *("largest, undamaged", "means, ours / theirs", "r", "remark"),
    )
    order = list(_order())
    rows = sorted(found, key=lambda each: order.index(each.name))
    return [
        _line(head),
        "|---|---|---:|---|---:|---:|---:|---|---:|---|",
        *(_line(each.cells()) for each in rows),
        "",
    ]


def _order() -> Iterator[str]:
    yield from (each.name for each in select_metrics(None, ()))


def _alone(theirs: Sequence[Row]) -> list[str]:
    """Name the metrics that nobody else computes."""
    known = {row["metric"] for row in theirs}
    alone = [
        name
        for name in _order()
        if not entry(name).golden and name not in known and entry(name).family != "speed"
    ]
    return [f"Without another implementation: {', '.join(f'`{name}`' for name in alone)}.", ""]


def _absent(absent: Mapping[str, str]) -> list[str]:
    reasons = {**UNUSABLE, **absent}
    return ["Not installed:", "", *(f"- {name}: {reason}" for name, reason in reasons.items()), ""]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
