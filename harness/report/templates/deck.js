// Sound for the pages: brings files from the assets, and plays one take at a time, switched in place. Knows no page.
"use strict";

// Clips are decoded to this rate, which is also the player's: the decoder resamples well, a playing node only linearly.
const RATE_HZ = 48000;
const FADE_S = 0.005;   // of a switch: too short to notice, long enough not to click
const AHEAD_S = 0.02;   // what is scheduled a little later than now begins on the sample
const SHELF = "audio";

// A file of the assets is a script that calls `voxgate(id, base64)`: scripts, and nothing else, load from a disk too.
// A page may hold its files itself: `hold` takes them, id -> base64.
const Shelf = (() => {
  const held = new Map();
  const asked = new Map();
  const waiting = new Map();

  window.voxgate = (id, data) => waiting.get(id)?.(data);

  function load(id) {
    return new Promise((resolve, reject) => {
      if (!/^[0-9a-f]{16}$/.test(id)) throw new Error(`${id} is no file of the assets`);
      const script = document.createElement("script");
      const done = () => { script.remove(); waiting.delete(id); };
      waiting.set(id, resolve);
      script.onload = () => { done(); reject(new Error(`${SHELF}/${id}.js is damaged`)); };  // nothing, if it has resolved
      script.onerror = () => { done(); reject(new Error(`${SHELF}/${id}.js is not there`)); };
      script.src = `${SHELF}/${id}.js`;
      document.head.append(script);
    });
  }

  // Base64 of a file. What was loaded is not kept: a page may have hundreds of megabytes of files.
  function fetch(id) {
    if (held.has(id)) return Promise.resolve(held.get(id));
    if (!asked.has(id)) asked.set(id, load(id).finally(() => asked.delete(id)));
    return asked.get(id);
  }

  // A sound, with silence behind it up to a length, so that takes of unequal length can be repeated in step.
  async function sound(id, length_s) {
    const bytes = Uint8Array.from(atob(await fetch(id)), (letter) => letter.charCodeAt(0));
    const found = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(bytes.buffer);
    const length = Math.max(found.length, Math.ceil(length_s * RATE_HZ));
    const padded = new AudioBuffer({ length, numberOfChannels: 1, sampleRate: RATE_HZ });
    padded.copyToChannel(found.getChannelData(0), 0);
    return padded;
  }

  function hold(files) {
    for (const [id, data] of Object.entries(files)) held.set(id, data);
  }

  return { fetch, hold, sound };
})();

class Deck {
  // `changed` is called when playing starts, stops or jumps.
  constructor(changed) {
    this.changed = changed;
    this.playing = false;
    this.length_s = 0;
    this.loop = null;      // {start_s, end_s} or null
    this.sound = null;
    this.gain = 1;
    this.context = null;
    this.voice = null;     // what plays: its source and its volume
    this.rest_s = 0;       // the position while nothing plays
    this.began = null;     // while something plays: {time_s of the context, offset_s in the sound}
    this.until_s = null;   // of a part that is played once: where it ends
    this.told = null;      // called with true when that part has ended, with false when something else was asked for
  }

  get position_s() {
    return this.playing ? this.offsetAt(this.context.currentTime) : this.rest_s;
  }

  // Another utterance: everything begins anew.
  reset(length_s) {
    this.pause();
    Object.assign(this, { length_s, loop: null, sound: null, rest_s: 0 });
  }

  // Another take: in place, on the sample, with a fade of FADE_S.
  hear(sound, gain) {
    this.leave(false);
    Object.assign(this, { sound, gain });
    if (this.playing) this.restart();
  }

  // A browser lets a page play only if this is called by a click or a key itself, before anything is waited for.
  wake() {
    if (navigator.audioSession) navigator.audioSession.type = "playback";  // heard on a phone that is set to silent
    this.context ??= new AudioContext({ sampleRate: RATE_HZ });
    return this.context.resume();
  }

