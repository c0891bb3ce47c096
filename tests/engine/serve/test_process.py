"""
`python -m voxgate.engine serve` as a process, with a tiny voice: its first line, its answers, its
end.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import psutil
import pytest
from click.testing import CliRunner

from tests.engine.conftest import write_tiny_voice
from voxgate.engine.__main__ import main
from voxgate.engine.layers.linear import has_onednn
from voxgate.engine.serve.server import CACHED_KERNELS, CAPACITIES, limit_onednn_cache

LONG = "It was a bright cold day in April, and the clocks were striking thirteen. " * 12


@pytest.fixture(name="start")
def _start(tmp_path):
    folder = write_tiny_voice(tmp_path / "tiny")
    running = []

    def start(*words, **env):
        command = [
            sys.executable,
            "-m",
            "voxgate.engine",
            "serve",
            "--port",
            "0",
            "--voice",
            str(folder),
            "--threads",
            "1",
            *words,
        ]
        around = {**os.environ, **env}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=around
        )
        running.append(process)
        found = re.fullmatch(
            r"listening on (http://127\.0\.0\.1:\d+), model (\S+)\n", process.stdout.readline()
        )
        assert found, process.stderr.read()
        return (
            process,
            httpx2.Client(base_url=found.group(1), timeout=30, trust_env=False),
            found.group(2),
        )

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_it_speaks_and_at_the_end_finishes_what_it_let_in_and_lets_nothing_more_in(start):
    process, client, model = start("--nfe-steps", "2", "--window-ms", "20")
    speech = {"model": model, "input": "Hello there.", "voice": "slt", "response_format": "pcm"}
    whole = client.post("/v1/audio/speech", json=speech)
    streamed = client.post("/v1/audio/speech", json={**speech, "stream_format": "audio"})
    assert (whole.status_code, streamed.status_code, model) == (200, 200, "voxgate-tiny")
    assert len(whole.content) == len(streamed.content) > 2000
    assert client.get("/v1/models").json()["data"][0]["options"]["nfe_steps"] == 2

    with ThreadPoolExecutor(1) as pool:
        in_flight = pool.submit(
            client.post,
            "/v1/audio/speech",
            json={**speech, "input": LONG, "stream_format": "audio"},
        )
        pause = threading.Event()
        while not client.get("/health").json()["inside"] and not in_flight.done():
            pause.wait(0.005)
        process.send_signal(signal.SIGTERM)
        answer = in_flight.result()
    out, err = process.communicate(timeout=30)

    assert answer.status_code == 200 and len(answer.content) > 20 * len(whole.content)
    assert (process.returncode, out, err) == (0, "ended\n", "")
    with pytest.raises(httpx2.TransportError):
        client.get("/health")


def growth_bytes(process, client, model):
    """What the server has resident after texts of 32 lengths beyond what it had after 8."""
    found = []
    for number in range(32):
        body = {
            "model": model,
            "input": LONG[:80],
            "speed": 0.6 + 0.04 * number,
            "stream_format": "audio",
        }
        assert client.post("/v1/audio/speech", json=body).status_code == 200
        found.append(psutil.Process(process.pid).memory_info().rss)
    return found[-1] - found[7]


@pytest.mark.skipif(
    not has_onednn(),
    reason="the products of this processor are not oneDNN's, which keeps a kernel per shape",
)
def test_a_server_does_not_keep_the_kernels_of_every_length_unless_it_is_told_to(start):
    grown = growth_bytes(*start("--nfe-steps", "1"))
    told = growth_bytes(*start("--nfe-steps", "1", **dict.fromkeys(CAPACITIES, "1024")))

    assert told > 40 * 2**20 and grown < told / 4, (grown, told)


def test_who_starts_the_server_may_say_how_many_kernels_it_keeps(monkeypatch):
    for name in CAPACITIES:
        monkeypatch.setenv(name, "")  # so that it is as before afterwards
        monkeypatch.delenv(name)
    monkeypatch.setenv(CAPACITIES[0], "5")
    limit_onednn_cache()

    assert [os.environ[name] for name in CAPACITIES] == ["5", CACHED_KERNELS]


def test_mistakes_end_with_one_line_and_code_2(monkeypatch):
    for name in CAPACITIES:  # what serve sets in this process
        monkeypatch.setenv(name, CACHED_KERNELS)
    for words, said in (
        (["--queue", "0"], "--queue must be from 1"),
        (["--nfe-steps", "0"], "nfe_steps must be"),
        (["--host", "256.1.1.1"], "cannot listen on 256.1.1.1"),
        (["--voice", "nowhere"], "do not exist"),
    ):
        done = CliRunner().invoke(main, ["serve", "--port", "0", *words])
        assert done.exit_code == 2 and said in done.stderr, done.output
        assert done.stderr.startswith("engine: ") and len(done.stderr.splitlines()) == 1


def test_the_help_shows_only_what_this_command_can_speak_with():
    serve, say = (
        CliRunner().invoke(main, [command, "--help"], terminal_width=300).output
        for command in ("serve", "say")
    )

    assert "infill" not in serve and "--vocoder" not in serve
    assert re.search(r"--nfe-steps TEXT .*; default 16\]\n", serve)
    assert re.search(r"--reference TEXT .*\[default none\]\n", serve)
    assert "default 16, chatterbox: 10, infill: 32, token: 8]" in say and "--weights" in say
