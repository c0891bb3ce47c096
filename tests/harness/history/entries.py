"""Makes entries, for the tests of the history."""

from dataclasses import replace
from typing import Any

from voxgate.harness.history.records import EntryCell, EntryValue, HistoryEntry, digest_of, utc_iso
from voxgate.harness.records.measurement import Missing, Value

HOSTILE = (
    'a\0b \ud800 <script>alert(1)</script> \'); DROP TABLE run; -- "quoted"\nnext \\ line, ü 😀 %s '
    ":x {y}"
)


def value(metric: str = "latency_p50", found: Value = 0.4, **changes: Any) -> EntryValue:
    return replace(
        EntryValue(
            metric=metric,
            unit="s",
            better="lower",
            version="1",
            value=found,
            low=None if isinstance(found, Missing) else 0.99 * found,
            high=None if isinstance(found, Missing) else 1.01 * found,
            n=0 if isinstance(found, Missing) else 24,
            verdict="PASS",
            reason=f"{metric}: well",
            shift=None if isinstance(found, Missing) else 0.01,
        ),
        **changes,
    )


def cell(slug: str = "nfe-8", *values: EntryValue, **changes: Any) -> EntryCell:
    return replace(
        EntryCell(
            cell=slug,
            label=slug.replace("-", "="),
            config={"target": "engine", "nfe": 8},
            effective={"nfe": 8, "threads": 1, "cfg": 2.0, "compile": False},
            effects=(
                {
                    "option": "precision",
                    "asked": "bf16",
                    "observed": "bf16",
                    "holds": True,
                    "why": "12 of 12",
                },
            ),
            verdict="PASS",
            reason="latency_p50 +1.0 %",
            notes="",
            values=values
            or (
                value(),
                value("wer", 0.025, unit="1"),
                value("pesq", Missing("no reference"), unit="MOS-LQO"),
            ),
        ),
        **changes,
    )


def entry(night: int = 1, *cells: EntryCell, **changes: Any) -> HistoryEntry:
    created = utc_iso(f"2026-10-{night:02}T02:00:00Z")
    return replace(
        HistoryEntry(
            digest=digest_of("test", night),
            source="voxgate",
            suite="smoke",
            profile="cpu-gate",
            machine="box-2c",
            head="3fa1c2e + 2 files",
            created=created,
            verdict="PASS",
            exit_code=0,
            line="PASS: 2 passed",
            baseline='b07e11a, 2026-11-20 "first"',
            folder=f"runs/{night:04}",
            question="is it quick?",
            environment={"machine": {"id": "box-2c", "cores": 2}, "toolchain": {"torch": "2.13.0"}},
            complete=True,
            cells=cells or (cell("nfe-32"), cell("nfe-8")),
        ),
        **changes,
    )