  async play() {
    if (this.playing || !this.sound) return;
    await this.wake();
    if (this.playing) return;
    this.leave(false);
    const { start_s, end_s } = this.loop ?? { start_s: 0, end_s: this.length_s - AHEAD_S };
    const inside = this.rest_s < end_s && (!this.loop || this.rest_s >= start_s);
    this.playing = true;
    this.start(this.context.currentTime + AHEAD_S, inside ? this.rest_s : start_s);
    this.changed();
  }

  // A part of the sound, once: true when it has ended, false where something else was asked for meanwhile.
  async once(start_s, end_s) {
    this.pause();
    this.loop = null;
    await this.wake();
    const ended = new Promise((resolve) => { this.told = resolve; });
    this.until_s = Math.min(end_s, this.length_s);
    this.playing = true;
    this.start(this.context.currentTime + AHEAD_S, Math.max(start_s, 0));
    this.changed();
    return ended;
  }

  leave(hasEnded) {
    const told = this.told;
    Object.assign(this, { until_s: null, told: null });
    told?.(hasEnded);
  }

  pause() {
    this.leave(false);
    if (!this.playing) return;
    this.rest_s = this.position_s;
    this.playing = false;
    this.stop(this.context.currentTime);
    this.changed();
  }

  seek(position_s) {
    this.leave(false);
    const wanted_s = Math.min(Math.max(position_s, 0), this.length_s);
    if (this.loop && (wanted_s < this.loop.start_s || wanted_s >= this.loop.end_s)) this.loop = null;
    if (this.playing) this.restart(wanted_s);
    else this.rest_s = wanted_s;
    this.changed();
  }

  repeat(loop) {
    const position_s = this.position_s;
    this.loop = loop;
    const outside = loop && (position_s < loop.start_s || position_s >= loop.end_s);
    this.seek(outside ? loop.start_s : position_s);
  }

  offsetAt(time_s) {
    const offset_s = this.began.offset_s + Math.max(0, time_s - this.began.time_s);
    if (!this.loop || offset_s < this.loop.end_s) return Math.min(offset_s, this.length_s);
    const { start_s, end_s } = this.loop;
    return start_s + (offset_s - start_s) % (end_s - start_s);
  }

  restart(offset_s) {
    const time_s = this.context.currentTime + AHEAD_S;
    const wanted_s = offset_s ?? this.offsetAt(time_s);
    this.stop(time_s);
    this.start(time_s, wanted_s);
  }

  start(time_s, offset_s) {
    const loop = this.loop ? { loop: true, loopStart: this.loop.start_s, loopEnd: this.loop.end_s } : {};
    const source = new AudioBufferSourceNode(this.context, { buffer: this.sound, ...loop });
    const volume = new GainNode(this.context, { gain: 0 });
    volume.gain.setValueAtTime(0, time_s);
    volume.gain.linearRampToValueAtTime(this.gain, time_s + FADE_S);
    source.connect(volume).connect(this.context.destination);
    if (this.until_s === null) source.start(time_s, offset_s);
    else source.start(time_s, offset_s, Math.max(this.until_s - offset_s, 0));
    source.onended = () => { if (this.voice?.source === source && this.playing) this.end(); };
    this.voice = { source, volume, gain: this.gain };
    this.began = { time_s, offset_s };
  }

  stop(time_s) {
    const { source, volume, gain } = this.voice;
    volume.gain.cancelScheduledValues(time_s);
    volume.gain.setValueAtTime(gain, time_s);
    volume.gain.linearRampToValueAtTime(0, time_s + FADE_S);
    source.stop(time_s + FADE_S);
    this.voice = null;
  }

  end() {
    Object.assign(this, { playing: false, voice: null, rest_s: this.until_s ?? 0 });
    this.leave(true);
    this.changed();
  }
}

function seconds(value_s) {
  return `${value_s.toFixed(2)} s`;
}
