"""
Which chart library opens quickest, and under which content security policy: sixteen lines of 500
points with their intervals.

    python -m tests.harness.report.site.bench_libraries FOLDER --plotly plotly.min.js
           --bokeh bokeh.min.js --bokeh bokeh-api.min.js

The files lie in the installed packages (plotly/package_data, bokeh/server/static/js). Prints
Markdown.
"""

import argparse
import shutil
import statistics
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, sync_playwright

from tests.harness.report.browser import DESKTOP, watched
from voxgate.harness.report.site.folder import LIBRARY, POLICY, library

TIMES = 5
POLICIES = {
    "the site's": POLICY,
    "inline styles": POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
}
DATA = """
const x = Array.from({length: 500}, (_, i) => 1700000000 + i * 86400), t = x.map((s) => new Date(s * 1000));
const lines = Array.from({length: 16}, (_, c) => x.map((_, i) => 100 + c + Math.sin(i / 7) + (i > 300 ? 8 : 0)));
const low = (y) => y.map((v) => v * .99), high = (y) => y.map((v) => v * 1.01);
const host = () => { const div = document.createElement("div"); document.body.append(div); return div; };
(async () => {
  for (const y of lines) { await draw(y, host()); window.first ??= performance.now(); }
  requestAnimationFrame(() => setTimeout(() => { document.body.id = "drawn"; window.all = performance.now(); }));
})();
"""  # noqa: E501
DRAW = {
    "uPlot": """const draw = (y, div) => new uPlot({width: 600, height: 256, legend: {show: false},
  series: [{}, {}, {}, {stroke: "blue"}], bands: [{series: [2, 1], fill: "#0002"}]}, [x, low(y), high(y), y], div);""",  # noqa: E501
    "plotly": """const draw = (y, div) => Plotly.newPlot(div, [{x: t, y: low(y), mode: "lines", line: {width: 0}},
  {x: t, y: high(y), mode: "lines", fill: "tonexty", line: {width: 0}}, {x: t, y, mode: "lines"}],
  {width: 600, height: 256, showlegend: false}, {displayModeBar: false});""",  # noqa: E501
    "bokeh": """const draw = (y, div) => {
  const f = Bokeh.Plotting.figure({width: 600, height: 256, x_axis_type: "datetime", tools: ""});
  f.varea({x: t, y1: low(y), y2: high(y), fill_alpha: .2}); f.line(t, y); return Bokeh.Plotting.show(f, div); };""",  # noqa: E501
}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plotly", type=Path, action="append", default=[])
    parser.add_argument("--bokeh", type=Path, action="append", default=[])
    asked = parser.parse_args()
    files = {
        "uPlot": [library() / name for name in LIBRARY],
        "plotly": asked.plotly,
        "bokeh": asked.bokeh,
    }
    asked.folder.mkdir(parents=True, exist_ok=True)
    print(
        "| library | kB | policy | first chart, ms | all 16, ms | complaints |\n| --- | ---: | --- "
        "| --- | --- | ---: |"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for name, several in files.items():
            for policy, csp in POLICIES.items() if several else ():
                page = write_page(asked.folder, name, several, csp)
                size = sum(file.stat().st_size for file in several) / 1000
                print(f"| {name} | {size:.0f} | {policy} | {seen(browser, page)} |")


def write_page(folder: Path, name: str, files: list[Path], csp: str) -> Path:
    """Writes a page of one library."""
    for file in files:
        shutil.copyfile(file, folder / file.name)
    (folder / f"{name}.js").write_text(DRAW[name] + DATA)
    tags = [
        f'<link rel="stylesheet" href="{file.name}">' for file in files if file.suffix == ".css"
    ]
    tags += [
        f'<script defer src="{file}"></script>'
        for file in [*(f.name for f in files if f.suffix == ".js"), f"{name}.js"]
    ]
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{csp}"><link '
        'rel="icon" href="data:,">'
    )
    page = folder / f"{name}.html"
    page.write_text(f"<!doctype html><html><head>{head}{''.join(tags)}</head><body></body></html>")
    return page


def seen(browser: Any, page: Path) -> str:
    """Opens a page several times; gives its times and the number of its complaints."""
    first, everything, complaints = [], [], 0
    for _ in range(TIMES):
        with browser.new_context(viewport=DESKTOP) as context:
            tab = watched(context)
            try:
                tab.open(page.resolve().as_uri(), "#drawn")
                first.append(tab.page.evaluate("window.first"))
                everything.append(tab.page.evaluate("window.all"))
            except Error:
                return f"never | never | {len(tab.complaints)}"
            complaints = max(complaints, len(tab.complaints))
    return f"{spread(first)} | {spread(everything)} | {complaints}"


def spread(values: list[float]) -> str:
    """Gives the median, the least and the most."""
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


if __name__ == "__main__":
    main()
