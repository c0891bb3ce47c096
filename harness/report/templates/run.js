// The page of any run: reads the run that the address names (run.html#12) from its data file and lays it out.
"use strict";
(() => {
  const { element, badge, kind, shown, interval, table } = voxgate;
  const site = voxgate.carried("site");
  const header = document.querySelector("header");
  const main = document.querySelector("main");

  function tell(text) {
    header.className = "open";
    header.replaceChildren(element("h1", {}, text));
    main.replaceChildren();
  }

  function show() {
    const id = Number(location.hash.slice(1));
    const chunk = Math.floor(id / site.chunk);
    if (!location.hash || !site.chunks.includes(chunk)) {
      tell(location.hash ? "There is no such run in this history." : "The address names no run.");
      return;
    }
    voxgate.load(`runs-${chunk}`).then((found) => {
      const run = found.runs[id];
      if (run) draw(run, found);
      else tell("There is no such run in this history.");
    }, (error) => tell(error.message));
  }

  function draw(run, found) {
    const word = run.verdict ?? "no verdict";
    const cells = run.cells.map((cell, at) => ({ ...cell, anchor: `cell-${at + 1}`, points: pointsOf(run, found, cell.cell) }));
    const red = cells.filter((cell) => isRed(cell));
    document.title = `Run ${run.id}: ${word} ${run.suite} - voxgate`;
    header.className = run.verdict ? kind(run.verdict) : "open";
    const worse = `${red.length} of ${cells.length} cells got worse or failed.`;
    header.replaceChildren(
      element("p", { class: "crumb" }, `${run.suite} · ${run.profile} · ${run.machine}`),
      element("h1", {}, badge(word), ` ${red.length ? worse : site.meaning[run.verdict] ?? "This run was not judged."}`),
      ...(red.length ? [element("ol", { class: "findings" }, ...red.map((cell) => element("li", { class: "bad" },
        element("p", { class: "finding-what" }, opener(cell), " ", element("strong", {}, cell.reason)))))] : []),
      ...(run.question ? [element("p", { class: "question" }, run.question)] : []),
      element("p", { class: "line" }, run.line),
      element("dl", { class: "facts" }, ...facts(run).map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", {}, text)))),
    );
    const environment = Object.entries(run.environment);
    main.replaceChildren(heading("Cells"), overview(cells, found), heading("Details"),
      ...cells.map((cell) => details(cell)), heading("Environment"),
      element("details", {}, element("summary", {}, `${environment.length} facts of machine and toolchain`),
        table("Machine and toolchain", ["fact", "value"], environment)));
    document.body.dataset.drawn = "all";
  }

  const isRed = (cell) => kind(cell.verdict ?? "PASS") === "bad";

  const isBroken = (point) => ["REGRESSED", "FAILED"].includes(point.verdict);

  // A button and no link: the address names the run.
  function opener(cell) {
    const button = element("button", { type: "button", class: "quiet" }, cell.label);
    button.addEventListener("click", () => {
      const target = document.getElementById(cell.anchor);
      target.open = true;
      target.scrollIntoView({ block: "start" });
    });
    return button;
  }

  const signed = (number, digits) => `${number > 0 ? "+" : ""}${number.toFixed(digits)}`;

  // The change that tells a cell: of its median before all others, else of the first that got worse.
  function changeOf(cell) {
    const moved = cell.points.filter((point) => point.shift !== undefined && (isRed(cell) ? isBroken(point) : point.verdict === "IMPROVED"));
    const point = moved.find((each) => each.metric.metric === "latency_p50") ?? moved.find((each) => each.metric.column) ?? moved[0];
    if (!point) return element("span", { class: "change steady" }, "-");
    const { shift, metric } = point;
    const size = metric.absolute ? `${signed(shift * metric.scale, 2)} ${metric.unit}` : `${signed(shift * 100, 1)} %`;
    return element("span", { class: `change ${isRed(cell) ? "bad" : "good"}` }, `${shift > 0 ? "▲" : "▼"} ${size.trim()} ${metric.name}`);
  }

  const heading = (text) => element("h2", {}, text);

  const heldOf = (holds) => (holds === null ? "not observed" : holds ? "yes" : "NO");

  function facts(run) {
    const compare = element("a", { href: `compare.html#${run.before ?? run.id},${run.id}` }, "environment against another run");
    return [["measured", `${run.head}, ${run.created}`], ["machine", run.machine], ["baseline", run.baseline || "none"],
      ["run", `${run.folder || run.source}${run.complete ? "" : ", not complete"}`], ["compare", compare]];
  }

  function pointsOf(run, found, cell) {
    const own = [];
    run.points.cell.forEach((name, at) => {
      if (found.cells[name] !== cell) return;
      own.push({
        metric: found.metrics[run.points.metric[at]], value: run.points.value[at], low: run.points.low[at], high: run.points.high[at],
        verdict: found.words[run.points.verdict[at]], why: run.points.missing[at] ?? "", shift: run.points.shift[at],
      });
    });
    return own;
  }

  const text = ({ metric, value, low, high }) => `${shown(value, metric)} ${interval(low, high, metric)}`.trim();

  function overview(cells, found) {
    const measured = new Set(cells.flatMap((cell) => cell.points.map((point) => point.metric.metric)));
    const metrics = found.metrics.filter((metric) => metric.column && measured.has(metric.metric) && measured.has(metric.column[3] ?? metric.metric))
      .sort((a, b) => a.column[0] - b.column[0]);
    const value = (cell, metric) => {
      const point = cell.points.find((each) => each.metric === metric);
      if (!point) return "missing";
      return metric.column[2] ? text(point) : shown(point.value, metric);
    };
    const has = (cell, metric) => cell.points.some((each) => each.metric === metric && isBroken(each));
    const shownChange = cells.some((cell) => cell.points.some((point) => point.shift !== undefined));
    const row = (cell) => element("tr", { class: kind(cell.verdict ?? "PASS") },
      element("th", { scope: "row" }, opener(cell)),
      element("td", {}, cell.verdict ? badge(cell.verdict) : ""),
      ...(shownChange ? [element("td", { class: "number" }, changeOf(cell))] : []),
      ...metrics.map((metric) => element("td", { class: isRed(cell) && has(cell, metric) ? "number broken" : "number" }, value(cell, metric))));
    const rows = cells.flatMap((cell) => {
      const sort = kind(cell.verdict ?? "PASS");
      if (sort !== "open" || !cell.reason) return [row(cell)];
      const reason = element("td", { colspan: metrics.length + 2 + shownChange }, element("p", {}, cell.reason));
      return [row(cell), element("tr", { class: `reason ${sort}` }, reason)];
    });
    return table("What each cell cost and how it sounded; brackets hold 95 % intervals", ["cell", "verdict",
      ...(shownChange ? [{ title: "change", style: "number" }] : []), ...metrics.map((metric) => ({ title: metric.column[1], style: "number" }))], rows);
  }

  function details(cell) {
    const effects = cell.effects.length
      ? table(`Asked and observed in ${cell.label}`, ["option", "asked", "observed while running", "in effect", "why"],
        cell.effects.map((effect) => [effect.option, effect.asked, effect.observed, effect.asked === "" && effect.holds === null ? "" : heldOf(effect.holds), effect.why]),
        cell.effects.map((effect) => (effect.holds === false ? "bad" : undefined)))
      : element("p", {}, "Nothing was observed of what is in effect.");
    const pairs = (title, values) => (Object.keys(values).length ? table(title, ["option", "value"], Object.entries(values)) : "");
    const open = kind(cell.verdict ?? "PASS") !== "good";
    const metrics = (title, points) => table(title, ["metric", { title: "now", style: "number" }, "unit", "verdict"],
      points.map((point) => [point.metric.title, point.why ? `missing: ${point.why}` : text(point), point.metric.unit, (point.verdict || "not judged").replaceAll("_", " ")]));
    const first = cell.points.filter(isBroken);
    const every = metrics(`Metrics of ${cell.label}`, cell.points);
    return element("details", { id: cell.anchor, class: "cell", open: open ? "" : false },
      element("summary", {}, element("h3", {}, cell.label), " ", cell.verdict ? badge(cell.verdict) : ""),
      ...(open && cell.reason ? [element("p", {}, cell.reason)] : []),
      ...(cell.page ? [element("p", {}, element("a", { href: cell.page }, "This cell through time"))] : []),
      ...(first.length ? [metrics(`What got worse in ${cell.label}`, first),
        element("details", {}, element("summary", {}, `All ${cell.points.length} metrics`), every)] : [every]),
      effects,
      element("div", { class: "columns" }, pairs("Asked for", cell.config), pairs("All options as resolved", cell.effective)));
  }

  addEventListener("hashchange", show);
  show();
})();
