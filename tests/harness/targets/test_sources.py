"""
Requests whose input is audio: what a workload may name, what is refused before measuring, what the
run keeps, and how each target gets it.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile

from tests.harness.metrics.speech import PATH as SPEECH
from tests.harness.targets.command.programs import cell as command_cell
from tests.harness.targets.command.programs import line, program
from tests.harness.targets.command.test_lines import HELLO, RAW, unwatched
from tests.harness.targets.engine.tiny_pipeline import TinyConfig, TinyPipeline
from voxgate import Suite
from voxgate.engine.config import config_names, option, option_spec, parse, register_config
from voxgate.engine.config.conversion import converting_pipelines
from voxgate.engine.pipelines import register_pipeline
from voxgate.engine.pipelines import registry as pipelines
from voxgate.engine.pipelines.pipeline import Watch, no_watch
from voxgate.harness.audio.kept_audio import check_audio
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.records.cell import Cell, Request, SourceRecording
from voxgate.harness.records.files import file_sha256
from voxgate.harness.runner.recordings import recordings_of, takes
from voxgate.harness.runner.run_folder import load_run
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.suite.workload import load_workload
from voxgate.harness.targets import sources
from voxgate.harness.targets.command.target import CommandTarget
from voxgate.harness.targets.engine.target import EngineTarget
from voxgate.harness.targets.protocol import Target
from voxgate.harness.targets.registry import check_cells
from voxgate.harness.targets.sources import with_sources

RATE_HZ = 16_000
PLAIN = Profile(name="plain", about="", defaults={"device": "cpu"}, live=8, loading=2)
WORKLOAD = """
[voices]
rms = "voice.wav"

[[request]]
id = "a"
text = "She told me that her brother works in a hospital."
source = "said.wav"
source_speaker = "slt"
speaker = "rms"
"""
Make = Callable[..., Suite]
needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """The workload, with its source and the recording of the target's voice."""
    samples, rate_hz = soundfile.read(SPEECH)
    for name in ("said.wav", "voice.wav"):
        soundfile.write(tmp_path / name, samples, rate_hz)
    (tmp_path / "w.toml").write_text(WORKLOAD)
    return tmp_path / "w.toml"


def suite_of(make: Make, workload: Path, **changes: Any) -> Suite:
    return make(**{"pipeline": "convert", "workload": str(workload), "fixed": {}, **changes})


def test_a_source_is_read_with_its_digest_and_is_no_option(spoken: Path) -> None:
    request = load_workload(str(spoken)).requests[0]

    said = spoken.parent / "said.wav"
    assert request.options == {"speaker": "rms"}
    assert request.source == SourceRecording(
        path=str(said), sha256=file_sha256(said), speaker="slt"
    )


def test_another_recording_is_another_workload_and_another_name_is_not(spoken: Path) -> None:
    before = load_workload(str(spoken))
    (spoken.parent / "said.wav").rename(spoken.parent / "moved.wav")
    spoken.write_text(WORKLOAD.replace("said.wav", "moved.wav").replace('"slt"', '"anna"'))
    moved = load_workload(str(spoken))
    samples, rate_hz = soundfile.read(spoken.parent / "moved.wav")
    soundfile.write(spoken.parent / "moved.wav", 0.9 * samples, rate_hz)

    assert moved.digest() == before.digest() != load_workload(str(spoken)).digest()
    text = replace(before, requests=(replace(before.requests[0], source=None),))
    assert text.digest() != before.digest()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("source = 'gone.wav'", "request a: source: there is no .*gone.wav; give a path relative"),
        ("source = 'w.toml'", "request a: source is 'w.toml'; give a .wav or .flac file"),
        ("source = 1", "request a: source must be an audio file or flite:VOICE, not 1"),
        ("source = ''", "request a: source must be an audio file or flite:VOICE, not ''"),
        ("source = 'flite:'", "'flite:' names no voice of flite; write flite:VOICE"),
        ("source_speaker = 'slt'", "source must be an audio file or flite:VOICE, not None"),
        ("source = 'flite:slt'\nlanguage = 'es'", "flite speaks English only, not es; give a file"),
        ("source = 'flite:slt'\nsource_speaker = 'a/b'", "the name of a speaker holds letters"),
        ("source = 'flite:slt'\nsource_speaker = 1", "the name of a speaker holds letters"),
        ("source = 'flite:slt'\n[[voices]]\n", r"\[voices\] must map speakers to audio files"),
    ],
)
def test_what_is_no_source_is_refused_in_one_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "w.toml").write_text(f"[[request]]\nid = 'a'\ntext = 'You went.'\n{line}\n")
    with pytest.raises(HarnessError, match=message) as error:
        load_workload(str(tmp_path / "w.toml"))
    assert "\n" not in str(error.value)


