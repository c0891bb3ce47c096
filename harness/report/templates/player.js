// The player, on every page that has one: fills in the chosen utterance, and connects buttons, keys and pictures with the deck.
"use strict";
(() => {
  const STEP_S = 0.2;        // of the arrow keys
  const SHORTEST_S = 0.05;   // of a repeated region: what is shorter is a click that slipped
  const COLUMNS = 1000;      // of the waveform
  const [BEFORE_S, AFTER_S] = [0.7, 0.9];  // what is heard around the moment at which a cell is worst
  const WHOLE_S = 5;         // heard of each where there is no such moment
  const REST_MS = 300;       // between the old voice and the new
  const PITCH_HOP_S = 0.01;
  const TICK_PX = 60;        // of the time axis: no two are nearer
  const NEAR = 0.12;         // share of a picture's height: no two names of frequencies are nearer

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
      const why = utterance.lossless ? "" : " This browser may know no Ogg Opus (Safari does from 18.4 on).";
      at.now.textContent = `This take cannot be played: ${error.message}.${why}`;
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

  // Whether a voice is held against an older one of its own cell, and not against the reference cell's.
  function isOwn(voices, one, other) {
    return voices[one].voice.cell === voices[other].voice.cell;
  }

  // The old voice and the new one around the moment that tells most, once each; `told` is given the word for each.
  async function hearBoth(moment, told) {
    const turn = ++turns;
    deck.wake();
    const number = data.utterances.findIndex((each) => each.id === moment.utterance);
    if (data.utterances[number] !== utterance) show(number);
    const first = isOwn(utterance.voices, moment.old, moment.new) ? "old" : "reference";
    for (const [word, index, moment_s] of [[first, moment.old, moment.old_s], ["new", moment.new, moment.new_s]]) {
      if (turn !== turns || !(await choose(index))) break;
      told(word);
      at.now.textContent = `${word[0].toUpperCase()}${word.slice(1)}: ${name(utterance.voices[index].voice)}`;
      const part = moment_s === null ? [0, WHOLE_S] : [moment_s - BEFORE_S, moment_s + AFTER_S];
      if (!(await deck.once(...part))) break;
      if (word !== "new") await new Promise((resolve) => { setTimeout(resolve, REST_MS); });
    }
  }

  async function hear(button, moment) {
    if (button.getAttribute("aria-pressed") === "true") {
      turns += 1;
      return deck.pause();
    }
    const before = [...button.childNodes];
    button.setAttribute("aria-pressed", "true");
    await hearBoth(moment, (word) => { button.textContent = `Stop (${word} voice)`; });
    button.setAttribute("aria-pressed", "false");
    button.replaceChildren(...before);
  }

  // Where the two voices of a pair are to be heard: as the page says, or where they differ most; null where they do not.
  function momentOf({ contrast, now }, spoken = utterance) {
    if (contrast.same) return null;
    const known = (data.moments ?? []).find((each) => each.utterance === spoken.id && each.new === now && each.old === contrast.against);
    if (known) return known;
    const new_s = contrast.missing ? null : contrast.most_s;
    const old_s = contrast.missing ? null : Math.max(contrast.most_s - contrast.shift_s, 0);
    return { utterance: spoken.id, old: contrast.against, new: now, old_s, new_s, why: "" };
  }

  // The moment of the current voice that changed most since an older one of its cell.
  function momentIn(id) {
    const spoken = data.utterances.find((each) => each.id === id);
    const pairs = spoken.voices.flatMap(({ voice, contrasts: held }, now) => held
      .filter((contrast) => voice.when === "current" && !contrast.same && spoken.voices[contrast.against].voice.cell === voice.cell)
      .map((contrast) => ({ contrast, now })));
    const size = ({ contrast }) => (contrast.missing ? Infinity : contrast.mean_db);
    return momentOf(pairs.reduce((most, pair) => (size(pair) > size(most) ? pair : most)), spoken);
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

  // A value that the address carries after a sign, such as the utterance of #u=u01; empty where it carries none.
  function carried(sign) {
    try {
      return location.hash.startsWith(`#${sign}=`) ? decodeURIComponent(location.hash.slice(sign.length + 2)) : "";
    } catch {
      return "";  // cut off within a letter
    }
  }

  function follow() {
    const label = carried("c");
    const moment = label ? (data.moments ?? []).find((each) => each.label === label) : null;
    if (moment) {
      wish = { when: "current", cell: moment.cell };
      show(data.utterances.findIndex((each) => each.id === moment.utterance), true);
      return true;
    }
    const id = carried("u");
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
    const spoken = data.cells.filter((cell) => utterance.voices.some((seen) => seen.voice.cell === cell.slug));
    at.voices.replaceChildren(...spoken.map((cell) => {
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
    const { voice } = utterance.voices[chosen];
    for (const button of at.voices.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.take) === chosen));
    }
    const level = voice.gain.level_db === null ? "" : `, active speech ${decibel(voice.gain.level_db)} of full scale`;
    const gain = at.match.checked ? `, turned by ${decibel(voice.gain.gain_db)}` : ", at its original level";
    at.now.textContent = `${name(voice)}: ${seconds(voice.duration_s)}${level}${gain}${voice.gain.note ? ` (${voice.gain.note})` : ""}${utterance.lossless ? "" : ", compressed (Opus)"}`;
    drawWave(sound, factor(voice));
    at["wave-tag"].textContent = name(voice);
    drawWords();
    drawFaults();
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
    at.faults.replaceChildren(buttons.length ? "\u25bc Faults found: " : marks.searched ? "The detectors found no fault. " : "", ...buttons, marks.missing);
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
    at.against.replaceChildren(...found.map(({ contrast, now }, index) => {
      const option = create("option", `${name(utterance.voices[now].voice)} minus ${name(utterance.voices[contrast.against].voice)}`);
      option.value = String(index);
      return option;
    }));
    const different = found.findIndex(({ contrast }) => !contrast.same);
    const told = found.findIndex((pair) => momentOf(pair)?.why);
    at.against.value = String(Math.max(told >= 0 ? told : different, 0));
    drawPair();
  }

  // The old voice over the new one, what differs, and both pitches; the voice alone where it is held against none.
  function drawPair() {
    const pair = contrasts()[Number(at.against.value)];
    const now = pair?.now ?? chosen;
    const old = pair && !pair.contrast.same ? pair.contrast.against : null;
    const moment = pair ? momentOf(pair) : null;
    drawLane("new", at.spectrogram, now, old === null ? "" : "new: ");
    at["old-lane"].hidden = old === null;
    if (old !== null) drawLane("old", at.old, old, isOwn(utterance.voices, old, now) ? "old: " : "reference: ");
    drawContrast(pair);
    drawPitch(old, now);
    drawMoment(moment);
  }

  function drawLane(lane, image, index, word) {
    const { voice, picture } = utterance.voices[index];
    at[`${lane}-lane`].classList.toggle("heard", index === chosen);
    at[`${lane}-tag`].textContent = `${word}${name(voice)}`;
    drawPicture(image, picture, voice.duration_s, `Spectrogram of ${name(voice)}`);
  }

  function drawContrast(pair) {
    at["contrast-lane"].hidden = !pair?.contrast.picture;
    if (!pair) return;
    const { contrast, now } = pair;
    const words = contrast.same ? "the same audio" : contrast.missing
      || `${contrast.mean_db.toFixed(1)} dB on average${contrast.shift_s ? `, begins ${seconds(contrast.shift_s)} later` : ""}`;
    at["contrast-words"].replaceChildren(words, " ");
    if (contrast.picture) at["contrast-words"].append(jump(`most at ${seconds(contrast.most_s)}`, contrast.most_s));
    at["contrast-tag"].textContent = isOwn(utterance.voices, contrast.against, now) ? "new minus old" : "new minus reference";
    drawPicture(at.contrast, contrast.picture, utterance.voices[now].voice.duration_s, `Difference, ${at.against.selectedOptions[0].textContent}: ${words}`);
  }

  function drawMoment(moment) {
    at.both.hidden = !moment;
    if (moment && at.both.getAttribute("aria-pressed") !== "true") {
      at.both.textContent = isOwn(utterance.voices, moment.old, moment.new) ? "Old, then new" : "Reference, then this";
    }
    at.moment.hidden = moment === null || moment.new_s === null;
    if (!at.moment.hidden) at.moment.style.left = share(moment.new_s);
    const label = moment ? data.cells.find((cell) => cell.slug === utterance.voices[moment.new].voice.cell)?.label : "";
    at.told.textContent = moment?.why ? `${label}: ${moment.why}.` : "";
  }

  function drawWords() {
    const { words, words_missing: why } = utterance.voices[chosen];
    at.words.hidden = !words.length;
    at.unplaced.textContent = why ? `No words are drawn: ${why}.` : "";
    at.words.replaceChildren(...words.map(({ word, start_s, end_s }) => {
      const place = create("span", word);
      [place.style.left, place.style.width] = [share(start_s), share(end_s - start_s)];
      place.title = `${word}: ${seconds(start_s)} to ${seconds(end_s)}`;
      return place;
    }));
  }

  // ---- pitch

  function drawPitch(old, now) {
    const lines = [old, now].map((index) => (index === null ? [] : utterance.voices[index].pitch.f0_hz));
    const voiced = lines.flat().filter((hz) => hz > 0);
    at["pitch-lane"].hidden = !voiced.length;
    const why = [old, now].map((index) => (index === null ? "" : utterance.voices[index].pitch.missing)).find(Boolean);
    at.unseen.textContent = why ? `No pitch is drawn: ${why}.` : "";
    if (!voiced.length) return;
    const [low, high] = [Math.min(...voiced) / 1.06, Math.max(...voiced) * 1.06];
    const height = (hz) => (hz - low) / (high - low);
    for (const [path, line] of [[at["old-pitch"], lines[0]], [at["new-pitch"], lines[1]]]) path.setAttribute("d", pitchPath(line, height));
    const marks = rounds(low, high, 3).map((hz) => mark(`${hz} Hz`, "bottom", 100 * height(hz)));
    at["pitch-ticks"].replaceChildren(...marks);
    const median = (line) => line.filter((hz) => hz > 0).sort((one, other) => one - other).at(line.filter((hz) => hz > 0).length >> 1);
    const [before, after] = lines.map(median);
    const words = before && after ? `F0, median ${before} Hz ${isOwn(utterance.voices, old, now) ? "old" : "reference"}, ${after} Hz new` : `F0, median ${before ?? after} Hz`;
    at["pitch-tag"].textContent = words;
  }

  function pitchPath(line, height) {
    let [path, pen] = ["", "M"];
    line.forEach((hz, step) => {
      if (hz > 0) path += `${pen}${(1000 * step * PITCH_HOP_S / utterance.duration_s).toFixed(1)} ${(100 * (1 - height(hz))).toFixed(1)}`;
      pen = hz > 0 ? "L" : "M";
    });
    return path;
  }

  // ---- axes

  // Round values from low to high, at most about `most` of them.
  function rounds(low, high, most) {
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough * (1 - 1e-9));
    const count = Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1;
    return Array.from({ length: count }, (_, index) => Number(((Math.ceil(low / step - 1e-9) + index) * step).toPrecision(6)));
  }

  function mark(text, side, percent) {
    const tick = create("span", text);
    tick.style[side] = `${percent}%`;
    return tick;
  }

  function drawTimes() {
    const most = Math.max(Math.floor(at.stack.clientWidth / TICK_PX), 2);
    const last = utterance.duration_s || 1;
    at.times.replaceChildren(...rounds(0, last, most).map((time_s) => mark(`${time_s} s`, "left", 100 * time_s / last)));
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
    const shown = [];
    for (const [text, height] of utterance.ticks) if (!shown.length || height - shown.at(-1)[1] >= NEAR) shown.push([text, height]);
    for (const place of document.querySelectorAll(".ticks")) {
      place.replaceChildren(...shown.map(([text, height]) => mark(text, "bottom", 100 * height)));
    }
    drawTimes();
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
    o: () => { if (!at.both.hidden) hear(at.both, momentOf(contrasts()[Number(at.against.value)])); },
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
  at.against.addEventListener("change", drawPair);
  at.both.addEventListener("click", keys.o);
  addEventListener("resize", () => { if (utterance) drawTimes(); });
  at.utterance.addEventListener("change", () => show(Number(at.utterance.value)));
  at.position.addEventListener("input", () => deck.seek(Number(at.position.value)));
  addEventListener("hashchange", () => { if (follow()) at.hearing.scrollIntoView(); });
  for (const button of document.querySelectorAll("button.hear")) {
    button.hidden = false;
    button.addEventListener("click", () => hear(button, button.dataset.utterance ? momentIn(button.dataset.utterance) : data.moments[Number(button.dataset.hear)]));
  }
  at.hearing.hidden = false;
  drag();
  if (!follow()) show(data.utterances.findIndex((each) => each.id === data.first.utterance), true);
})();
