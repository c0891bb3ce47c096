"""
Makes run folders that nobody should have made: damaged ones, and ones that were made to do harm.

`make_run` writes a good one without measuring; each of `DAMAGES` changes a copy of it in one way.
Deterministic and quick, so that a fuzzer can take them as its first inputs. `planted(root)` puts a
payload beside the run that tells when it is executed.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.harness.audio.files import write_wav
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.records.codec import to_json
from voxgate.harness.records.environment import environment_from_json
from voxgate.harness.records.run import Iteration, Phase
from voxgate.harness.runner import process_files, run_folder
from voxgate.harness.runner.process_files import WorkerLog
from voxgate.harness.runner.run_header import RunHeader

RATE_HZ = 16_000
REQUESTS = ("r1", "r2")
SLUGS = ("steps-8", "steps-4")
SECRET = "SECRET of the machine"
PAYLOAD = (
    "from pathlib import Path\nPath({marker!r}).write_text('executed')\nraise "
    "SystemExit('executed')\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stranger's folder: the run, what must not be read, and what must not come to be."""

    run: Path
    outside: Path
    """Holds a secret; nothing in the run may lead here."""
    marker: Path
    """Comes to be when the payload is executed."""


def make_run(folder: Path) -> Path:
    """Write a good run folder: two cells, two processes each, with audio."""
    requests = tuple(Request(id=name, text=f"Text {name}.") for name in REQUESTS)
    workload = Workload(name="two", requests=requests)
    cells = tuple(
        Cell(
            suite="test",
            target="scripted",
            pipeline="any",
            workload=workload,
            axes={"steps": steps},
        )
        for steps in (8, 4)
    )
    header = RunHeader(
        suite="test",
        question="Why?",
        reference=SLUGS[0],
        cells=cells,
        excluded={},
        profile="cpu-gate",
        environment=environment_from_json(
            {
                "machine": {"id": "box", "cores": 2},
                "toolchain": {"commit": "3fa1c2e", "dirty_files": 0},
            }
        ),
        created="2026-11-21T00:00:00+00:00",
        repeats=2,
        iterations=2,
        command="voxgate run test",
    )
    run_folder.create_run(folder, header)
    for cell in cells:
        for repeat in range(2):
            _write_process(folder, cell.slug, repeat)
    run_folder.mark_complete(folder, {"finished": "2026-11-21T00:01:00+00:00"})
    return folder


