"""
A child that is no process: the real worker, carried out here, so that a test on the real path takes
no seconds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxgate.harness.machine.checks.check import SystemRoot
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.records import documents
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.run import Failure
from voxgate.harness.runner.process_files import WorkerLog
from voxgate.harness.runner.worker import Worker
from voxgate.harness.runner.worker_channel import read_job
from voxgate.harness.runner.worker_process import WorkerError

ALONE = Profile(name="plain", about="", defaults={"device": "cpu"}, live=8, loading=1)


class ChildHere:
    """
    Stands in for `voxgate.harness.runner.worker_pool.Child`; `said` keeps what all of them were
    told: `0 run steps-8 load`.
    """

    said: list[str]

    def __init__(self, job: Mapping[str, Any], files: Path, *_: object) -> None:
        request = files.with_name(f"{files.name}.request.json")
        documents.write_json(request, job)
        asked = read_job(request)
        self._name = f"{asked.repeat} {asked.folder.name} {asked.cell.slug}"
        self._log = WorkerLog(asked.log)
        self._worker = Worker(asked, self._log, age_s=0.0, tree=SystemRoot(root=asked.folder))

    def do(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        self.said.append(f"{self._name} {command['do']}")
        answer = self._worker.handle(command)
        if "failed" in answer:
            raise WorkerError(from_json(Failure, answer["failed"]), recorded=True)
        return answer

    def kill(self) -> None:
        pass

    def close(self) -> None:
        self._log.close()
