// The overview: search and filter of all rows, and commands that are copied by a click.
"use strict";
(() => {
  const filter = document.getElementById("filter");
  const rows = [...document.querySelectorAll("[data-search]")];

  function apply() {
    const words = document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const state = document.getElementById("states").value;
    let found = 0;
    for (const row of rows) {
      const text = row.dataset.search.toLowerCase();
      const fits = words.every((word) => text.includes(word)) && row.dataset.state.startsWith(state);
      row.hidden = !fits;
      found += fits;
    }
    const asked = words.length > 0 || state !== "";
    for (const fold of document.querySelectorAll("#all-nights, #steady")) {
      if (asked) fold.open = [...fold.querySelectorAll("[data-search]")].some((row) => !row.hidden);
    }
    document.getElementById("found").textContent = asked ? `${found} of ${rows.length} rows` : "";
  }

  if (filter) {
    filter.hidden = false;
    filter.addEventListener("input", apply);
  }

  // From a disk a browser may not lend its clipboard; then the command is selected, to be copied by key.
  function copy(code, button) {
    const done = (word) => { button.textContent = word; setTimeout(() => { button.textContent = "copy"; }, 2000); };
    const select = () => { getSelection().selectAllChildren(code); done("selected"); };
    if (!navigator.clipboard) return select();
    return navigator.clipboard.writeText(code.textContent).then(() => done("copied"), select);
  }

  for (const code of document.querySelectorAll("code.cause-command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet copy";
    button.textContent = "copy";
    button.addEventListener("click", () => copy(code, button));
    code.after(" ", button);
  }
})();