def planted(root: Path) -> Place:
    """Write the good run below `root`, a secret and a payload beside it."""
    outside, marker = root / "outside", root / "marker"
    outside.mkdir(parents=True)
    for name in ("secret.json", "secret.wav", "secret.jsonl"):
        (outside / name).write_text(SECRET)
    place = Place(run=make_run(root / "runs" / "0001"), outside=outside, marker=marker)
    for path in (
        outside / "payload.py",
        place.run / "payload.py",
        place.run / "test.py",
        root / "suites" / "test.py",
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(PAYLOAD.format(marker=str(marker)))
    return place


def copied(place: Place, root: Path) -> Place:
    """Copy a place, so that it can be damaged."""
    shutil.copytree(place.run.parents[1], root, symlinks=True)
    return Place(run=root / "runs" / "0001", outside=root / "outside", marker=place.marker)


def _write_process(folder: Path, slug: str, repeat: int) -> None:
    log = WorkerLog(process_files.log_path(folder, slug, repeat))
    effective = {"steps": int(slug.rpartition("-")[2]), "seed": 0}
    log.append(
        {
            "kind": "loaded",
            "import_s": 1.0,
            "load_s": 0.5,
            "alone": repeat == 0,
            "effective": effective,
        }
    )
    phases = (Phase.FIRST, *(Phase.MEASURED for _ in range(4)))
    for iteration, phase in enumerate(phases):
        if iteration == 1:
            effect = {
                "option": "steps",
                "asked": effective["steps"],
                "observed": str(effective["steps"]),
                "holds": True,
            }
            log.append({"kind": "effects", "effects": [{**effect, "why": "counted"}]})
        request = REQUESTS[iteration % len(REQUESTS)]
        kept = repeat == 0 and iteration in (1, 2)
        log.append(
            {
                "kind": "sample",
                "sample": _sample(folder, slug, repeat, iteration, phase, request, kept),
            }
        )
    log.append({"kind": "finished", "peak_rss_bytes": 5_000_000, "peak_cuda_bytes": None})
    log.close()


def _sample(
    folder: Path, slug: str, repeat: int, iteration: int, phase: Phase, request: str, kept: bool
) -> dict[str, Any]:
    audio = np.sin(np.arange(1600, dtype=np.float32) * (0.05 if request == "r1" else 0.07)).astype(
        np.float32
    ) * np.float32(0.5)
    name = f"audio/{slug}/{request}.wav"
    if kept:
        (folder / name).parent.mkdir(exist_ok=True)
        write_wav(folder / name, audio, RATE_HZ)
    wall_s = 0.1 + 0.001 * ((3 * repeat + iteration) % 5)
    return to_json(
        Iteration(
            cell=slug,
            repeat=repeat,
            iteration=iteration,
            phase=phase,
            request=request,
            wall_s=wall_s,
            audio_s=len(audio) / RATE_HZ,
            first_audio_s=0.05,
            stages_s={"acoustic": 0.06, "vocoder": 0.03},
            audio_sha256=hashlib.sha256(audio.tobytes()).hexdigest(),
            audio_file=name if kept else None,
        )
    )


Damage = Callable[[Place], None]


def in_json(name: str, path: str, value: Any) -> Damage:
    """Return a damage that sets one value of a JSON file: `cells/0/workload/requests/0/id`."""

    def damage(place: Place) -> None:
        file = place.run / name
        data = json.loads(file.read_text())
        _set(data, path, value)
        file.write_text(json.dumps(data))

    return damage


def header(path: str, value: Any) -> Damage:
    """Return a damage of run.json."""
    return in_json("run.json", path, value)


def sample(path: str, value: Any) -> Damage:
    """Return a damage of the second sample of the first process."""
    return _line("sample", 1, path, value)


def _line(kind: str, number: int, path: str, value: Any) -> Damage:
    def damage(place: Place) -> None:
        file = process_files.log_path(place.run, SLUGS[0], 0)
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        chosen = [line for line in lines if line["kind"] == kind][number]
        _set(chosen, f"{kind}/{path}" if kind in ("sample", "failure") else path, value)
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    return damage


def _set(data: Any, path: str, value: Any) -> None:
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in steps:
        data = data[step]
    if value is DROP:
        del data[last]
    else:
        data[last] = value


DROP = object()
"""In place of a value: the key is taken out."""


def content(name: str, text: str | bytes) -> Damage:
    """Return a damage that writes a file."""

    def damage(place: Place) -> None:
        path = place.run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return damage


def link(name: str, target: str) -> Damage:
    """
    Return a damage that puts a link in place of a file or folder; `target` is relative to the
    stranger's root.
    """

    def damage(place: Place) -> None:
        path = place.run / name
        _remove(path)
        path.symlink_to(target if target.startswith("/") else place.run.parents[1] / target)

    return damage


def fifo(name: str) -> Damage:
    """Return a damage that puts a pipe without a writer in place of a file."""

    def damage(place: Place) -> None:
        _remove(place.run / name)
        os.mkfifo(place.run / name)

    return damage


def gone(name: str) -> Damage:
    """Return a damage that removes a file or folder."""
    return lambda place: _remove(place.run / name)


def huge(name: str) -> Damage:
    """Return a damage that makes a file a gigabyte of nothing, which takes no room."""
    return lambda place: os.truncate(place.run / name, 2**30)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _folder_for_file(name: str) -> Damage:
    def damage(place: Place) -> None:
        _remove(place.run / name)
        (place.run / name).mkdir()

    return damage


def _process(name: str) -> Damage:
    """Return a damage that copies a process's file under another name."""
    return lambda place: (
        shutil.copy(process_files.log_path(place.run, SLUGS[0], 0), place.run / "processes" / name)
        and None
    )


def _twice(place: Place) -> None:
    file = process_files.log_path(place.run, SLUGS[0], 0)
    lines = file.read_text().splitlines()
    file.write_text(
        "".join(f"{line}\n" for line in lines for _ in range(2 if '"sample"' in line else 1))
    )


def _without(kind: str) -> Damage:
    def damage(place: Place) -> None:
        for file in (place.run / "processes").iterdir():
            lines = [
                line for line in file.read_text().splitlines() if json.loads(line)["kind"] != kind
            ]
            file.write_text("".join(f"{line}\n" for line in lines))

    return damage


def _cell_twice(place: Place) -> None:
    file = place.run / "run.json"
    data = json.loads(file.read_text())
    data["cells"].append(data["cells"][0])
    file.write_text(json.dumps(data))


def _other_audio(place: Place) -> None:
    write_wav(place.run / "audio/steps-8/r1.wav", np.zeros(1600, dtype=np.float32), RATE_HZ)


def _long_audio(place: Place) -> None:
    write_wav(place.run / "audio/steps-8/r1.wav", np.zeros(160_000, dtype=np.float32), RATE_HZ)


def _promising_audio(place: Place) -> None:
    """A WAV head that promises more than there is."""
    file = place.run / "audio/steps-8/r1.wav"
    data = bytearray(file.read_bytes())
    at = data.find(b"data") + 4
    data[at : at + 4] = (2**31 - 8).to_bytes(4, "little")
    file.write_bytes(bytes(data))


def _confirms_another(place: Place) -> None:
    make_run(place.run / "confirm")
    in_json("confirm/run.json", "suite", "other")(place)


MEASURED: dict[str, Any] = {
    "metric": "latency_p50",
    "unit": "s",
    "better": "lower",
    "version": "1",
    "summary": 0.1,
}
MEASURED |= {"values": [{"id": "r1", "value": 0.1, "repeat": 0}], "low": None, "high": None}


def measured(**changes: Any) -> Damage:
    """Return a damage that leaves measurements, and no audio to score anew."""
    slugs = changes.pop("slugs", SLUGS)

    def damage(place: Place) -> None:
        shutil.rmtree(place.run / "audio")
        cells = {slug: [{**MEASURED, **changes}] for slug in slugs}
        (place.run / "measurements.json").write_text(
            json.dumps({"schema_version": 6, "cells": cells})
        )

    return damage


DEEP = "[" * 100_000
DAMAGES: Mapping[str, tuple[Damage, str | None]] = {
    # what a stranger would have executed
    "suite leads out": (
        header("suite", "../outside/payload"),
        'suite: "../outside/payload" is not a name',
    ),
    "suite of the run": (header("suite", "../runs/0001/payload"), "is not a name"),
    "suite is absolute": (header("suite", "/tmp/payload"), "is not a name"),
    "suite is a file": (header("suite", "payload.py"), None),
    "suite of the cells": (header("cells/0/suite", "../payload"), "cells[0].suite"),
    "target of a package": (header("cells/0/target", "os:system"), None),
    "profile leads out": (header("profile", "../../x"), "profile"),
    # names that become files
    "request leads out": (
        header("cells/0/workload/requests/0/id", "../../outside/x"),
        "cells[0].workload.requests[0].id",
    ),
    "request is absolute": (
        header("cells/0/workload/requests/0/id", "/etc/passwd"),
        "requests[0].id",
    ),
    "request with NUL": (header("cells/0/workload/requests/0/id", "a\x00b"), "requests[0].id"),
    "request with a line": (header("cells/0/workload/requests/0/id", "a\nb"), "requests[0].id"),
    "request twice": (
        header("cells/0/workload/requests/0/id", "r2"),
        'holds the id "r2" more than once',
    ),
    "workload leads out": (
        header("cells/0/workload/name", "../../outside/secret"),
        "cells[0].workload.name",
    ),
    "workload's path leads out": (header("workload", "../outside/two.toml"), "workload"),
    "workload's path is absolute": (header("workload", "/etc/two.toml"), "workload"),
    "axis leads out": (header("cells/0/axes", {"../x": 8}), "cells[0].axes"),
    "axis with a value for a path": (
        header("cells/0/axes", {"steps": "../../x y"}),
        "cannot stand in a cell's name",
    ),
    "speaker leads out": (
        header("cells/0/workload/voices", {"../slt": "voices/slt.wav"}),
        "voices",
    ),
    "voice leads out": (
        header("cells/0/workload/voices", {"slt": "../../outside/secret.wav"}),
        "voices.slt",
    ),
    "voice is absolute": (header("cells/0/workload/voices", {"slt": "/etc/passwd"}), "voices.slt"),
    "machine is endless": (header("environment/machine/id", "x" * 5000), "environment.machine.id"),
    "machine leads out": (header("environment/machine/id", "../../x"), None),
    "audio_file leads out": (
        sample("audio_file", "../../outside/secret.wav"),
        "audio_file is '../../outside/secret.wav'",
    ),
    "audio_file is absolute": (sample("audio_file", "/etc/passwd"), "audio_file"),
    "audio_file of another": (sample("audio_file", "audio/steps-4/r2.wav"), "audio_file"),
    # links, pipes, devices
    "run.json is a link": (link("run.json", "outside/secret.json"), "run.json is a link"),
    "measurements are a link": (link("measurements.json", "outside/secret.json"), "is a link"),
    "complete is a link": (link("complete", "outside/secret.json"), "is a link"),
    "processes are a link": (link("processes", "outside"), "is a link"),
    "audio is a link": (link("audio", "outside"), "is a link"),
    "a recording is a link": (link("audio/steps-8/r1.wav", "outside/secret.wav"), "is a link"),
    "a process is a link": (link("processes/steps-8.0.jsonl", "outside/secret.jsonl"), "is a link"),
    "voices are a link": (link("voices", "outside"), "is a link"),
    "confirm is a link": (link("confirm", "outside"), "is a link"),
    "a link to itself": (
        link("audio/steps-8/r1.wav", "runs/0001/audio/steps-8/r1.wav"),
        "is a link",
    ),
    "a device": (link("complete", "/dev/zero"), "is a link"),
    "run.json is a pipe": (fifo("run.json"), "neither file nor folder|nothing to import"),
    "complete is a pipe": (fifo("complete"), "neither file nor folder"),
    "a process is a pipe": (fifo("processes/steps-8.0.jsonl"), "neither file nor folder"),
    "a recording is a pipe": (fifo("audio/steps-8/r1.wav"), "neither file nor folder"),
    "measurements are a pipe": (fifo("measurements.json"), "neither file nor folder"),
    "run.json is huge": (huge("run.json"), "bytes, more than"),
    "a process is huge": (huge("processes/steps-8.0.jsonl"), "bytes, more than"),
    "run.json is a folder": (_folder_for_file("run.json"), "run.json|nothing to import"),
    "a process is a folder": (_folder_for_file("processes/steps-8.0.jsonl"), "steps-8.0.jsonl"),
    "a recording is a folder": (_folder_for_file("audio/steps-8/r1.wav"), None),
    # text that is no JSON
    "run.json is empty": (content("run.json", ""), "is not valid JSON"),
    "run.json is no text": (content("run.json", b"\xff\xfe\x00\x01"), "is not valid JSON"),
    "run.json is deep": (content("run.json", DEEP), "nested more than"),
    "run.json is null": (content("run.json", "null"), "must hold a JSON object"),
    "a line is deep": (content("processes/steps-8.0.jsonl", DEEP + "\n"), "nested more than"),
    "a line is a number": (content("processes/steps-8.0.jsonl", "3\n"), "it has no kind"),
    "a line is NaN": (content("processes/steps-8.0.jsonl", '{"kind": NaN}\n'), "no finite number"),
    "a line without a kind": (content("processes/steps-8.0.jsonl", "{}\n"), "it has no kind"),
    "a key twice": (content("complete", '{"after": 1, "after": 2}'), "stands there twice"),
    "half a character": (content("complete", '{"after": "\\ud800"}'), "half a character"),
    "endless digits": (content("complete", f'{{"after": {"9" * 5000}}}'), "is not valid JSON"),
    "complete is a list": (content("complete", "[]"), "must hold a JSON object"),
    "complete names a machine that is none": (content("complete", '{"machine": 3}'), "machine"),
    # the wrong types
    "no schema": (header("schema_version", DROP), "has schema None"),
    "schema true": (header("schema_version", True), "has schema True"),
    "schema of tomorrow": (header("schema_version", 99), "upgrade voxgate"),
    "no cells": (header("cells", []), "which is no cell of this run"),
    "cells are an object": (header("cells", {}), "cells: must be a list"),
    "a cell is text": (header("cells/0", "x"), "cells[0]: must be an object"),
    "an unknown key": (header("cells/0/axis", {}), 'has the unknown key "axis"'),
    "no question": (header("question", DROP), "lacks question"),
    "axes are a list": (header("cells/0/axes", []), "cells[0].axes: must be an object"),
    "an option is null": (header("cells/0/fixed", {"x": None}), "cells[0].fixed.x"),
    "an option is huge": (header("cells/0/fixed", {"x": 10**30}), "bits"),
    "no requests": (header("cells/0/workload/requests", []), "must not be empty"),
    "repeats 0": (header("repeats", 0), "repeats: 0 must be at least 1"),
    "repeats beyond counting": (header("repeats", 10**9), "repeats"),
    "iterations are text": (header("iterations", "2"), "iterations: must be a whole number"),
    "created is no time": (header("created", "yesterday"), "created"),
    "created beyond the calendar": (header("created", "9999-12-31T23:59:59-23:59"), "created"),
    "the machine is a list": (
        header("environment/machine", []),
        "environment.machine: must be an object",
    ),
    "the toolchain is text": (
        header("environment/toolchain", "x"),
        "environment.toolchain: must be an object",
    ),
    "the state before is text": (header("environment/before", "x"), None),
    "dirty files are a list": (header("environment/toolchain/dirty_files", ["a"]), None),
    "metrics that do not exist": (header("metrics", ["../x"]), None),
    "a condition that does not exist": (header("conditions", ["under water"]), None),
    "a judge that does not exist": (header("judge", "my aunt"), None),
    # nonsense that passed
    "a cell twice": (_cell_twice, 'holds the slug "steps-8" more than once'),
    "the reference is no cell": (
        header("reference", "steps-64"),
        "the reference 'steps-64' is none of its cells",
    ),
    "not complete": (gone("complete"), None),
    "every sample twice": (_twice, "stands there more than once"),
    "no effects observed": (_without("effects"), "do not tell which options were observed"),
    "no sample": (_without("sample"), None),
    "nothing loaded": (_without("loaded"), None),
    "not finished": (_without("finished"), None),
    "a time below zero": (sample("wall_s", -1.0), "wall_s: -1.0 must be more than 0"),
    "a time of zero": (sample("wall_s", 0.0), "wall_s: 0.0 must be more than 0"),
    "a time that overflows": (sample("wall_s", 1e308), "the number 1e+308 is beyond 1e+60"),
    "a time that is true": (sample("wall_s", True), "wall_s: must be a number, not true"),
    "no audio": (sample("audio_s", 0), "audio_s: 0 must be more than 0"),
    "stages longer than the whole": (
        sample("stages_s", {"vocoder": 9.0}),
        "its stages took longer",
    ),
    "a stage below zero": (sample("stages_s", {"vocoder": -0.1}), "stages_s.vocoder"),
    "first audio after the last": (sample("first_audio_s", 9.0), "its first audio came after"),
    "a request that is none": (
        _line("sample", 0, "request", "r9"),
        "speak 'r9', which is no request",
    ),
    "a sample of another cell": (sample("cell", "steps-4"), "is of cell 'steps-4', repeat 0"),
    "a sample of another round": (sample("repeat", 1), "is of cell 'steps-8', repeat 1"),
    "a phase that is none": (sample("phase", "guessed"), '"guessed" is unknown'),
    "a piece that is none": (sample("chunks", [[0.1]]), "chunks[0]: must be a list of 2 values"),
    "memory below zero": (_line("finished", 0, "peak_rss_bytes", -1), "peak_rss_bytes"),
    "memory of zero": (_line("finished", 0, "peak_rss_bytes", 0), None),
    "effects are text": (_line("effects", 0, "effects", "x"), "effects: must be a list"),
    "effective is a list": (_line("loaded", 0, "effective", []), "effective: must be an object"),
    "a process of no cell": (_process("steps-64.0.jsonl"), "records of steps-64, which is no cell"),
    "a process of no round": (_process("steps-8.999999999.jsonl"), "of a round beyond 10000"),
    "a process without a number": (_process("steps-8.x.jsonl"), None),
    "a process whose name is no text": (_process(os.fsdecode(b"\xff.jsonl")), None),
    "a process of another's round": (_process("steps-8.7.jsonl"), "is of cell 'steps-8', repeat 0"),
    "other audio": (_other_audio, "the SHA-256 of"),
    "longer audio": (_long_audio, "lasts 10.000 s, not 0.100 s"),
    "audio that promises more": (_promising_audio, None),
    "audio is text": (content("audio/steps-8/r1.wav", SECRET), "cannot read audio"),
    "audio is empty": (content("audio/steps-8/r1.wav", ""), "cannot read audio"),
    "a second look at something else": (_confirms_another, None),
    # what is gone
    "run.json is gone": (gone("run.json"), "nothing to import|it has no run.json"),
    "processes are gone": (gone("processes"), None),
    "audio is gone": (gone("audio"), None),
    "everything is empty": (
        lambda place: (
            [path.write_text("") for path in (place.run / "processes").iterdir()] and None
        ),
        None,
    ),
    # measurements of a folder that has no audio to score
    "measurements are a list": (content("measurements.json", "[]"), "must hold a JSON object"),
    "measurements of no schema": (
        content("measurements.json", "{}"),
        "measurements.json has schema None",
    ),
    "measurements of a cell that is none": (
        measured(slugs=("steps-8", "steps-64")),
        "measurements",
    ),
    "measurements lack a cell": (measured(slugs=("steps-8",)), "measurements lack cell steps-4"),
    "a value of an unknown request": (
        measured(values=[{"id": "r9", "value": 0.1, "repeat": 0}]),
        "a value of 'r9' in round 0",
    ),
    "a value of an unknown round": (
        measured(values=[{"id": "r1", "value": 0.1, "repeat": 77}]),
        "a value of 'r1' in round 77",
    ),
    "a value of zero": (
        measured(values=[{"id": "r1", "value": 0, "repeat": 0}]),
        "a value of 0 or less",
    ),
    "a value that no quotient holds": (
        measured(values=[{"id": "r1", "value": 5e-324, "repeat": 0}]),
        "a value below 1e-60",
    ),
    "a value that overflows": (measured(summary=1e308), "the number 1e+308 is beyond 1e+60"),
    "a value below zero": (measured(summary=-0.1), "a value of 0 or less"),
    "a value in words": (measured(summary="quick"), "summary: must be a number"),
    "low above high": (measured(low=0.2, high=0.1), "low 0.2 lies above high 0.1"),
    "another direction": (measured(better="higher"), "unit s and better higher"),
    "another unit": (measured(unit="ms"), "unit ms and better lower"),
    "an unknown direction": (measured(better="sideways"), '"sideways" is unknown'),
}
"""Name -> the damage, and what `gate` says of it on standard error; None where it may be judged."""
