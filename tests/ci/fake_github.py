"""
A fake GitHub: the part of its REST API that the jobs use, in memory, on a port of this machine.
"""

import base64
import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

REPOSITORY = "o/r"
BOT = {"login": "github-actions[bot]", "type": "Bot"}
TOKEN = "fake-token"
BEGAN, MADE = "2026-11-20T10:00:00Z", "2026-11-20T10:05:00Z"


@dataclass
class FakeGitHub:
    """What the fake knows; tests fill it, and read what became of it."""

    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    runs: dict[str, list[int]] = field(default_factory=dict)
    """Commit -> ids of the gate's runs."""
    run_times: dict[int, str] = field(default_factory=dict)
    """When a run began, where it is not BEGAN."""
    artifact_times: dict[int, str] = field(default_factory=dict)
    """When the artifacts of a run were made, where it is not MADE."""
    artifacts: dict[int, dict[str, bytes]] = field(default_factory=dict)
    """Run -> name -> zip."""
    writers: set[str] = field(default_factory=set)
    trees: dict[str, dict[str, str]] = field(default_factory=dict)
    """Commit -> path -> blob."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Trees and commits that were made, by hash."""
    branches: dict[str, str] = field(default_factory=dict)
    posted: list[dict[str, Any]] = field(default_factory=list)
    """What the webhook got."""
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and token of every request."""
    broken: set[str] = field(default_factory=set)
    """Paths that answer 500."""
    failing: list[int] = field(default_factory=list)
    """Statuses of the webhook's next answers, in place of 200."""
    address: str = ""
    elsewhere: str = ""
    """The address of another host of its own, where archives lie."""

    def add_pull(
        self,
        number: int = 12,
        sha: str = "a" * 40,
        repository: str = REPOSITORY,
        branch: str = "topic/x",
    ) -> None:
        head = {
            "sha": sha,
            "ref": branch,
            "repo": {"full_name": repository, "owner": {"login": repository.partition("/")[0]}},
        }
        url = f"https://github.com/{REPOSITORY}/pull/{number}"
        self.pulls.append({"number": number, "state": "open", "head": head, "html_url": url})

    def add_artifact(self, run: int, name: str, files: Mapping[str, bytes]) -> None:
        self.artifacts.setdefault(run, {})[name] = zipped(files)

    def add_commit(self, sha: str, files: Mapping[str, bytes]) -> None:
        self.trees[sha] = {path: self.blob(content) for path, content in files.items()}

    def blob(self, content: bytes) -> str:
        name = hashlib.sha1(content).hexdigest()
        self.blobs[name] = content
        return name

    def files_of(self, sha: str) -> dict[str, bytes]:
        """Return the files of a commit that was made through the API."""
        tree = self.made[self.made[sha]["tree"]]
        files = dict(self.trees[tree["base_tree"].removeprefix("tree-")])
        for entry in tree["tree"]:
            if entry["sha"] is None:
                del files[entry["path"]]
            else:
                files[entry["path"]] = entry["sha"]
        return {path: self.blobs[name] for path, name in files.items()}


def zipped(files: Mapping[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return whole.getvalue()


@contextmanager
def serving(fake: FakeGitHub) -> Iterator[FakeGitHub]:
    """
    Serve, and give the address to `fake.address`; two ports, so that a redirect leads to another
    host.
    """
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler(fake)) for _ in range(2)]
    fake.address, fake.elsewhere = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        for server in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield fake
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


