"""`python -m engine serve` as a process, with a tiny voice: its first line, its answers, its end."""

import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from click.testing import CliRunner

from engine.__main__ import main
from tests.engine.conftest import write_tiny_voice

LONG = "It was a bright cold day in April, and the clocks were striking thirteen. " * 12


@pytest.fixture(name="start")
def _start(tmp_path):
    folder = write_tiny_voice(tmp_path / "tiny")
    running = []

    def start(*words):
        command = [sys.executable, "-m", "engine", "serve", "--port", "0", "--voice", str(folder), "--threads", "1", *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+), model (\S+)\n", process.stdout.readline())
        assert found, process.stderr.read()
        return process, httpx2.Client(base_url=found.group(1), timeout=30, trust_env=False), found.group(2)

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
        inside = pool.submit(client.post, "/v1/audio/speech", json={**speech, "input": LONG, "stream_format": "audio"})
        pause = threading.Event()
        while not client.get("/health").json()["inside"] and not inside.done():
            pause.wait(0.005)
        process.send_signal(signal.SIGTERM)
        answer = inside.result()
    out, err = process.communicate(timeout=30)

    assert answer.status_code == 200 and len(answer.content) > 20 * len(whole.content)
    assert (process.returncode, out, err) == (0, "ended\n", "")
    with pytest.raises(httpx2.TransportError):
        client.get("/health")


def test_mistakes_end_with_one_line_and_code_2():
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
    serve, say = (CliRunner().invoke(main, [command, "--help"], terminal_width=200).output for command in ("serve", "say"))

    assert "infill" not in serve and "--weights" not in serve
    assert re.search(r"--nfe-steps TEXT +default 16\n", serve) and re.search(r"--reference TEXT +default none\n", serve)
    assert "default 16 (infill: 32)" in say and "--weights" in say
