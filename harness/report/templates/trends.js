// The charts of a cell's page. Draws what the page's data file holds; computes nothing but positions and sums of stages.
"use strict";
(() => {
  const { element, badge, kind, shown, interval, when, known, table } = voxgate;
  const data = voxgate.taken.get(document.body.dataset.data);
  const COLOURS = ["ink", "soft", "rule", "panel", "good", "open", "bad", "limit", "limit-wash", "open-wash", "now",
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((number) => `stage-${number}`)];
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [1, 4]];
  const PLAIN = { scale: 1, fixed: null, exact: null };
  const DAY_S = 86400;
  const drawn = [];
  let colours = {};

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    colours = Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  const address = (run) => data.pages[run] ?? `run.html#${run}`;
  const palette = (number) => colours[`stage-${number}`];

  // One chart: canvas, a slider that steps through it by key, touch and mouse, a line that says what it stands on, a table.
  function chart(figure, spec) {
    const plot = figure.querySelector(".plot");
    const last = spec.columns[0].length - 1;
    const start = spec.start ?? last;
    const slider = element("input", { type: "range", class: "stepper", min: 0, max: last, "aria-label": `Step through ${spec.name}` });
    const readout = element("p", { class: "readout" });
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", `${spec.name}: ${last + 1} nights, the latest ${spec.describe(start).text}`);
    plot.after(slider, readout, values(spec));
    let at = start;

    function say(index) {
      at = index;
      const point = spec.describe(index);
      slider.value = index;
      slider.setAttribute("aria-valuetext", `${point.title}: ${point.text}`);
      readout.replaceChildren(point.run === undefined ? point.title : element("a", { href: address(point.run) }, point.title), `: ${point.text}`);
    }

    const u = new uPlot(options(spec, plot, say), spec.columns, plot);
    slider.addEventListener("input", () => {
      say(Number(slider.value));
      const value = spec.columns[spec.marked][at];
      const left = u.valToPos(spec.columns[0][at], "x");
      u.setCursor({ left, top: known(value) ? u.valToPos(value, "y") : 0 }, false);
    });
    new ResizeObserver(() => {
      if (plot.clientWidth && plot.clientWidth !== u.width) u.setSize({ width: plot.clientWidth, height: plot.clientHeight });
    }).observe(plot);
    say(start);
    drawn.push(u);
    plot.dataset.drawn = "yes";
    return u;
  }

  function options(spec, plot, say) {
    const axis = (more) => ({
      stroke: () => colours.soft,
      font: "12px system-ui, sans-serif",
      grid: { stroke: () => colours.rule, width: 1 },
      ticks: { stroke: () => colours.rule, width: 1, size: 5 },
      ...more,
    });
    const wide = (u, texts) => 18 + 7 * Math.max(3, ...(texts ?? []).map((text) => String(text).length));
    return {
      width: plot.clientWidth,
      height: plot.clientHeight,
      padding: [spec.top ?? 10, 12, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: {
        y: false,
        drag: { x: true, y: false },
        points: {
          size: (u, index) => (index === spec.marked ? 11 : 0),
          width: (u, index) => (index === spec.marked ? 2 : 0),
          fill: () => colours.panel,
          stroke: () => colours.ink,
        },
      },
      scales: { x: { time: true }, y: { range: (u, low, high) => reach(low, high, spec) } },
      axes: [axis({ space: 60, values: days }), axis({ size: wide, values: (u, splits) => splits.map((split) => String(Number(split.toPrecision(6)))) })],
      series: [{}, ...spec.series],
      bands: spec.bands ?? [],
      hooks: {
        drawClear: [(u) => spec.ground?.(u)],
        draw: [(u) => spec.marks?.(u)],
        setCursor: [(u) => { if (known(u.cursor.idx)) say(u.cursor.idx); }],
      },
    };
  }

  // Dates as ISO writes them: the year below the first, hours where days are too coarse, months where they are too fine.
  function days(u, splits, axis, space, step) {
    const iso = splits.map((split) => new Date(split * 1000).toISOString());
    const clock = (text) => text.slice(11, step < 60 ? 19 : 16);
    if (step < DAY_S) return iso.map((text, at) => (at ? clock(text) : `${clock(text)}\n${text.slice(0, 10)}`));
    return iso.map((text, at) => {
      const day = step < 28 * DAY_S ? text.slice(5, 10) : text.slice(5, 7);
      return at === 0 || iso[at - 1].slice(0, 4) !== text.slice(0, 4) ? `${day}\n${text.slice(0, 4)}` : day;
    });
  }

  // The lines that must be seen lie inside; a series that never moves gets some room around it.
  function reach(low, high, spec) {
    const seen = [low, high, ...(spec.lines ?? [])].filter(known);
    if (!seen.length) return [0, 1];
    const [least, most] = [Math.min(...seen), Math.max(...seen)];
    const room = (most - least) * 0.08 || Math.abs(most) * 0.05 || 1;
    return [spec.fromZero ? 0 : least - room, most + room];
  }

  function values(spec) {
    const details = element("details", {}, element("summary", {}, `Values of ${spec.name} as a table`));
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("table")) return;
      const order = [...spec.columns[0].keys()].reverse();
      details.append(table(`${spec.name}${spec.where ? ` on ${spec.where}` : ""}, newest first`, spec.head, order.map(spec.row)));
    });
    return details;
  }

  // Runs and the nights without one, in order: the time of each, and the index of its run or null.
  function nights(times, missed) {
    const all = [...times.map((time, index) => ({ time, index })),
      ...missed.filter((time) => time > times[0]).map((time) => ({ time, index: null }))];
    all.sort((a, b) => a.time - b.time);
    const spread = (column) => all.map(({ index }) => (index === null ? null : column[index]));
    const newest = all.findLastIndex(({ index }) => index !== null);
    return { all, spread, newest, times: all.map(({ time }) => time) };
  }

  const noRun = (time) => ({ title: when(time).slice(0, 10), text: "no run" });

  // A metric of this cell on one machine: line, interval, limit, verdicts, changes, budget, what was acknowledged.
  function trend(figure) {
    const place = data.places[figure.dataset.place];
    const each = place.trends[figure.dataset.trend];
    const at = each.at ?? [...place.times.keys()];
    const times = at.map((index) => place.times[index]);
    const text = (index) => {
      const run = at[index];
      const value = known(each.value[index]) ? `${shown(each.value[index], each)} ${each.unit} ${interval(each.low[index], each.high[index], each)}`.trim()
        : `missing: ${each.missing[index] ?? "no reason was kept"}`;
      const verdict = data.words[each.verdicts[index]];
      return { run, value, verdict, why: each.reasons[index] ?? "" };
    };
    const noted = (index) => [
      ...each.changes.filter((change) => change.at === index).map((change) => `step ${change.label}`),
      ...each.cuts.filter((cut) => cut.at === index).map((cut) => cut.why)];
    const axis = nights(times, place.missed);
    const { limit } = each;
    chart(figure, {
      name: each.title,
      where: place.name,
      columns: [axis.times, ...[each.low, each.high, each.value].map(axis.spread)],
      start: axis.newest,
      marked: 3,
      series: [
        { stroke: null, points: { show: false } },
        { stroke: null, points: { show: false } },
        { stroke: () => colours.now, width: at.length < 300 ? 1.6 : 1, points: { show: at.length < 120, size: 4, fill: () => colours.now, stroke: () => colours.now } },
      ],
      bands: [{ series: [2, 1], fill: () => `${colours.now}33` }],
      top: each.changes.length ? 34 : 10,
      lines: [...(known(each.budget) ? [each.budget] : []), ...(limit ? [limit.level - limit.size, limit.level + limit.size] : [])],
      ground: (u) => limitRegion(u, each, times),
      marks: (u) => { marks(u, each, times); floorTicks(u, axis); },
      describe: (night) => {
        const { index } = axis.all[night];
        if (index === null) return noRun(axis.times[night]);
        const { run, value, verdict, why } = text(index);
        const rest = [verdict, ...noted(index), why].filter(Boolean).join(", ");
        return { run: place.runs[run], title: `${when(times[index])}, ${place.heads[run]}`, text: rest ? `${value}, ${rest}` : value };
      },
      head: ["measured", "revision", { title: each.unit || "value", style: "number" }, "interval", "verdict", { title: "notes", style: "note" }],
      row: (night) => {
        const { index } = axis.all[night];
        if (index === null) return [when(axis.times[night]).slice(0, 10), "", "", "", "", "no run"];
        const { run, verdict, why } = text(index);
        return [element("a", { href: address(place.runs[run]) }, when(times[index])), place.heads[run], shown(each.value[index], each),
          interval(each.low[index], each.high[index], each), verdict ? badge(verdict) : "",
          [...noted(index), each.missing[index], why].filter(Boolean).join("; ")];
      },
    });
  }

  // Beyond the limit about the newest level, on the side that is worse, since the last acknowledged change.
  function limitRegion(u, each, times) {
    if (!each.limit) return;
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    const cut = each.cuts.findLast((one) => one.at < times.length);
    const from = Math.max(left, cut ? u.valToPos(times[cut.at], "x", true) : left);
    const until = left + width;
    if (from >= until) return;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.font = `${12 * window.devicePixelRatio}px system-ui, sans-serif`;
    for (const side of each.better === "lower" ? [1] : each.better === "higher" ? [-1] : [1, -1]) {
      const y = u.valToPos(each.limit.level + side * each.limit.size, "y", true);
      ctx.fillStyle = colours[each.advisory ? "open-wash" : "limit-wash"];
      ctx.fillRect(from, side > 0 ? top : y, until - from, side > 0 ? y - top : top + height - y);
      ctx.fillStyle = colours[each.advisory ? "open" : "limit"];
      ctx.fillRect(from, y, until - from, window.devicePixelRatio);
      const room = side > 0 ? y - top : top + height - y;
      const inside = room > 16 * window.devicePixelRatio;
      ctx.fillText(each.limit.text, from + 4 * window.devicePixelRatio, y + ((side > 0) === inside ? -4 : 13) * window.devicePixelRatio);
    }
    ctx.restore();
  }

  // A tick on the floor for each night without a run.
  function floorTicks(u, axis) {
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    const ratio = window.devicePixelRatio;
    ctx.fillStyle = colours.open;
    for (const { time, index } of axis.all) {
      const x = u.valToPos(time, "x", true);
      if (index === null && x >= left && x <= left + width) ctx.fillRect(x - ratio, top + height - 7 * ratio, 2 * ratio, 7 * ratio);
    }
  }

  // What only informs is never red.
  const bad = (each, sort) => colours[sort === "bad" && each.advisory ? "open" : sort];

  function marks(u, each, times) {
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    const ratio = window.devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left - 6 * ratio, 0, width + 12 * ratio, top + height);
    ctx.clip();
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = "alphabetic";
    const x = (index) => u.valToPos(times[index], "x", true);
    const y = (value) => u.valToPos(value, "y", true);
    const line = (x0, y0, x1, y1, colour, dash = []) => {
      ctx.strokeStyle = colour;
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash(dash.map((part) => part * ratio));
      ctx.beginPath();
      ctx.moveTo(x0, y0);
      ctx.lineTo(x1, y1);
      ctx.stroke();
      ctx.setLineDash([]);
    };
    const write = (text, x0, y0, colour, align = "left") => {
      ctx.fillStyle = colour;
      ctx.textAlign = align;
      ctx.fillText(text, x0, y0);
    };
    for (const [from, to, level] of each.segments) line(x(from), y(level), x(to), y(level), colours.ink, [1, 3]);
    if (known(each.budget)) {
      line(left, y(each.budget), left + width, y(each.budget), colours.open, [8, 4]);
      write(`budget ${shown(each.budget, each)} ${each.unit}`, left + 4 * ratio, y(each.budget) - 4 * ratio, colours.open);
    }
    for (const note of each.cuts.filter((cut) => cut.at < times.length)) {
      const place = x(note.at);
      line(place, top, place, top + height, colours.soft, [2, 3]);
      write(note.label, place + 3 * ratio, top + height - 5 * ratio, colours.soft);
    }
    let taken = -Infinity;
    for (const change of each.changes) {
      const place = x(change.at);
      const low = place - taken < 90 * ratio;
      const colour = bad(each, change.kind);
      line(place, top - (low ? 2 : 12) * ratio, place, top + height, colour, [5, 3]);
      write(change.label, Math.min(place, left + width - 4 * ratio), top - (low ? 4 : 18) * ratio, colour, place > left + width * 0.8 ? "right" : "left");
      taken = low ? -Infinity : place;
    }
    each.verdicts.forEach((word, index) => verdictMark(ctx, each, data.words[word], each.value[index], x(index), y, ratio, top + height));
    ctx.restore();
  }

  // Passed: nothing but the line. Undecided: a diamond. Worse or failed: a cross. Missing: a cross on the floor.
  function verdictMark(ctx, each, word, value, x, y, ratio, floor) {
    const sort = known(value) ? (word ? kind(word) : "good") : "missing";
    if (sort === "good") return;
    const size = 4.5 * ratio;
    const height = known(value) ? y(value) : floor - size;
    ctx.lineWidth = 2 * ratio;
    ctx.strokeStyle = sort === "bad" ? bad(each, sort) : colours.open;
    ctx.beginPath();
    if (sort === "open") {
      ctx.moveTo(x, height - size);
      for (const [dx, dy] of [[size, 0], [0, size], [-size, 0], [0, -size]]) ctx.lineTo(x + dx, height + dy);
    } else {
      for (const turn of [1, -1]) {
        ctx.moveTo(x - size, height - turn * size);
        ctx.lineTo(x + size, height + turn * size);
      }
    }
    ctx.stroke();
  }

  // Where the time goes, stacked: each area reaches from the sum of the stages below it to its own.
  function stages(figure) {
    const place = data.places[figure.dataset.place];
    const { names, colors, values: seconds } = place.stages;
    const sums = place.times.map((time, run) => {
      let sum = 0;
      return seconds.map((stage) => (sum = known(stage[run]) && sum !== null ? sum + stage[run] : null));
    });
    const axis = nights(place.times, place.missed);
    const order = [...names.keys()].reverse();
    const parts = (run) => names.map((name, stage) => `${name} ${shown(seconds[stage][run], PLAIN)} ms`);
    chart(figure, {
      name: "stages",
      where: place.name,
      columns: [axis.times, ...order.map((stage) => axis.spread(sums.map((sum) => sum[stage])))],
      start: axis.newest,
      marks: (u) => floorTicks(u, axis),
      marked: 1,
      series: order.map((stage) => ({ stroke: () => colours.panel, width: 1, fill: () => palette(colors[stage]), points: { show: false } })),
      fromZero: true,
      describe: (night) => {
        const run = axis.all[night].index;
        return run === null ? noRun(axis.times[night]) : { run: place.runs[run], title: `${when(place.times[run])}, ${place.heads[run]}`, text: parts(run).join(", ") };
      },
      head: ["measured", "revision", ...names.map((name) => ({ title: `${name} ms`, style: "number" }))],
      row: (night) => {
        const run = axis.all[night].index;
        return run === null ? [when(axis.times[night]).slice(0, 10), "no run", ...names.map(() => "")]
          : [element("a", { href: address(place.runs[run]) }, when(place.times[run])), place.heads[run], ...seconds.map((stage) => shown(stage[run], PLAIN))];
      },
    });
  }

  // One metric on every machine, each with its own colour and dashes, on one scale.
  function machines(figure) {
    const names = [...new Set(data.places.flatMap((place) => place.trends.filter((each) => each.main).map((each) => each.metric)))];
    const choice = element("select", {}, ...names.map((name) => element("option", { value: name }, name)));
    const controls = element("div", { class: "controls" }, element("label", {}, "metric", choice));
    const draw = () => {
      figure.replaceChildren(controls, element("ul", { class: "keys" }), element("div", { class: "plot" }));
      overlay(figure, choice.value);
    };
    choice.addEventListener("change", draw);
    draw();
  }

  function overlay(figure, metric) {
    const sides = data.places.map((place) => ({ place, each: place.trends.find((trend) => trend.metric === metric) })).filter((side) => side.each);
    const tables = sides.map(({ place, each }) => {
      const axis = nights((each.at ?? [...place.times.keys()]).map((index) => place.times[index]), place.missed);
      return [axis.times, axis.spread(each.value)];
    });
    const columns = uPlot.join(tables, tables.map(() => [1, 1]));
    const sign = { 0: "━━", 1: "━ ━", 2: "┅┅", 3: "━·━", 4: "╍╍", 5: "┈┈" };
    figure.querySelector(".keys").append(...sides.map(({ place }, index) => {
      const key = element("span", { class: `machine-${index % 6}`, "aria-hidden": "true" }, sign[index % 6]);
      return element("li", {}, key, ` ${place.name}`);
    }));
    const text = (index) => sides.map(({ place, each }, side) => (known(columns[side + 1][index]) ? `${place.name} ${shown(columns[side + 1][index], each)} ${each.unit}` : "")).filter(Boolean);
    chart(figure, {
      name: `${metric} on every machine`,
      columns,
      marked: 1,
      series: sides.map((side, index) => ({ stroke: () => palette(index % 6 + 1), dash: DASHES[index % 6], width: 1.8, points: { show: false } })),
      describe: (index) => ({ title: when(columns[0][index]), text: text(index).join("; ") }),
      head: ["measured", ...sides.map(({ place }) => ({ title: place.name, style: "number" }))],
      row: (index) => [when(columns[0][index]), ...sides.map(({ each }, side) => (known(columns[side + 1][index]) ? shown(columns[side + 1][index], each) : ""))],
    });
  }

  function zoom(days) {
    for (const u of drawn) {
      const [first, last] = [u.data[0][0], u.data[0].at(-1)];
      const from = days ? Math.max(first, last - days * DAY_S) : first;
      u.setScale("x", { min: from, max: last > from ? last : from + DAY_S });
    }
  }

  function repaint() {
    readColours();
    for (const u of drawn) u.redraw(false);
  }

  const DRAW = [["figure.trend", trend], ["figure.stages", stages], ["figure.machines", machines]];
  const waiting = DRAW.flatMap(([selector, draw]) => [...document.querySelectorAll(selector)].map((figure) => [figure, draw]));

  function next() {
    const [figure, draw] = waiting.shift() ?? [];
    if (!figure) {
      document.body.dataset.drawn = "all";
      return;
    }
    const folded = figure.closest("details:not([open])");
    if (folded) folded.addEventListener("toggle", () => draw(figure), { once: true });
    else draw(figure);
    if (!document.body.dataset.drawn) performance.mark("usable");
    document.body.dataset.drawn = "some";
    setTimeout(next);
  }

  const span = document.getElementById("span");
  span.addEventListener("change", () => zoom(Number(span.value)));
  document.getElementById("controls").hidden = false;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  addEventListener("beforeprint", () => { document.documentElement.dataset.print = ""; repaint(); });
  addEventListener("afterprint", () => { delete document.documentElement.dataset.print; repaint(); });
  readColours();
  next();
})();