def test_a_reel_converts_no_source(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(
        "[[request]]\nid = 'a'\nsource = 'flite:slt'\n"
        "[[request.segment]]\nspeaker = 'slt'\ntext = 'b'\n"
    )
    with pytest.raises(HarnessError, match="is a reel, which converts no source"):
        load_workload(str(tmp_path / "w.toml"))


def _stereo(path: Path, samples: np.ndarray) -> None:
    soundfile.write(path, np.stack([samples, samples], axis=1), RATE_HZ)


def _spoilt(path: Path, samples: np.ndarray) -> None:
    soundfile.write(path, np.append(samples, np.nan), RATE_HZ, subtype="FLOAT")


def _cut(path: Path, samples: np.ndarray) -> None:
    soundfile.write(path, samples, RATE_HZ)
    path.write_bytes(path.read_bytes()[:-1000])


BAD: dict[str, tuple[Callable[[Path, np.ndarray], object], str]] = {
    "no audio": (lambda path, _: path.write_bytes(b"not audio at all"), "is no audio"),
    "empty": (lambda path, _: path.write_bytes(b""), "is no audio"),
    "cut off": (_cut, "it ends 1000 bytes before the length that its head promises"),
    "stereo": (_stereo, "has 2 channels; a source is one voice"),
    "4 kHz": (
        lambda path, samples: soundfile.write(path, samples, 4_000),
        "has 4000 Hz; a source has 8000 to 192000 Hz: resample it",
    ),
    "NaN": (_spoilt, "the audio holds NaN or infinity: 1 frame"),
    "no frames": (
        lambda path, samples: soundfile.write(path, samples[:0], RATE_HZ),
        "the audio is empty",
    ),
    "too short": (
        lambda path, samples: soundfile.write(path, samples[: RATE_HZ // 4], RATE_HZ),
        "lasts 0.25 s; a source lasts 0.5 to 600 s",
    ),
    "too long": (
        lambda path, _: soundfile.write(path, np.zeros(8_000 * 601), 8_000),
        "lasts 601.00 s; a source lasts 0.5 to 600 s",
    ),
    "silent": (lambda path, samples: soundfile.write(path, 0 * samples, RATE_HZ), "is silent"),
    "hardly anything": (
        lambda path, samples: soundfile.write(path, 1e-4 * samples, RATE_HZ, subtype="FLOAT"),
        "is silent: its loud part is at -",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_cannot_be_converted_is_refused_before_measuring(
    spoken: Path, make_suite: Make, fault: str
) -> None:
    write, message = BAD[fault]
    said = spoken.parent / "said.wav"
    write(said, soundfile.read(said)[0])
    cells = suite_of(make_suite, spoken).expand().cells

    with pytest.raises(HarnessError) as error:
        with_sources(cells)
    text = str(error.value)
    assert text.startswith("workload w, request a: source: ") and message in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no audio", "is no audio"),
        ("NaN", "the audio holds NaN or infinity: 1 frame"),
        ("silent", "the audio is silent; give a recording of the voice"),
        ("too short", "s of speech; a voice is told by 0.7 s or more"),
    ],
)
def test_a_voice_that_nobody_is_heard_in_is_refused_before_measuring(
    spoken: Path, make_suite: Make, fault: str, message: str
) -> None:
    write, _ = BAD[fault]
    voice = spoken.parent / "voice.wav"
    write(voice, soundfile.read(voice)[0])

    with pytest.raises(HarnessError) as error:
        with_sources(suite_of(make_suite, spoken).expand().cells)
    text = str(error.value)
    assert text.startswith("workload w, voices.rms: ") and message in text
    assert "\n" not in text


def test_a_voice_may_have_two_channels(spoken: Path, make_suite: Make) -> None:
    voice = spoken.parent / "voice.wav"
    _stereo(voice, soundfile.read(voice)[0])

    with_sources(suite_of(make_suite, spoken).expand().cells)


def test_a_bad_source_is_exit_code_2_and_leaves_no_run(
    spoken: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(spoken.parent)
    (spoken.parent / "suites").mkdir()
    (spoken.parent / "suites" / "conv.py").write_text(
        '"""?"""\nfrom voxgate import Suite\n'
        'suite = Suite(target="scripted", pipeline="convert", workload="w.toml", cells=[{}])\n'
    )
    _stereo(spoken.parent / "said.wav", soundfile.read(SPEECH)[0])

    assert invoke(["run", "conv"]) == 2
    assert "has 2 channels" in capsys.readouterr().err
    assert not (spoken.parent / "runs").exists()


def test_a_flite_that_is_not_there_or_lacks_the_voice_is_refused(
    spoken: Path, make_suite: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken.write_text(WORKLOAD.replace("said.wav", "flite:bob"))
    cells = suite_of(make_suite, spoken).expand().cells
    for voices, message in (
        ((), "is flite:bob, and the program flite is not installed; install it"),
        (("slt", "rms"), "is flite:bob, and flite has no such voice; it has slt, rms"),
    ):
        monkeypatch.setattr(sources, "flite_voices", lambda voices=voices: voices)
        with pytest.raises(HarnessError, match=message):
            with_sources(cells)


@needs_flite
def test_flite_speaks_the_text_alike_each_time_and_another_flite_is_another_workload(
    spoken: Path, make_suite: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    flite = WORKLOAD.replace("said.wav", "flite:kal").replace("voice.wav", "flite:rms")
    spoken.write_text(flite)
    cells = suite_of(make_suite, spoken).expand().cells

    made, again = with_sources(cells), with_sources(cells)

    assert made == again
    request = made[0].workload.requests[0]
    assert request.source is not None and request.source.made_by == "flite:kal"
    assert file_sha256(Path(request.source.path)) == request.source.sha256
    about = soundfile.info(request.source.path)
    assert (about.samplerate, about.channels, about.subtype) == (16_000, 1, "PCM_16")
    assert soundfile.info(made[0].workload.voices["rms"]).duration > 5.0
    assert made[0].workload is not cells[0].workload
    monkeypatch.setattr(sources, "speak", lambda voice, text: (0.5 * _noise(), RATE_HZ))
    assert with_sources(cells)[0].workload.digest() != made[0].workload.digest()


def _noise() -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, RATE_HZ).astype(np.float32)


class Converter(Target):
    """A stranger's target that converts."""

    @classmethod
    def takes_sources(cls, cell: object) -> bool | None:
        return True

    def load(self, cell: Any, defaults: Any) -> None:
        self.sample_rate_hz = RATE_HZ

    def effective(self) -> Any:
        return {}

    def synthesize(self, request: Request, watch: Any) -> Any:
        assert request.source is not None
        audio, _ = soundfile.read(request.source.path, dtype="float32")
        yield audio


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pipeline": "any"}, "has a source, and target 'scripted' (pipeline any) converts no"),
        ({"target": "http", "pipeline": "speech"}, "target 'http' (pipeline speech) converts no"),
        ({"target": "flite", "pipeline": "flite"}, "target 'flite' (pipeline flite) converts no"),
        (
            {"target": "engine", "pipeline": "flow"},
            "target 'engine' (pipeline flow) converts no",
        ),
        (
            {"target": "x:Y", "environment": "venv"},
            "target 'x:Y' (pipeline convert) with environment= converts no",
        ),
        (
            {"target": "command", "pipeline": "", "command": ["echo", "{text}", "{wav}"]},
            "converts no",
        ),
    ],
)
def test_a_target_of_texts_refuses_a_source(
    spoken: Path, make_suite: Make, changes: dict[str, Any], words: str
) -> None:
    spoken.write_text(WORKLOAD.replace('speaker = "rms"', ""))
    asked = {"axes": {}, "cells": [{}], "reference": {}, **changes}
    with pytest.raises(HarnessError) as error:
        check_cells(suite_of(make_suite, spoken, **asked).expand().cells)
    assert words in str(error.value)


def test_a_converting_target_refuses_a_text_and_takes_a_source(
    spoken: Path, make_suite: Make
) -> None:
    check_cells(suite_of(make_suite, spoken).expand().cells)
    stranger = f"{__name__}:Converter"
    check_cells(suite_of(make_suite, spoken, target=stranger).expand().cells)
    for changes in ({}, {"target": stranger}):
        with pytest.raises(HarnessError, match="request r1 of workload two has no source"):
            check_cells(make_suite(pipeline="convert", **changes).expand().cells)


def test_the_run_keeps_the_source_and_converts_its_copy(
    spoken: Path, make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = suite_of(make_suite, spoken)

    outcome = run_suite(suite, suite.expand().cells, PLAIN, tmp_path / "run", command="test")

    run = load_run(outcome.folder)
    source = run.cells[0].workload.requests[0].source
    kept = tmp_path / "run" / "sources" / "a.wav"
    assert source is not None and source.path == "sources/a.wav"
    assert source.sha256 == file_sha256(kept) == file_sha256(spoken.parent / "said.wav")
    made, _ = soundfile.read(tmp_path / "run" / "audio" / "steps-8" / "a.wav")
    assert np.allclose(made, soundfile.read(kept)[0])
    heard = takes(recordings_of(run, tmp_path / "golden"), "a")
    assert [take.when for take in heard] == ["golden", "current", "current", "source"]

    check_audio(run)
    _stereo(kept, made)
    with pytest.raises(HarnessError, match=r"a\.wav is another than its request's"):
        check_audio(run)


def test_a_run_that_names_a_source_elsewhere_is_refused(
    spoken: Path, make_suite: Make, tmp_path: Path
) -> None:
    suite = suite_of(make_suite, spoken)
    outcome = run_suite(suite, suite.expand().cells, PLAIN, tmp_path / "run", command="test")
    file = outcome.folder / "run.json"
    data = json.loads(file.read_text())
    source = data["cells"][0]["workload"]["requests"][0]["source"]

    for changes in (
        {"path": "/etc/passwd"},
        {"path": "../said.wav"},
        {"path": "sources/../../said.wav"},
        {"path": "a.wav"},
        {"sha256": ""},
    ):
        data["cells"][0]["workload"]["requests"][0]["source"] = {**source, **changes}
        file.write_text(json.dumps(data))
        with pytest.raises(HarnessError, match="is no file of the folder sources/"):
            load_run(outcome.folder)


def test_a_source_that_changes_between_check_and_copy_is_refused(
    spoken: Path, make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = suite_of(make_suite, spoken)
    cells = suite.expand().cells
    soundfile.write(spoken.parent / "said.wav", soundfile.read(SPEECH)[0] * 0.5, RATE_HZ)
    with pytest.raises(HarnessError, match=r"said\.wav has changed since it was checked"):
        run_suite(suite, cells, PLAIN, tmp_path / "run", command="test")


def _with_source(path: Path) -> Request:
    return Request(id="r1", text="One.", source=SourceRecording(path=str(path), sha256="0" * 64))


def test_a_program_gets_the_path_of_the_source(spoken: Path, tmp_path: Path) -> None:
    code = 'open(option("--out"), "wb").write(open(option("--in"), "rb").read())\n'
    said = spoken.parent / "said.wav"
    request = _with_source(said)
    command = line(program(tmp_path, code), "--in", "{source}", "--out", "{wav}")
    cell = command_cell(command, request)
    target = CommandTarget()
    target.load(cell, {})

    audio = np.concatenate(list(target.synthesize(request, unwatched)))

    assert CommandTarget.takes_sources(cell) is True
    assert np.allclose(audio, soundfile.read(said)[0])


LINES = f"""{RAW}
send({{**{HELLO!r}, "sources": True}})
while (request := asked()):
    with wave.open(request["source"]) as file:
        pcm = file.readframes(file.getnframes())
    send({{"pcm": len(pcm)}}, pcm)
    send({{"done": True}})
"""


def test_a_program_that_stays_alive_gets_the_source_with_the_text(
    spoken: Path, tmp_path: Path
) -> None:
    request = _with_source(spoken.parent / "said.wav")
    target = CommandTarget()
    target.load(command_cell(line(program(tmp_path, LINES), protocol="lines"), request), {})
    try:
        audio = np.concatenate(list(target.synthesize(request, unwatched)))
    finally:
        target._engine.close()  # type: ignore[union-attr]

    assert np.allclose(audio, soundfile.read(spoken.parent / "said.wav")[0])


def test_a_program_that_does_not_say_so_gets_no_source(spoken: Path, tmp_path: Path) -> None:
    command = line(program(tmp_path, f"{RAW}send({HELLO!r}); asked()"), protocol="lines")
    request = _with_source(spoken.parent / "said.wav")
    with pytest.raises(HarnessError, match='does not hold "sources": true'):
        CommandTarget().load(command_cell(command, request), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoConfig(TinyConfig):
    """Options of a pipeline that converts."""

    pipeline: ClassVar[str] = "echo"
    converts: ClassVar[bool] = True

    source: str = option("", help="what is converted", per_request=True)


class EchoPipeline(TinyPipeline):
    """Gives the source back."""

    config_class = EchoConfig
    converts = True

    @classmethod
    def load(cls, options: Any, folder: Path | None = None) -> "EchoPipeline":
        return cls(parse(EchoConfig, options))

    def stream(self, text: str, options: Any = None, watch: Watch = no_watch) -> Any:
        audio, _ = soundfile.read(self.for_request(options or {}).source, dtype="float32")
        yield audio


def _loaded(monkeypatch: pytest.MonkeyPatch, workload: str, pipeline: str) -> EngineTarget:
    for module, table in ((option_spec, "_CONFIGS"), (pipelines, "_PLACES")):
        monkeypatch.setattr(module, table, dict(getattr(module, table)))
    for config, name in ((EchoConfig, "EchoPipeline"), (TinyConfig, "TinyPipeline")):
        register_config(config)
        register_pipeline(config.pipeline, f"{__name__}:{name}")
    target = EngineTarget()
    target.load(
        Cell(
            suite="s",
            target="engine",
            pipeline=pipeline,
            workload=load_workload(workload),
            axes={},
        ),
        {"device": "cpu", "threads": 1},
    )
    return target


def test_a_converting_pipeline_gets_the_source_as_an_option(
    spoken: Path, make_suite: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken.write_text(WORKLOAD.replace('speaker = "rms"', ""))
    target = _loaded(monkeypatch, str(spoken), "echo")
    request = load_workload(str(spoken)).requests[0]

    audio = np.concatenate(list(target.synthesize(request, unwatched)))

    assert np.allclose(audio, soundfile.read(spoken.parent / "said.wav")[0])
    cells = suite_of(make_suite, spoken, target="engine", pipeline="echo", axes={"layers": [1, 2]},
                     reference={"layers": 1}).expand().cells  # fmt: skip
    check_cells(cells)
    assert EngineTarget.takes_sources(cells[0]) is True
    assert EngineTarget.speaks_reels(cells[0]) is False
    with pytest.raises(HarnessError, match="pipeline echo converts recordings, and the request"):
        list(target.synthesize(replace(request, source=None), unwatched))


def test_a_pipeline_of_texts_refuses_a_source(
    spoken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = _loaded(monkeypatch, str(spoken), "tiny")
    request = load_workload(str(spoken)).requests[0]
    with pytest.raises(HarnessError, match="request a: pipeline tiny speaks texts, and converts"):
        list(target.synthesize(request, unwatched))


@pytest.mark.parametrize("name", config_names())
def test_a_pipeline_converts_if_its_options_say_so(name: str) -> None:
    assert pipelines.pipeline_class(name).converts == (name in converting_pipelines())
