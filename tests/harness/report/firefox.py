"""
Firefox, driven by its own protocol Marionette: Playwright drives only a Firefox of its own build,
and the one that people have is the one to look at.

A page is shown in a frame of the wanted size, as a window cannot be as narrow as a phone.
"""

import base64
import json
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

DARK_PREFERENCE = "layout.css.prefers-color-scheme.content-override"
PREFERENCES = {
    "marionette.port": 0,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "security.fileuri.strict_origin_policy": False,
    "app.update.enabled": False,
    "layout.css.devPixelsPerPx": "1.0",
    "ui.useOverlayScrollbars": 1,
    "widget.gtk.overlay-scrollbars.enabled": True,
}
"""Port 0: any free one, which Firefox writes into its profile."""
PATIENCE_S = 60.0


class Firefox:
    """One browser without a window; `folder` holds its profile, and is one for this alone."""

    def __init__(self, program: str, folder: Path) -> None:
        self._folder, self._count = folder, 0
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (folder / "user.js").write_text("\n".join(lines))
        self._process = subprocess.Popen(
            [
                program,
                "--headless",
                "--marionette",
                "--remote-allow-system-access",
                "--no-remote",
                "--profile",
                str(folder),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._socket = self._connected()
            self._read()
            self._ask("WebDriver:NewSession")
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> "Firefox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._socket.close()
        self._end()

    def show(self, page: Path, width: int, height: int, *, dark: bool) -> None:
        """Open a page in a frame of that size, and wait until it has loaded."""
        self._ask("Marionette:SetContext", value="chrome")
        self._run(
            f"Services.prefs.setIntPref({DARK_PREFERENCE!r}, {0 if dark else 1});"
            f"window.resizeTo({max(width, 600) + 40}, {height + 200});"
        )
        self._ask("Marionette:SetContext", value="content")
        frame = self._folder / "frame.html"
        frame.write_text(
            "<!doctype html><style>body { margin: 0 } iframe { border: 0 }</style>"
            f'<iframe width="{width}" height="{height}" src="{page.as_uri()}"></iframe>'
        )
        self._ask("WebDriver:SwitchToFrame", id=None)
        self._ask("WebDriver:Navigate", url=frame.as_uri())
        self._ask("WebDriver:SwitchToFrame", id=0)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page that is shown."""
        return self._run(f"return ({expression})")

    def screenshot(self) -> bytes:
        """Return a picture of what is shown, PNG."""
        found = self._ask("WebDriver:TakeScreenshot", full=False)
        return base64.b64decode(found["value"])

    def _run(self, script: str) -> Any:
        return self._ask("WebDriver:ExecuteScript", script=script, args=[], newSandbox=True)[
            "value"
        ]

    def _ask(self, command: str, **parameters: object) -> Any:
        self._count += 1
        said = json.dumps([0, self._count, command, parameters])
        self._socket.sendall(f"{len(said.encode())}:{said}".encode())
        _, _, error, result = self._read()
        if error:
            raise RuntimeError(f"{command}: {error}")
        return result

    def _read(self) -> Any:
        digits = b""
        while not digits.endswith(b":"):
            digits += self._socket.recv(1)
        left, parts = int(digits[:-1]), []
        while left:
            parts.append(self._socket.recv(left))
            left -= len(parts[-1])
        return json.loads(b"".join(parts))

    def _connected(self) -> socket.socket:
        port_file, until = self._folder / "MarionetteActivePort", time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self._process.poll() is None:
            if port_file.exists() and (port := port_file.read_text().strip()):
                return socket.create_connection(("127.0.0.1", int(port)), PATIENCE_S)
            time.sleep(0.05)
        raise RuntimeError("Firefox did not start")

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
