// The page's only script: one player whose voice is switched in place. Reads the voices from the page; loads nothing.
"use strict";
(() => {
  const data = document.getElementById("voices");
  if (!data) return;
  const voices = JSON.parse(data.textContent);
  const [player, choice, text, takes, audio, now] =
    ["player", "utterance", "text", "takes", "audio", "now"].map((id) => document.getElementById(id));
  let voice = "golden";
  let wanted = null;

  // Quick clicks come before the clip of the last one has loaded: `wanted` keeps the position until one has.
  function play(clip) {
    wanted ??= { time: audio.ended ? 0 : audio.currentTime, playing: !audio.paused && !audio.ended };
    audio.onloadedmetadata = () => {
      audio.currentTime = Math.min(wanted.time, audio.duration);
      if (wanted.playing) start();
      wanted = null;
    };
    audio.src = voices.clips[clip];
  }

  function start() {
    audio.play().catch(() => {});  // the browser stops it when the next clip comes
  }

  function choose(name) {
    const utterance = voices.utterances[choice.value];
    const take = utterance.takes.find(([source]) => source === name) ?? utterance.takes[0];
    voice = take[0];
    for (const button of takes.children) button.setAttribute("aria-pressed", String(button.dataset.voice === voice));
    now.textContent = `${utterance.id}: ${voices.labels[voice]}`;
    play(take[1]);
  }

  function show() {
    const utterance = voices.utterances[choice.value];
    text.textContent = utterance.text;
    takes.replaceChildren(...utterance.takes.map(([name], index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.voice = name;
      button.textContent = `${index + 1} ${voices.labels[name]}`;
      button.addEventListener("click", () => choose(name));
      return button;
    }));
    wanted = { time: 0, playing: false };
    choose(voice);
  }

  function move(step) {
    const count = voices.utterances.length;
    choice.value = String((Number(choice.value) + step + count) % count);
    show();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest?.("select, input, textarea, audio")) return;
    const button = takes.children[Number(event.key) - 1];
    if (/^[1-9]$/.test(event.key) && button) choose(button.dataset.voice);
    else if (event.key === "n") move(1);
    else if (event.key === "p") move(-1);
    else if (event.key === " " && !event.target.closest?.("button, a, summary, .scroll")) {
      event.preventDefault();
      if (audio.paused) start(); else audio.pause();
    }
  });
  choice.addEventListener("change", show);
  player.hidden = false;
  show();
})();
