// The player, on every page that has one: fills in the chosen utterance, and connects buttons, keys and pictures with the deck.
"use strict";
(() => {
  const STEP_S = 0.2;        // of the arrow keys
  const SHORTEST_S = 0.05;   // of a repeated region: what is shorter is a click that slipped
  const COLUMNS = 1000;      // of the waveform
  const [BEFORE_S, AFTER_S] = [0.7, 0.9];  // what is heard around the moment at which a cell is worst
  const WHOLE_S = 5;         // heard of each where there is no such moment
  const REST_MS = 300;       // between the old voice and the new

  if (!document.getElementById("hearing")) return;  // a run without audio
  const data = JSON.parse(document.getElementById("data").textContent);
  Shelf.hold(data.embedded);
  const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
  const deck = new Deck(draw);
  let utterance = null;
  let chosen = null;         // index of the take that is heard
  let last = null;           // index of the one heard before
  let wish = { when: data.first.when, cell: data.first.cell || data.cells[0].slug };  // what to hear of the next utterance
  let turns = 0;             // of hearing old and new; a later one ends an earlier one
  let waves = new Map();     // clip -> its decoded sound, of this utterance only
  let asked = 0;

  // ---- what is chosen

  // The address names the utterance once somebody has chosen one: until then it may name a section.
  function show(index, isFirst = false) {
    utterance = data.utterances[index];
    at.utterance.value = String(index);
    at.text.textContent = utterance.text;
    waves = new Map();
    deck.reset(utterance.duration_s);
    at.position.max = String(utterance.duration_s);
    [chosen, last] = [null, null];
    drawTicks();
    drawTakes();
    const heard = utterance.voices.map((seen, i) => [seen.voice, i]).filter(([voice]) => !voice.missing);
    const same = heard.find(([voice]) => voice.when === wish.when && voice.cell === wish.cell);
    choose((same ?? heard[heard.length - 1])[1]);
    if (!isFirst) history.replaceState(null, "", `#u=${encodeURIComponent(utterance.id)}`);
  }

  async function choose(index) {
    const { voice } = utterance.voices[index];
    const turn = ++asked;
    try {
      const sound = await wave(voice.clip);
      if (turn !== asked) return false;  // another take was asked for meanwhile
      if (chosen !== index) [last, chosen] = [chosen, index];
      wish = { when: voice.when, cell: voice.cell };
      deck.hear(sound, factor(voice));
      drawChosen(sound);
    } catch (error) {
      at.now.textContent = `This take cannot be played: ${error.message}.`;
      return false;
    }
    prepare();
    return true;
  }

  // Plays a take from where the other one is.
  async function play(index) {
    turns += 1;
    deck.wake();
    if (await choose(index)) await deck.play();
  }

  // ---- old, then new

  // The old voice and the new one around the moment that tells most, once each.
  async function hearBoth(moment) {
    const turn = ++turns;
    deck.wake();
    const number = data.utterances.findIndex((each) => each.id === moment.utterance);
    if (data.utterances[number] !== utterance) show(number);
    for (const [index, moment_s] of [[moment.old, moment.old_s], [moment.new, moment.new_s]]) {
      if (turn !== turns || !(await choose(index))) break;
      at.now.textContent = `${index === moment.old ? "Old" : "New"}: ${name(utterance.voices[index].voice)}`;
      const part = moment_s === null ? [0, WHOLE_S] : [moment_s - BEFORE_S, moment_s + AFTER_S];
      if (!(await deck.once(...part))) break;
      if (index === moment.old) await new Promise((resolve) => { setTimeout(resolve, REST_MS); });
    }
  }

  async function hear(button) {
    const isStop = button.getAttribute("aria-pressed") === "true";
    const told = button.dataset.text ??= button.textContent;
    if (isStop) { turns += 1; return deck.pause(); }
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Stop";
    await hearBoth(data.moments[Number(button.dataset.hear)]);
    button.setAttribute("aria-pressed", "false");
    button.textContent = told;
  }

  function wave(clip) {
    if (!waves.has(clip)) waves.set(clip, Shelf.sound(clip, utterance.duration_s));
    return waves.get(clip);
  }

  // Brings the other takes, so that the first switch is as quick as the second.
  function prepare() {
    for (const { voice } of utterance.voices) if (!voice.missing) wave(voice.clip).catch(() => {});
  }

  function factor(voice) {
    return at.match.checked ? 10 ** (voice.gain.gain_db / 20) : 1;
  }

  function word(when) {
    return data.words?.[when] ?? when;
  }

  function name(voice) {
    return `${word(voice.when)}, ${data.cells.find((cell) => cell.slug === voice.cell)?.label ?? voice.cell}`;
  }

  function move(step) {
    const count = data.utterances.length;
    show((Number(at.utterance.value) + step + count) % count);
  }

  function follow() {
    const id = decodeURIComponent(/^#u=(.*)/.exec(location.hash)?.[1] ?? "");
    const index = data.utterances.findIndex((each) => each.id === id);
    if (index >= 0 && data.utterances[index] !== utterance) show(index);
    return index >= 0;
  }

  // ---- what is shown

  function create(tag, text, className) {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  function decibel(value_db) {
    const rounded = Math.abs(value_db) < 0.05 ? 0 : value_db;
    return `${rounded > 0 ? "+" : rounded < 0 ? "\u2212" : "\u00b1"}${Math.abs(rounded).toFixed(1)} dB`;
  }

  // One group for each cell: its name, and its takes in the columns golden, previous, current and marked or source.
  function drawTakes() {
    const has = (when) => utterance.voices.some((seen) => seen.voice.when === when);
    at.voices.classList.toggle("first-run", !has("previous"));
    at.voices.classList.toggle("watermarked", has("marked"));
    at.voices.classList.toggle("converted", has("source"));
    at.voices.replaceChildren(...data.cells.map((cell) => {
      const group = create("div");
      const name = create("span", cell.label, "cell");
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", cell.label);
      const mine = utterance.voices.map((seen, index) => [seen.voice, index]).filter(([voice]) => voice.cell === cell.slug);
      group.append(name, ...mine.map(([voice, index]) => (voice.missing ? takeMissing(voice) : takeButton(index))));
      return group;
    }));
  }

  function takeMissing(voice) {
    return create("span", `no ${word(voice.when)}: ${voice.missing}`, `gap ${voice.when}`);
  }

  function takeButton(index) {
    const { voice, marks } = utterance.voices[index];
    const button = create("button", "", voice.when);
    button.type = "button";
    button.dataset.take = String(index);
    button.setAttribute("aria-pressed", "false");
    if (index < 9) {
      button.append(create("kbd", String(index + 1)), " ");
      button.setAttribute("aria-keyshortcuts", String(index + 1));
    }
    const same = voice.same_as === null ? "" : `= ${sameName(voice, utterance.voices[voice.same_as].voice)}`;
    const faults = marks.found.length ? `${marks.found.length} fault${marks.found.length > 1 ? "s" : ""}` : "";
    button.append(create("b", word(voice.when)), " ", create("span", decibel(voice.gain.gain_db), "gain"));
    for (const [text, kind] of [[same, "same"], [faults, "fault"]]) if (text) button.append(" ", create("span", text, kind));
    button.addEventListener("click", () => { if (index === chosen && deck.playing) deck.pause(); else play(index); });
    return button;
  }

  function sameName(voice, other) {
    return voice.cell === other.cell ? other.when : name(other);
  }

  function drawChosen(sound) {
    const { voice, picture } = utterance.voices[chosen];
    for (const button of at.voices.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.take) === chosen));
    }
    const level = voice.gain.level_db === null ? "" : `, active speech ${decibel(voice.gain.level_db)} of full scale`;
    const gain = at.match.checked ? `, turned by ${decibel(voice.gain.gain_db)}` : ", at its original level";
    at.now.textContent = `${name(voice)}: ${seconds(voice.duration_s)}${level}${gain}${voice.gain.note ? ` (${voice.gain.note})` : ""}`;
    drawWave(sound, factor(voice));
    drawFaults();
    drawPicture(at.spectrogram, picture, voice.duration_s, `Spectrogram of ${name(voice)}`);
    drawContrasts();
    draw();
  }

  // Lowest and highest frame of each column, as one line; all takes on one scale.
  function drawWave(sound, gain) {
    const scale = 0.95 * gain / utterance.peak;
    const frames = sound.getChannelData(0);
    const width = frames.length / COLUMNS;
    const points = [];
    for (let column = 0; column < COLUMNS; column += 1) {
      let [low, high] = [0, 0];
      for (let i = Math.floor(column * width); i < (column + 1) * width && i < frames.length; i += 1) {
        if (frames[i] < low) low = frames[i];
        if (frames[i] > high) high = frames[i];
      }
      points.push(`${column} ${(-high * scale).toFixed(3)}V${(-low * scale).toFixed(3)}`);
    }
    at.shape.setAttribute("d", `M${points.join("L")}`);
  }

  function drawFaults() {
    const { marks } = utterance.voices[chosen];
    at.flags.replaceChildren(...marks.found.map((mark) => {
      const flag = create("span", "\u25bc", "flag");
      flag.style.left = share(mark.time_s);
      return flag;
    }));
    const buttons = marks.found.map((mark) => jump(`${mark.kind} at ${seconds(mark.time_s)}`, mark.time_s));
    at.faults.replaceChildren(buttons.length ? "\u25bc Faults found: " : marks.searched ? "No faults found. " : "", ...buttons, marks.missing);
  }

  // A button that goes to a moment a little before what is to be heard.
  function jump(text, time_s) {
    const button = create("button", text, "jump");
    button.type = "button";
    button.addEventListener("click", () => deck.seek(Math.max(time_s - 0.1, 0)));
    return button;
  }

  // What can be held against the chosen take; for an old take, what is held against it.
  function contrasts() {
    const mine = utterance.voices[chosen].contrasts.map((contrast) => ({ contrast, now: chosen }));
    if (mine.length) return mine;
    return utterance.voices.flatMap((seen, now) => seen.contrasts
      .filter((contrast) => contrast.against === chosen).map((contrast) => ({ contrast, now })));
  }

  function drawContrasts() {
    const found = contrasts();
    at["contrast-choice"].hidden = !found.length;
    at["contrast-lane"].hidden = !found.length;
    at.against.replaceChildren(...found.map(({ contrast, now }, index) => {
      const option = create("option", `${name(utterance.voices[now].voice)} minus ${name(utterance.voices[contrast.against].voice)}`);
      option.value = String(index);
      return option;
    }));
    const different = found.findIndex(({ contrast }) => !contrast.same);
    at.against.value = String(Math.max(different, 0));
    if (found.length) drawContrast();
  }

  function drawContrast() {
    const { contrast, now } = contrasts()[Number(at.against.value)];
    const words = contrast.same ? "the same audio" : contrast.missing
      || `${contrast.mean_db.toFixed(1)} dB on average${contrast.shift_s ? `, begins ${seconds(contrast.shift_s)} later` : ""}`;
    at["contrast-words"].replaceChildren(words, " ");
    if (contrast.picture) at["contrast-words"].append(jump(`most at ${seconds(contrast.most_s)}`, contrast.most_s));
    at["contrast-lane"].hidden = !contrast.picture;
    drawPicture(at.contrast, contrast.picture, utterance.voices[now].voice.duration_s, `Difference, ${at.against.selectedOptions[0].textContent}: ${words}`);
  }

  async function drawPicture(image, id, duration_s, words) {
    image.alt = `${words}, ${utterance.id}`;
    image.dataset.wanted = id;
    image.style.width = share(duration_s);
    if (!id) return image.removeAttribute("src");
    try {
      const png = await Shelf.fetch(id);
      if (image.dataset.wanted === id) image.src = `data:image/png;base64,${png}`;
    } catch (error) {
      image.alt = `${words} cannot be shown: ${error.message}`;
    }
  }

  function drawTicks() {
    for (const place of document.querySelectorAll(".ticks")) {
      place.replaceChildren(...utterance.ticks.map(([text, height]) => {
        const tick = create("span", text);
        tick.style.bottom = `${100 * height}%`;
        return tick;
      }));
    }
  }

  function share(time_s) {
    return `${100 * time_s / (utterance.duration_s || 1)}%`;
  }

  // ---- what moves

  function draw() {
    if (!utterance) return;
    const position_s = deck.position_s;
    at.play.textContent = deck.playing ? "Pause" : "Play";
    at.cursor.style.left = share(position_s);
    at.position.value = String(position_s);
    const text = `${seconds(position_s)} of ${seconds(utterance.duration_s)}`;
    at.time.textContent = text;
    at.position.setAttribute("aria-valuetext", text);
    at.region.hidden = at.loop.hidden = !deck.loop;
    if (deck.loop) drawRegion(deck.loop.start_s, deck.loop.end_s);
    if (deck.playing) requestAnimationFrame(draw);
  }

  function drawRegion(start_s, end_s) {
    at.region.style.left = share(start_s);
    at.region.style.width = share(end_s - start_s);
  }

  function toggle() {
    if (deck.playing) deck.pause(); else deck.play();
  }

  function repeat(start_s, end_s) {
    deck.repeat(end_s - start_s >= SHORTEST_S ? { start_s, end_s } : null);
    if (deck.loop) at.now.textContent = `Repeating ${seconds(start_s)} to ${seconds(end_s)}.`;
  }

  function level() {
    const { voice } = utterance.voices[chosen];
    wave(voice.clip).then((sound) => { deck.hear(sound, factor(voice)); drawChosen(sound); });
  }

  // A click goes there, dragging marks what is repeated.
  function drag() {
    let from_s = null;
    const moment = (event) => {
      const box = at.stack.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * utterance.duration_s;
    };
    const ends = (event) => [from_s, moment(event)].sort((one, other) => one - other);
    at.stack.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      from_s = moment(event);
      at.stack.setPointerCapture(event.pointerId);
    });
    at.stack.addEventListener("pointermove", (event) => {
      if (from_s === null) return;
      const [start_s, end_s] = ends(event);
      if (end_s - start_s < SHORTEST_S) return;
      at.region.hidden = false;
      drawRegion(start_s, end_s);
    });
    at.stack.addEventListener("pointerup", (event) => {
      if (from_s === null) return;
      const [start_s, end_s] = ends(event);
      if (end_s - start_s < SHORTEST_S) deck.seek(from_s); else repeat(start_s, end_s);
      from_s = null;
    });
    at.stack.addEventListener("pointercancel", () => { from_s = null; draw(); });
  }

  const keys = {
    " ": toggle,
    n: () => move(1),
    p: () => move(-1),
    t: () => { if (last !== null) choose(last); },
    m: () => { at.match.checked = !at.match.checked; level(); },
    l: () => deck.repeat(null),
    "[": () => repeat(deck.position_s, deck.loop && deck.loop.end_s > deck.position_s ? deck.loop.end_s : utterance.duration_s),
    "]": () => repeat(deck.loop && deck.loop.start_s < deck.position_s ? deck.loop.start_s : 0, deck.position_s),
    ArrowLeft: () => deck.seek(deck.position_s - STEP_S),
    ArrowRight: () => deck.seek(deck.position_s + STEP_S),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest?.("select, input[type=text], textarea")) return;
    const take = /^[1-9]$/.test(event.key) ? at.voices.querySelector(`button[data-take="${event.key - 1}"]`) : null;
    if (take) return void play(Number(take.dataset.take));
    const pressed = event.key === " " && event.target.closest?.("button, a, summary, .scroll, input[type=checkbox]");
    const moved = event.key.startsWith("Arrow") && event.target.closest?.("input[type=range], .scroll");
    if (!keys[event.key] || pressed || moved) return;
    event.preventDefault();
    keys[event.key]();
  });

  at.play.addEventListener("click", toggle);
  at.loop.addEventListener("click", keys.l);
  at.before.addEventListener("click", keys.p);
  at.after.addEventListener("click", keys.n);
  at.match.addEventListener("change", level);
  at.against.addEventListener("change", drawContrast);
  at.utterance.addEventListener("change", () => show(Number(at.utterance.value)));
  at.position.addEventListener("input", () => deck.seek(Number(at.position.value)));
  addEventListener("hashchange", () => { if (follow()) at.hearing.scrollIntoView(); });
  for (const button of document.querySelectorAll("button.hear")) {
    button.hidden = false;
    button.addEventListener("click", () => hear(button));
  }
  at.hearing.hidden = false;
  drag();
  if (!follow()) show(data.utterances.findIndex((each) => each.id === data.first.utterance), true);
})();
