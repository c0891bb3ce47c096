// What the site's scripts share: elements made of text and never of markup, numbers as the harness shows them, data files.
"use strict";
const voxgate = (() => {
  const GOOD = ["PASS", "IMPROVED", "steady", "better"];
  const BAD = ["FAILED", "REGRESSED", "worse", "over budget"];
  const taken = new Map();

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== false) made.setAttribute(key, String(value));
    }
    made.append(...children.filter((child) => child !== undefined && child !== ""));
    return made;
  }

  const kind = (word) => (GOOD.includes(word) ? "good" : BAD.includes(word) ? "bad" : "open");

  const badge = (word) => element("span", { class: `badge ${kind(word)}` }, word.replaceAll("_", " "));

  // `metric` says: scale (to the unit that is shown), unit, fixed (decimals, or null), exact (a value from which on it is exact), and
  // whether it is a share of a budget, which is met or missed.
  function shown(value, metric) {
    if (value === null || value === undefined) return "missing";
    if (metric.is_share_of_budget) return kept(value);
    if (metric.exact !== null && value >= metric.exact) return "exact";
    const number = value * metric.scale;
    const size = Math.abs(number);
    if (metric.fixed !== null) return number.toFixed(size >= 0.01 || size === 0 ? metric.fixed : metric.fixed + 2);
    if (size >= 99.95) return number.toFixed(0);
    return number.toFixed(size >= 1 || size === 0 ? 1 : 3);
  }

  // As `kept` of format.py.
  function kept(share) {
    const rounded = share.toFixed(2);
    return `${share <= 1 ? "met" : "missed"} ${share > 1 === Number(rounded) > 1 ? rounded : Number(share.toPrecision(5))}`;
  }

  const known = (number) => number !== null && number !== undefined;

  function interval(low, high, metric) {
    const plain = { ...metric, is_share_of_budget: false };
    return known(low) && known(high) ? `[${shown(low, plain)} ${shown(high, plain)}]` : "";
  }

  const when = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

  // A column is a title, or { title, style }, the style being a class; the first of each row is its header. A row may be an element.
  function table(caption, columns, rows, classes = []) {
    const titles = columns.map((column) => (typeof column === "string" ? { title: column } : column));
    const head = titles.map((column) => element("th", { scope: "col", class: column.style }, column.title));
    const body = rows.map((row, index) => row instanceof Element ? row : element("tr", { class: classes[index] }, ...row.map((text, at) => (
      at === 0 ? element("th", { scope: "row" }, text) : element("td", { class: titles[at].style }, text)))));
    return element("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" },
      element("table", {}, element("caption", {}, caption),
        element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
  }

  // A data file hands over its content by calling `take`; `load` fetches one as a script, which works from a disk too.
  const take = (name, content) => taken.set(name, content);

  function load(name) {
    if (taken.has(name)) return Promise.resolve(taken.get(name));
    return new Promise((resolve, reject) => {
      const script = element("script", { src: `data/${name}.js` });
      script.addEventListener("load", () => resolve(taken.get(name)));
      script.addEventListener("error", () => reject(new Error(`data/${name}.js is not there; build the site again`)));
      document.head.append(script);
    });
  }

  // Facts that the page itself carries, as JSON in a script element of that id.
  const carried = (id) => JSON.parse(document.getElementById(id).textContent);

  return { element, kind, badge, shown, interval, when, known, table, take, taken, load, carried };
})();