def handler(fake: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    """Return the handler of requests to a fake."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            code, body = reply(fake, self, json.loads(self.rfile.read(length)) if length else None)
            raw = (
                body
                if isinstance(body, bytes)
                else b""
                if code == 302
                else json.dumps(body).encode()
            )
            self.send_response(code)
            if code == 302:
                self.send_header("Location", body)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_PATCH = do_GET  # noqa: N815 - names that http.server asks for

    return Handler


def reply(fake: FakeGitHub, request: BaseHTTPRequestHandler, body: Any) -> "Answer":
    url, token = urlsplit(request.path), str(request.headers.get("Authorization", ""))
    path, query = (
        unquote(url.path),
        {name: values[0] for name, values in parse_qs(url.query).items()},
    )
    fake.seen.append((request.command, path, token))
    if path in fake.broken:
        return 500, {"message": "out of order"}
    if path.startswith("/archive/"):
        run, name = path.removeprefix("/archive/").split("/", 1)
        return 200, fake.artifacts[int(run)][name]
    if path == "/webhook" and fake.failing:
        return fake.failing.pop(0), f"{fake.elsewhere}/webhook"
    if path == "/webhook":
        fake.posted.append(body)
        return 200, {}
    if token != f"Bearer {TOKEN}":
        return 401, {"message": "Bad credentials"}
    for method, pattern, call in ROUTES:
        found = re.fullmatch(f"/repos/{REPOSITORY}{pattern}", path)
        if method == request.command and found:
            return call(fake, found.groups(), query, body)
    return 404, {"message": "Not Found"}


Answer = tuple[int, Any]
Groups = tuple[str, ...]
Query = Mapping[str, str]


def page(entries: list[Any], query: Query) -> list[Any]:
    size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
    return entries[(number - 1) * size : number * size]


def pulls(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    wanted = [
        pull
        for pull in fake.pulls
        if f"{pull['head']['repo']['owner']['login']}:{pull['head']['ref']}" == query["head"]
    ]
    return 200, page([each for each in wanted if each["state"] == query["state"]], query)


def pull(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    found = next((pull for pull in fake.pulls if pull["number"] == int(groups[0])), None)
    return (200, found) if found else (404, {"message": "Not Found"})


def comments(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    return 200, page(fake.comments.get(int(groups[0]), []), query)


def add_comment(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    number = int(groups[0])
    several = fake.comments.setdefault(number, [])
    made = {
        "id": number * 1000 + len(several),
        "user": BOT,
        "html_url": f"https://github.com/c/{len(several)}",
        **body,
    }
    several.append(made)
    return 201, made


def edit_comment(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    found = next(
        each
        for several in fake.comments.values()
        for each in several
        if each["id"] == int(groups[0])
    )
    found.update(body)
    return 200, found


def list_issues(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    return 200, page(
        [e for e in fake.issues if e["state"] == query["state"] and query["labels"] in e["labels"]],
        query,
    )


def add_issue(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    number = len(fake.issues) + 1
    made = {
        "number": number,
        "state": "open",
        "user": BOT,
        "html_url": f"https://github.com/o/r/issues/{number}",
        **body,
    }
    fake.issues.append(made)
    return 201, made


def edit_issue(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    fake.issues[int(groups[0]) - 1].update(body)
    return 200, fake.issues[int(groups[0]) - 1]


def statuses(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    return 200, page(fake.statuses.get(groups[0], []), query)


def add_status(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    if len(body["description"]) > 140:
        return 422, {"message": "description is too long (maximum is 140 characters)"}
    fake.statuses.setdefault(groups[0], []).append(body)
    return 201, body


def artifacts(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    run = int(groups[0])
    made = fake.artifact_times.get(run, MADE)
    found = [
        {"id": run * 100 + n, "name": name, "created_at": made}
        for n, name in enumerate(fake.artifacts.get(run, {}))
    ]
    return 200, {"total_count": len(found), "artifacts": page(found, query)}


def archive(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    run, index = divmod(int(groups[0]), 100)
    return 302, f"{fake.elsewhere}/archive/{run}/{list(fake.artifacts[run])[index]}"


def gate_runs(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    heads = {pull["head"]["sha"]: pull["head"] for pull in fake.pulls}
    found = []
    for sha, numbers in fake.runs.items():
        head = heads.get(sha) or next(iter(heads.values()))
        facts = {
            "head_sha": sha,
            "head_branch": head["ref"],
            "head_repository": {"full_name": head["repo"]["full_name"]},
        }
        found += [
            {"id": number, "created_at": fake.run_times.get(number, BEGAN), **facts}
            for number in numbers
        ]
    wanted = {"head_sha": query.get("head_sha"), "head_branch": query.get("branch")}
    found = [
        run
        for run in found
        if all(value is None or run[name] == value for name, value in wanted.items())
    ]
    return 200, {"total_count": len(found), "workflow_runs": page(found, query)}


def permission(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    return 200, {"permission": "write" if groups[0] in fake.writers else "read"}


def tree(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    entries = [
        {"path": path, "type": "blob", "sha": sha} for path, sha in fake.trees[groups[0]].items()
    ]
    return 200, {
        "tree": [{"path": "baselines", "type": "tree", "sha": "t"}, *entries],
        "truncated": False,
    }


def blob(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    return 200, {"content": base64.encodebytes(fake.blobs[groups[0]]).decode()}


def add_blob(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    return 201, {"sha": fake.blob(base64.b64decode(body["content"]))}


def commit(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    return 200, {"sha": groups[0], "tree": {"sha": f"tree-{groups[0]}"}}


def make(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    sha = hashlib.sha1(json.dumps(body).encode()).hexdigest()
    fake.made[sha] = body
    return 201, {"sha": sha}


def move(fake: FakeGitHub, groups: Groups, query: Query, body: Any) -> Answer:
    if fake.made[body["sha"]]["parents"] != [fake.branches[groups[0]]] or body["force"]:
        return 422, {"message": "Update is not a fast forward"}
    fake.branches[groups[0]] = body["sha"]
    return 200, {}


Call = Callable[[FakeGitHub, Groups, Query, Any], Answer]
ROUTES: tuple[tuple[str, str, Call], ...] = (
    ("GET", "/pulls", pulls),
    ("GET", r"/pulls/(\d+)", pull),
    ("GET", r"/issues/(\d+)/comments", comments),
    ("POST", r"/issues/(\d+)/comments", add_comment),
    ("PATCH", r"/issues/comments/(\d+)", edit_comment),
    ("GET", "/issues", list_issues),
    ("POST", "/issues", add_issue),
    ("PATCH", r"/issues/(\d+)", edit_issue),
    ("GET", "/commits/([0-9a-f]+)/statuses", statuses),
    ("POST", "/statuses/([0-9a-f]+)", add_status),
    ("GET", r"/actions/runs/(\d+)/artifacts", artifacts),
    ("GET", r"/actions/artifacts/(\d+)/zip", archive),
    ("GET", r"/actions/workflows/pr-gate\.yml/runs", gate_runs),
    ("GET", "/collaborators/([^/]+)/permission", permission),
    ("GET", "/git/trees/([0-9a-f]+)", tree),
    ("GET", "/git/blobs/([0-9a-f]+)", blob),
    ("POST", "/git/blobs", add_blob),
    ("GET", "/git/commits/([0-9a-f]+)", commit),
    ("POST", "/git/trees", make),
    ("POST", "/git/commits", make),
    ("PATCH", "/git/refs/heads/(.+)", move),
)
