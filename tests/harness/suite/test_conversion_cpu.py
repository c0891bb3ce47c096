"""The suites and the study of RVC's speed on a CPU."""

import math

import pytest

from tests.studies import conversion_cpu
from tests.studies.conversion_cpu import Measured, bounds, stage_table, work
from voxgate.engine.config import parse
from voxgate.engine.config.conversion import RvcConfig
from voxgate.engine.rvc.nsf_decoder import NsfDecoder
from voxgate.engine.rvc.random_weights import PUBLISHED
from voxgate.engine.rvc.synthesizer import Synthesizer
from voxgate.harness.suite.suite import load_suite


@pytest.mark.parametrize("name", ["conversion_cpu", "conversion_rate"])
def test_every_cell_is_one_that_the_pipeline_takes(name: str) -> None:
    for cell in load_suite(name).expand().cells:
        options = {**cell.fixed, **cell.options}
        config = parse(RvcConfig, options)
        assert config.weights.startswith("build/rvc-")
        assert [request.source is not None for request in cell.workload.requests] == [True]


def test_plain_is_the_first_cell() -> None:
    plain = load_suite("conversion_cpu").expand().cells[0].options
    assert (plain["f0_method"], plain["threads"]) == ("harvest", 1)


def _cell(chunk_seconds: float, wall_s: float = 2.0) -> Measured:
    config = parse(
        RvcConfig,
        {"weights": "any", "chunk_seconds": chunk_seconds, "chunk_overlap_seconds": 1.0},
    )
    options = {name: getattr(config, name) for name in ("weights", "threads", "precision")}
    chunks = {name: getattr(config, name) for name in ("chunk_seconds", "chunk_overlap_seconds")}
    stages = dict.fromkeys(conversion_cpu.STAGES, 0.25)
    return Measured("cell", {**options, **chunks}, (wall_s, wall_s * 1.1), stages, 8.0)


class _Voice:
    def __init__(self) -> None:
        from voxgate.engine.rvc.hubert import Hubert

        sizes = PUBLISHED["v2-48k"]
        self.synthesizer = Synthesizer(sizes.synthesizer)
        self.decoder = NsfDecoder(sizes.synthesizer.decoder)
        self.hubert = Hubert(sizes.hubert)


def test_the_synthesiser_weighs_eight_times_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    with torch.device("meta"):
        voice = _Voice()
    monkeypatch.setattr(conversion_cpu, "voice_in", lambda folder: voice)
    conversion_cpu.window_work.cache_clear()
    whole, cut = work(_cell(0.0)), work(_cell(4.0))

    assert (whole["model"] + whole["vocoder"]) / whole["content"] == pytest.approx(8.0, rel=0.05)
    assert whole["vocoder"] == pytest.approx(10.0 * 110.2, rel=0.01)  # 8 s and 1 s on either side
    assert cut["vocoder"] == pytest.approx(12.0 * 110.2, rel=0.01)  # twice 4 s and its neighbours
    conversion_cpu.window_work.cache_clear()


def test_rows_are_times_plain_with_their_number_and_spread() -> None:
    rows = list(stage_table([_cell(0.0, 4.0), _cell(0.0, 1.0)]))

    assert rows[2].split(" | ")[-4:] == ["4.20", "2", "10", "1.0 |"]
    assert rows[3].endswith("| 4.0 |")
    gained = [float(row.split("|")[2]) for row in list(bounds(_cell(0.0, 2.0)))[2:]]
    assert all(math.isclose(each, 1.14, abs_tol=0.01) for each in gained)
