"""
What a killed process leaves: nothing, within a second, whether it hangs or not. Real processes.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voxgate.harness.machine.process_guard import Guard
from voxgate.harness.runner import process_files

LIMIT_S = 1.0
HANGS = {
    "waits": "import time; time.sleep(600)",
    "holds the interpreter in C": "import ctypes; ctypes.PyDLL(None).sleep(600)",
    "ignores signals": "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, "
    "15)]; time.sleep(600)",
    "has a child": "import subprocess; subprocess.run(['sleep', '600'])",
}
PARENT = """
import subprocess, sys, time
from voxgate.harness.machine.process_guard import GUARD
process = subprocess.Popen([sys.executable, "-c", sys.argv[1]], start_new_session=sys.argv[2] == "group")
GUARD.watch(process.pid)
time.sleep(0.3)  # for what it starts in turn
children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
print(GUARD._process.pid, process.pid, *children, flush=True)
time.sleep(600)
"""  # noqa: E501
RUN = """
from pathlib import Path
import sys
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.suite.suite import load_suite
suite = load_suite(sys.argv[1])
profile = Profile(name="plain", about="", defaults={"device": "cpu"}, live=8, loading=2)
run_suite(suite, suite.expand().cells, profile, Path(sys.argv[2]))
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="processes are looked up in /proc"
)


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie that nobody has reaped yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def gone(pids: list[int], limit_s: float = LIMIT_S) -> bool:
    until_s = time.monotonic() + limit_s
    while any(map(lives, pids)) and time.monotonic() < until_s:
        time.sleep(0.02)
    return not any(map(lives, pids))


@pytest.mark.parametrize("group", ["group", "alone"])
@pytest.mark.parametrize("hang", HANGS)
def test_what_hangs_ends_with_a_parent_that_is_killed(hang: str, group: str) -> None:
    if group == "alone" and hang == "has a child":
        pytest.skip("a process that leads no group has nothing to be told by")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, HANGS[hang], group], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert all(map(lives, pids)) and len(pids) == (3 if hang == "has a child" else 2)
        parent.kill()
        assert gone(pids)


def test_a_worker_that_hangs_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    """The first input: 'kill -9' of the command left workers behind that nobody would ever end."""
    (tmp_path / "two.toml").write_text('[[request]]\nid = "r1"\ntext = "One."\n')
    (tmp_path / "hang.py").write_text(
        f"""from voxgate import Suite
suite = Suite(target="scripted", pipeline="any", workload={str(tmp_path / "two.toml")!r}, axes={{"steps": [8, 4]}},
              reference={{"steps": 8}}, fixed={{"audio_s": 0.1, "fault": "hang", "fault_at": 1}}, name="test")
"""  # noqa: E501
    )
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path / "hang.py"), str(tmp_path / "run")]
    ) as parent:
        log = process_files.log_path(tmp_path / "run", "steps-8", 0)
        while parent.poll() is None and not (log.exists() and '"first"' in log.read_text()):
            time.sleep(0.05)
        pids = [
            int(word)
            for word in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        ]
        pids += [
            each
            for task in Path(f"/proc/{parent.pid}/task").iterdir()
            for each in map(int, children_of(task))
        ]
        assert len(set(pids)) == 2, "a guard and a worker: the first round starts one at a time"
        parent.kill()
        assert gone(pids)


def children_of(task: Path) -> list[str]:
    return (task / "children").read_text().split()


def test_a_guard_that_was_killed_is_replaced_and_knows_all_that_is_watched() -> None:
    guard, sleepers = (
        Guard(),
        [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(3)],
    )
    try:
        guard.watch(sleepers[0].pid)
        assert guard._process is not None
        guard._process.kill()
        guard._process.wait()
        for each in sleepers[1:]:
            guard.watch(each.pid)
        guard.release(sleepers[2].pid)
        guard.close()
        assert [each.wait(5) for each in sleepers[:2]] == [-signal.SIGKILL] * 2
        assert sleepers[2].poll() is None
    finally:
        for each in sleepers:
            each.kill()
            each.wait()


def test_a_fork_of_the_watching_process_ends_nothing() -> None:
    """
    A process that was forked from us has the pipe as well, and must neither write into it nor wait
    for our guard.
    """
    guard, sleeper = Guard(), subprocess.Popen(["sleep", "600"], start_new_session=True)
    guard.watch(sleeper.pid)
    pid = os.fork()
    if pid == 0:
        guard.release(sleeper.pid)
        guard.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert sleeper.poll() is None
    guard.close()
    assert sleeper.wait(5) == -signal.SIGKILL


START = """
import sys
module = sys.argv[1]
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            exec("raise KeyboardInterrupt")  # as while a dataclass is made: CPython would end by SIGINT, though it is handled
sys.meta_path.insert(0, Interrupt())
sys.argv = ["voxgate", "run", "two"]
from voxgate.__main__ import main
main()
"""  # noqa: E501


@pytest.mark.parametrize("module", ["voxgate.harness.errors", "voxgate.harness.cli.main", "numpy"])
def test_ctrl_c_while_starting_is_one_line(module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START, module],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
