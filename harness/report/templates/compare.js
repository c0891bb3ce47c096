// Environments of any two runs, side by side: compare.html#12,34. The two runs are chosen by suite and machine, then by date.
"use strict";
(() => {
  const { element, table, when } = voxgate;
  const site = voxgate.carried("site");
  const places = voxgate.taken.get("runs");
  const result = document.getElementById("result");
  const sides = ["a", "b"].map((name) => ({ place: document.getElementById(`place-${name}`), run: document.getElementById(`run-${name}`) }));

  function fillPlaces(side) {
    side.place.replaceChildren(...places.map((place, index) => element("option", { value: index }, place.name)));
  }

  function fillRuns(side) {
    const place = places[side.place.value];
    const newest = [...place.ids.keys()].reverse();
    side.run.replaceChildren(...newest.map((at) => element("option", { value: place.ids[at] }, `${when(place.times[at])}, ${place.heads[at]}`)));
  }

  function choose(side, id) {
    const found = Math.max(0, places.findIndex((place) => place.ids.includes(id)));
    side.place.value = String(found);
    fillRuns(side);
    if (places[found].ids.includes(id)) side.run.value = String(id);
  }

  function fromAddress() {
    const named = location.hash.slice(1).split(",").map(Number);
    const ids = places[0].ids;
    choose(sides[0], named[0] || (ids.at(-2) ?? ids.at(-1)));
    choose(sides[1], named[1] || ids.at(-1));
    show();
  }

  const read = (id) => voxgate.load(`runs-${Math.floor(id / site.chunk)}`).then((found) => found.runs[id]);

  function show() {
    const [a, b] = sides.map((side) => Number(side.run.value));
    Promise.all([read(a), read(b)]).then((runs) => draw(...runs), (error) => result.replaceChildren(element("p", {}, error.message)));
  }

  const title = (run) => `run ${run.id}: ${run.head}, ${run.created.slice(0, 10)}`;

  function draw(a, b) {
    const names = [...new Set([...Object.keys(a.environment), ...Object.keys(b.environment)])];
    const of = (run, name) => (Object.hasOwn(run.environment, name) ? run.environment[name] : "unknown");
    const row = (name) => [name, of(a, name), of(b, name)];
    const different = names.filter((name) => of(a, name) !== of(b, name));
    const same = names.filter((name) => !different.includes(name));
    const head = ["fact", title(a), title(b)];
    const rest = element("details", {}, element("summary", {}, `${same.length} facts are the same`), table("The same in both runs", head, same.map(row)));
    result.replaceChildren(
      element("p", { role: "status" }, different.length ? `${different.length} of ${names.length} facts differ.` : `All ${names.length} facts are the same.`),
      ...(different.length ? [table("What differs", head, different.map(row), different.map(() => "different"))] : []), rest);
    document.body.dataset.drawn = "all";
  }

  function chosen() {
    history.replaceState(null, "", `#${sides[0].run.value},${sides[1].run.value}`);
    show();
  }

  for (const side of sides) {
    fillPlaces(side);
    side.place.addEventListener("change", () => { fillRuns(side); chosen(); });
    side.run.addEventListener("change", chosen);
  }
  addEventListener("hashchange", fromAddress);
  fromAddress();
})();
