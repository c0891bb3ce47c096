// The blind test: asks, listens to answers, and says what they prove. What is A, B and X exists only in here.
"use strict";
(() => {
  const STEP_S = 0.2;   // of the arrow keys
  const SURE = 0.05;    // the p-value below which the sentence claims something

  const data = JSON.parse(document.getElementById("data").textContent);
  const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
  const deck = new Deck(draw);
  let test = null;      // {pair, mode, seed, plan, trials: answers so far, created}
  let trial = null;     // {question, sides: {a, b, x} -> "a" | "b", sounds, heard, began_ms}
  let saved = true;

  // ---- drawing lots

  // Numbers in 0..1 from a seed (mulberry32): small, and the same in every browser.
  function lots(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  function shuffled(items, draw) {
    const left = [...items];
    for (let i = left.length - 1; i > 0; i -= 1) {
      const j = Math.floor(draw() * (i + 1));
      [left[i], left[j]] = [left[j], left[i]];
    }
    return left;
  }

  // Every utterance once in random order, then again in another one; A, B and X drawn for each trial by itself.
  function plan(questions, count, seed) {
    const draw = lots(seed);
    const order = [];
    while (order.length < count) order.push(...shuffled(questions, draw));
    return order.slice(0, count).map((question) => {
      const first = draw() < 0.5 ? "a" : "b";
      const x = draw() < 0.5 ? "a" : "b";
      return { question, sides: { a: first, b: first === "a" ? "b" : "a", x } };
    });
  }

  // ---- setting up

  function describe() {
    const pair = data.pairs[at.pair.value];
    const same = pair.same ? `; ${pair.same} more sound the same on both sides and are not asked` : "";
    at["about-pair"].textContent = `${pair.questions.length} utterance${pair.questions.length > 1 ? "s" : ""}${same}.`;
    const count = Number(at.trials.value);
    at["about-trials"].textContent = mode() === "abx"
      ? `${needed(count)} of ${count} right show that a difference is heard (p below ${SURE}).`
      : `A preference is shown by a clear majority of those who have one (p below ${SURE}).`;
  }

  function mode() {
    return document.querySelector("input[name=mode]:checked").value;
  }

  function begin() {
    const seed = Number(at.seed.value);
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
      at["about-pair"].textContent = `The seed must be a whole number from 0 to ${2 ** 32 - 1}.`;
      return at.seed.focus();
    }
    const pair = data.pairs[at.pair.value];
    const planned = plan(pair.questions, Number(at.trials.value), seed);
    test = { pair, mode: mode(), seed, plan: planned, trials: [], created: new Date().toISOString() };
    at["shown-seed"].textContent = String(seed);
    at["hear-x"].hidden = test.mode !== "abx";
    at["answer-3"].hidden = test.mode === "abx";
    at.question.textContent = test.mode === "abx" ? "Which one is X?" : "Which one do you prefer?";
    at["answer-1"].lastChild.textContent = test.mode === "abx" ? "X is A" : "A is better";
    at["answer-2"].lastChild.textContent = test.mode === "abx" ? "X is B" : "B is better";
    at.keys.textContent = test.mode === "abx" ? "a, x, b to hear; 1, 2 to answer" : "a, b to hear; 1, 2, 3 to answer";
    only("trial");
    next();
  }

  function only(section) {
    for (const name of ["setup", "trial", "result"]) at[name].hidden = name !== section;
  }

  // ---- asking

  async function next() {
    const number = test.trials.length;
    const { question, sides } = test.plan[number];
    deck.reset(question.duration_s);
    trial = { question, sides, sounds: null, heard: new Set(), began_ms: performance.now() };
    at.progress.value = number / test.plan.length;
    at["trial-title"].textContent = `Trial ${number + 1} of ${test.plan.length}`;
    at.text.textContent = question.text;
    at.position.max = String(question.duration_s);
    at.now.textContent = "Loading.";
    drawSides(null);
    if (number === 0) at["trial-title"].focus();
    await bring(trial);
  }

  // Both sounds are brought in the order of their names, so that not even the order of loading tells.
  async function bring(asked) {
    try {
      const { a, b } = asked.question;
      const ids = [a.clip, b.clip].sort();
      const sounds = await Promise.all(ids.map((id) => Shelf.sound(id, asked.question.duration_s)));
      if (asked !== trial) return;
      trial.sounds = new Map(ids.map((id, index) => [id, sounds[index]]));
      at.now.textContent = `${at["trial-title"].textContent}. Listen to ${names().join(", ")}.`;
    } catch (error) {
      at.now.textContent = `This trial cannot be played: ${error.message}.`;
    }
    draw();
  }

  function names() {
    return test.mode === "abx" ? ["A", "X", "B"] : ["A", "B"];
  }

  function hear(name) {
    if (!trial?.sounds || !names().includes(name.toUpperCase())) return;
    const { clip, gain_db } = trial.question[trial.sides[name]];
    deck.hear(trial.sounds.get(clip), 10 ** (gain_db / 20));
    deck.play();
    trial.heard.add(name);
    drawSides(name);
  }

  function drawSides(name) {
    for (const each of ["a", "x", "b"]) at[`hear-${each}`].setAttribute("aria-pressed", String(each === name));
    const ready = names().every((each) => trial.heard.has(each.toLowerCase()));
    for (const number of [1, 2, 3]) at[`answer-${number}`].setAttribute("aria-disabled", String(!ready));
    draw();
  }

  function answer(number) {
    if (!trial || at[`answer-${number}`].hidden) return;
    if (at["answer-1"].getAttribute("aria-disabled") === "true") {
      at.now.textContent = `Listen to ${names().join(", ")} first.`;
      return;
    }
    const chosen = number === 3 ? "none" : trial.sides[number === 1 ? "a" : "b"];
    const answer_s = Math.round(performance.now() - trial.began_ms) / 1000;
    const x = test.mode === "abx" ? { x: trial.sides.x } : {};
    test.trials.push({ request: trial.question.request, ...x, answer: chosen, answer_s });
    saved = false;
    if (test.trials.length < test.plan.length) next(); else finish();
  }

  // ---- telling

  function percent(value) {
    return value > 0 && value < 0.001 ? "less than 0.1 %" : `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
  }

  function abxResult() {
    const [right, count] = [test.trials.filter(({ x, answer }) => x === answer).length, test.trials.length];
    const [low, high] = interval(right, count);
    const p = oneSided(right, count);
    const guess = `Guessing gets at least this far in ${percent(p)} of tests.`;
    const sentence = p < SURE
      ? `You hear the difference: ${right} of ${count} right. ${guess}`
      : `No difference is shown: ${right} of ${count} right. ${guess} That does not prove that there is none: right answers in up to ${percent(high)} of trials would fit as well.`;
    const figures = { right: `${right} of ${count}`, "true share of right answers, 95 % interval": `${percent(low)} to ${percent(high)} (guessing: 50 %)`, "p, one-sided": p.toPrecision(2) };
    return { sentence, figures, low, high, share: right / count };
  }

  function preferenceResult() {
    const { a, b } = test.pair;
    const decided = test.trials.filter(({ answer }) => answer !== "none");
    const [liked, count] = [decided.filter(({ answer }) => answer === "b").length, decided.length];
    if (!count) return { sentence: "No preference in any trial.", figures: {}, low: 0, high: 1, share: 0.5 };
    const [low, high] = interval(liked, count);
    const p = twoSided(liked, count);
    const winner = liked * 2 > count ? b : a;
    const most = Math.max(liked, count - liked);
    const sentence = p < SURE
      ? `You prefer ${winner.label}: ${most} of ${count}. Without a preference, a majority of this size comes in ${percent(p)} of tests.`
      : `No preference is shown: ${liked} of ${count} for ${b.label}. Without a preference, a majority of this size comes in ${percent(p)} of tests.`;
    const ties = test.trials.length - count;
    const figures = { [`for ${b.label}`]: `${liked} of ${count}`, [`for ${a.label}`]: `${count - liked} of ${count}`, "no preference": String(ties), [`true share for ${b.label}, 95 % interval`]: `${percent(low)} to ${percent(high)}`, "p, two-sided": p.toPrecision(2) };
    return { sentence, figures, low, high, share: liked / count };
  }

  function finish() {
    deck.pause();
    trial = null;
    only("result");
    const result = test.mode === "abx" ? abxResult() : preferenceResult();
    const missing = test.plan.length - test.trials.length;
    at.sentence.textContent = result.sentence;
    at.caution.textContent = missing ? `Stopped ${missing} trials early: intervals and p hold only where the number of trials was fixed beforehand.` : "";
    at.figures.replaceChildren(...Object.entries({ voices: `${test.pair.label}: ${test.pair.a.label} / ${test.pair.b.label}`, ...result.figures }).map(([term, value]) => {
      const line = document.createElement("div");
      line.append(element("dt", term), element("dd", value));
      return line;
    }));
    const [range, point] = [at.interval.querySelector(".range"), at.interval.querySelector(".point")];
    range.setAttribute("x1", 100 * result.low);
    range.setAttribute("x2", 100 * result.high);
    point.setAttribute("cx", 100 * result.share);
    drawTrials();
    offer();
    at["result-title"].focus();
  }

  function element(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }

  function drawTrials() {
    const side = (name) => (name === "none" ? "no preference" : test.pair[name].label);
    at["asked-head"].hidden = test.mode !== "abx";
    at["trials-done"].replaceChildren(...test.trials.map(({ request, x, answer: given, answer_s }, index) => {
      const row = document.createElement("tr");
      const told = x === undefined ? [side(given)] : [side(x), x === given ? "right" : "wrong"];
      const cells = [String(index + 1), request, ...told, answer_s.toFixed(1)];
      row.append(...cells.map((text) => element("td", text)));
      row.lastChild.className = "number";
      return row;
    }));
  }

  function votes() {
    const { pair, mode: asked, seed, plan: { length: planned }, created, trials } = test;
    const side = ({ run, label }) => ({ run, label });
    return { schema: "voxgate-votes/1", suite: data.suite, cell: pair.cell, mode: asked, a: side(pair.a), b: side(pair.b), listener: at.listener.value.trim(), seed, planned, created, trials };
  }

  function offer() {
    const name = `votes-${data.suite}-${test.created.replace(/[^0-9T]/g, "").slice(0, 15)}.json`.replace(/[^\w.-]/g, "_");
    if (at.save.href.startsWith("blob:")) URL.revokeObjectURL(at.save.href);
    at.save.href = URL.createObjectURL(new Blob([`${JSON.stringify(votes(), null, 1)}\n`], { type: "application/json" }));
    at.save.download = name;
    at["file-name"].textContent = name;
  }

  function again() {
    at.seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
    only("setup");
    describe();
  }

  // ---- what moves

  function draw() {
    if (!trial) return;
    const position_s = deck.position_s;
    at.play.textContent = deck.playing ? "Pause" : "Play";
    at.position.value = String(position_s);
    const text = `${seconds(position_s)} of ${seconds(trial.question.duration_s)}`;
    at.time.textContent = text;
    at.position.setAttribute("aria-valuetext", text);
    if (deck.playing) requestAnimationFrame(draw);
  }

  function toggle() {
    if (deck.playing) deck.pause(); else if (deck.sound) deck.play(); else hear("a");
  }

  const keys = {
    " ": toggle,
    a: () => hear("a"),
    b: () => hear("b"),
    x: () => hear("x"),
    1: () => answer(1),
    2: () => answer(2),
    3: () => answer(3),
    ArrowLeft: () => deck.seek(deck.position_s - STEP_S),
    ArrowRight: () => deck.seek(deck.position_s + STEP_S),
  };

  document.addEventListener("keydown", (event) => {
    if (!trial || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    const pressed = event.key === " " && event.target.closest?.("button, a, summary");
    const moved = event.key.startsWith("Arrow") && event.target.closest?.("input");
    if (!keys[event.key] || pressed || moved) return;
    event.preventDefault();
    keys[event.key]();
  });

  for (const name of ["a", "b", "x"]) at[`hear-${name}`].addEventListener("click", () => hear(name));
  for (const number of [1, 2, 3]) at[`answer-${number}`].addEventListener("click", () => answer(number));
  for (const name of ["pair", "trials"]) at[name].addEventListener("change", describe);
  for (const choice of document.querySelectorAll("input[name=mode]")) choice.addEventListener("change", describe);
  at.play.addEventListener("click", toggle);
  at.position.addEventListener("input", () => deck.seek(Number(at.position.value)));
  at.start.addEventListener("click", begin);
  at.again.addEventListener("click", again);
  at.stop.addEventListener("click", () => { if (test.trials.length) finish(); else { deck.pause(); trial = null; again(); } });
  at.save.addEventListener("click", () => { saved = true; });
  addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
  again();
})();
