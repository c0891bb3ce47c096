"""
GitHub's REST API, as far as the jobs need it: JSON in and out, page after page, archives up to a
limit.

The token is sent to the API's own host and nowhere else: a redirect to another host, as for
archives, is followed without it. Knows addresses and errors; does not know the use of an issue or a
comment.

Artifacts of another job are read in memory and with limits. They may come from a stranger: nothing
is unpacked onto the disk, nothing is run, and a name is only ever compared.
"""

import io
import json
import os
import re
import struct
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from voxgate.harness.errors import HarnessError

TIMEOUT_S = 30.0
PER_PAGE = 100
PAGES = 50
"""More pages than that are a fault, or an attack."""
JSON_BYTES = 32 * 2**20
VERSION = "2022-11-28"
"""Of the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """The API of one repository."""

    api: str
    """`https://api.github.com`, or an enterprise server's."""
    repository: str
    """`owner/name`."""
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https://[^/\s]+[^\s]*|http://127\.0\.0\.1:\d+[^\s]*", self.api):
            raise HarnessError(f"GITHUB_API_URL is {self.api!r}; it must begin with https://")
        if not re.fullmatch(r"\w[\w-]*/(?!\.\.?$)[\w.-]+", self.repository):
            raise HarnessError(f"GITHUB_REPOSITORY is {self.repository!r}; it must be owner/name")

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """
        Return the JSON at a path below the repository. Raises HarnessError for anything but an
        answer.
        """
        return self.send("GET", f"{path}?{urlencode(query)}" if query else path)

    def every(
        self, path: str, query: Mapping[str, str] | None = None, key: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Return all entries of a list, or of the list under `key`, page after page."""
        for page in range(1, PAGES + 1):
            answer = self.get(path, {**(query or {}), "per_page": str(PER_PAGE), "page": str(page)})
            entries = answer if key is None else answer[key]
            yield from entries
            if len(entries) < PER_PAGE:
                return
        raise HarnessError(
            f"{path} has more than {PAGES * PER_PAGE} entries; there is something wrong with it"
        )

    def send(self, method: str, path: str, body: object = None) -> Any:
        """
        Send JSON and return the answer's JSON (None where there is none). Raises HarnessError with
        GitHub's own message.
        """
        raw = self._raw(
            method, path, None if body is None else json.dumps(body).encode(), JSON_BYTES
        )
        try:
            return json.loads(raw) if raw else None
        except ValueError as error:
            raise HarnessError(
                f"GitHub's answer to {method} {path} is no JSON; try again later"
            ) from error

    def archive(self, path: str, limit_bytes: int) -> bytes:
        """Download a file. Raises HarnessError if it is larger than the limit."""
        return self._raw("GET", path, None, limit_bytes)

    def _raw(self, method: str, path: str, body: bytes | None, limit_bytes: int) -> bytes:
        address = f"{self.api}/repos/{self.repository}{path}"
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "X-GitHub-Api-Version": VERSION,
            "User-Agent": "voxgate",
        }
        request = urllib.request.Request(address, data=body, headers=headers, method=method)  # noqa: S310 - checked above
        try:
            with OPENER.open(request, timeout=TIMEOUT_S) as answer:
                read: bytes = answer.read(limit_bytes + 1)
        except urllib.error.HTTPError as error:
            raise HarnessError(
                f"GitHub answered {error.code} to {method} {path}: {_words(error)}"
            ) from error
        except (OSError, HTTPException) as error:
            raise HarnessError(
                f"GitHub did not answer {method} {path}: {error}; run the job again"
            ) from error
        if len(read) > limit_bytes:
            raise HarnessError(f"{path} is larger than {limit_bytes} bytes; it is not read")
        return read


class WithoutToken(urllib.request.HTTPRedirectHandler):
    """Redirects of a GET, followed without the token on another host."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the next request."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            following.remove_header("Authorization")
        return following


OPENER = urllib.request.build_opener(WithoutToken)


def github() -> GitHub:
    """
    Return the API of the repository that the job runs for. Raises HarnessError outside of a job, or
    without a token.
    """
    token = os.environ.get("GITHUB_TOKEN", "")
    if not token:
        raise HarnessError(
            "GITHUB_TOKEN is not set; give the step `env: GITHUB_TOKEN: ${{ github.token }}`"
        )
    return GitHub(
        api=os.environ.get("GITHUB_API_URL", "https://api.github.com"),
        repository=os.environ.get("GITHUB_REPOSITORY", ""),
        token=token,
    )


def _words(error: urllib.error.HTTPError) -> str:
    """Return GitHub's message, with the usual cause of a refusal."""
    try:
        said = str(json.loads(error.read(JSON_BYTES)).get("message", ""))
    except (ValueError, AttributeError, OSError):
        said = ""
    hint = (
        "; does the job have the permission that this needs?"
        if error.code in (401, 403, 404)
        else ""
    )
    return f"{said or error.reason}{hint}"


ARCHIVE_BYTES = 32 * 2**20
UNPACKED_BYTES = 64 * 2**20
"""Of all files together: a small archive can unpack to any size."""
FILES = 500
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError),
    *(OSError, EOFError, ValueError, LookupError),
)
"""Exceptions of reading an archive that is none, or whose parts are not where its index says."""


def artifacts(github: GitHub, run: int) -> dict[str, dict[str, Any]]:
    """Return the artifacts of a workflow run by name, the newest of each."""
    listed = github.every(f"/actions/runs/{run}/artifacts", key="artifacts")
    return {
        str(entry["name"]): entry
        for entry in sorted(listed, key=lambda entry: int(entry["id"]))
        if not entry.get("expired")
    }


def read_artifact(github: GitHub, run: int, name: str) -> dict[str, bytes] | None:
    """
    Return the files of an artifact by path; None if the run has no such artifact. Raises
    HarnessError beyond the limits.
    """
    entry = artifacts(github, run).get(name)
    if entry is None:
        return None
    return unpacked(
        github.archive(f"/actions/artifacts/{int(entry['id'])}/zip", ARCHIVE_BYTES), name
    )


def unpacked(archive: bytes, name: str) -> dict[str, bytes]:
    """
    Return the files of a zip archive by path. Raises HarnessError if it is broken, or too large
    when unpacked.
    """
    files: dict[str, bytes] = {}
    left = UNPACKED_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            entries = [entry for entry in packed.infolist() if not entry.is_dir()]
            if len(entries) > FILES:
                raise HarnessError(
                    f"artifact {name} has {len(entries)} files, more than {FILES}; it is not read"
                )
            for entry in entries:
                with packed.open(entry) as file:
                    content = file.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise HarnessError(
                        f"artifact {name} unpacks to more than {UNPACKED_BYTES} bytes; it is not "
                        "read"
                    )
                files[entry.filename] = content
    except HarnessError:
        raise
    except BROKEN as error:
        raise HarnessError(f"artifact {name} cannot be read: {error}") from error
    return files


def read_json(content: bytes, name: str) -> Any:
    """Parse JSON that a stranger wrote. Raises HarnessError if it is not JSON."""
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"{name} is no JSON: {error}") from error
