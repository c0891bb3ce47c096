"""
The gate on recorded rounds: its verdict if two sides had been BASE and HEAD.

It judges four rounds of all cells, then one more of every undecided cell, and confirms suspects
with unused rounds, by the functions that decide for `voxgate ab`. Holds no constant of the rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.amend import confirmed, suspects, undecided
from voxgate.harness.judging.baseline import of_run
from voxgate.harness.judging.compare_speed import MATCHED
from voxgate.harness.judging.judge import judge
from voxgate.harness.judging.policy import Policy
from voxgate.harness.metrics.registry import metric
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.run import Run
from voxgate.harness.records.verdict import Comparison, RunVerdict, Verdict
from voxgate.harness.runner.run_plan import CONFIRM_ROUNDS

FIRST_ROUNDS = CONFIRM_ROUNDS
MOST_ROUNDS = 8
"""
Of one look. On an ordinary machine of two cores, eight rounds of a suite of six quick cells take
some five minutes.
"""
WEIGHT = "duration"
"""The weights of RTF."""

Rounds = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOutcome:
    """The verdict of the gate on one cell of two sides: after a first look, and in the end."""

    cell: str
    base: str
    head: str
    first: Verdict
    verdict: Verdict
    reason: str
    rounds: Rounds
    """All that it used, those of the confirmation included."""


class Gate:
    """The gate over the recorded runs of all sides; it caches measurements."""

    def __init__(self, runs: Mapping[str, Run], policy: Policy) -> None:
        """
        `policy` is cut down to the speeds that block: nobody listens to a selftest of speed.

        Raises HarnessError where latency is not among them: then the gate has nothing to say.
        """
        self._runs = runs
        self._policy = {
            name: limit
            for name, limit in policy.items()
            if limit.evidence == "processes" and limit.blocking
        }
        if MATCHED not in self._policy:
            raise HarnessError(
                f"the policy does not block on {MATCHED}, so there is nothing to test; correct "
                "policy.toml"
            )
        self._panel = [metric(name) for name in (WEIGHT, *self._policy)]
        self._known: dict[tuple[str, str, Rounds], tuple[Measurement, ...]] = {}
        self.slugs = tuple(cell.slug for cell in next(iter(runs.values())).cells)

    def complete_rounds(self, slug: str) -> Rounds:
        """List the rounds in which the cell was measured to the end on every side."""
        sides = [_finished_rounds(run, slug) for run in self._runs.values()]
        return tuple(sorted(set.intersection(*sides)))

    def ask(self, base: str, head: str, rounds: Mapping[str, Rounds]) -> list[GateOutcome]:
        """
        Judge some cells of two sides as a suite.

        At most half of a cell's rounds are for the first look, the others for the confirmation.
        Raises ValueError for fewer rounds than two first looks need.
        """
        if min(map(len, rounds.values())) < 2 * FIRST_ROUNDS:
            raise ValueError(
                f"a verdict and its confirmation need {2 * FIRST_ROUNDS} rounds of every cell"
            )
        most = {slug: min(MOST_ROUNDS, len(numbers) // 2) for slug, numbers in rounds.items()}
        first, used = self._look_until_decided(
            base, head, {slug: rounds[slug][: most[slug]] for slug in rounds}
        )
        last, fresh = first, dict[str, Rounds]()
        if suspicious := suspects(first.metrics):
            unseen = {
                slug: rounds[slug][len(used[slug]) :][: most[slug]]
                for slug in rounds
                if slug in suspicious
            }
            second, fresh = self._look_until_decided(base, head, unseen)
            last = confirmed(first, second.metrics, "")
        early = {cell.cell: cell for cell in first.cells}
        late = {cell.cell: cell for cell in last.cells}
        return [
            GateOutcome(
                cell=slug,
                base=base,
                head=head,
                first=early[slug].verdict,
                verdict=late[slug].verdict,
                reason=late[slug].reason,
                rounds=used[slug] + fresh.get(slug, ()),
            )
            for slug in rounds
        ]

    def look(self, base: str, head: str, rounds: Mapping[str, Rounds]) -> RunVerdict:
        """Judge some cells on the given rounds alone."""
        before, stored = self._measured(base, rounds)
        now, measurements = self._measured(head, rounds)
        return judge(now, measurements, of_run(before, stored), self._policy, paired=True)

    def shifts(self, base: str, head: str, name: str) -> dict[str, Comparison]:
        """
        Return the shift of one metric of every cell over all rounds; cells with fewer than two are
        left out.
        """
        rounds = {slug: self.complete_rounds(slug) for slug in self.slugs}
        enough = {slug: numbers for slug, numbers in rounds.items() if len(numbers) > 1}
        cells = self.look(base, head, enough).cells if enough else ()
        compared: dict[str, Comparison] = {}
        for cell in cells:
            verdict = next((metric for metric in cell.metrics if metric.metric == name), None)
            if verdict is not None and verdict.comparison is not None:
                compared[cell.cell] = verdict.comparison
        return compared

    def _look_until_decided(
        self, base: str, head: str, rounds: Mapping[str, Rounds]
    ) -> tuple[RunVerdict, dict[str, Rounds]]:
        """
        Look at FIRST_ROUNDS of every cell's rounds, then at one more of the undecided cells as long
        as there are any.
        """
        used = {slug: numbers[:FIRST_ROUNDS] for slug, numbers in rounds.items()}
        while True:
            judgement = self.look(base, head, used)
            growing = [
                slug for slug in undecided(judgement.metrics) if len(used[slug]) < len(rounds[slug])
            ]
            if not growing:
                return judgement, used
            used |= {slug: rounds[slug][: len(used[slug]) + 1] for slug in growing}

    def _measured(
        self, side: str, rounds: Mapping[str, Rounds]
    ) -> tuple[Run, dict[str, tuple[Measurement, ...]]]:
        """Return the run reduced to these rounds, and its measurements."""
        run = self._runs[side]
        for slug, numbers in rounds.items():
            if (side, slug, numbers) not in self._known:
                self._known[side, slug, numbers] = aggregate(
                    excerpt(run, {slug: numbers}), {}, self._panel
                )[slug]
        return excerpt(run, rounds), {
            slug: self._known[side, slug, numbers] for slug, numbers in rounds.items()
        }


def _finished_rounds(run: Run, slug: str) -> set[int]:
    return {
        process.repeat for process in run.processes if process.cell == slug and process.finished
    }


def excerpt(run: Run, rounds: Mapping[str, Rounds]) -> Run:
    """Return the run reduced to some cells and rounds."""
    cells = tuple(cell for cell in run.cells if cell.slug in rounds)
    kept = tuple(
        process for process in run.processes if process.repeat in rounds.get(process.cell, ())
    )
    return replace(run, reference=cells[0].slug, cells=cells, processes=kept)
