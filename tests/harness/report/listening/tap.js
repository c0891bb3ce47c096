// For the tests: an ear. Whatever is led to a player's output is led to an analyser too.
(() => {
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function tapped(to, ...rest) {
    if (to === this.context.destination && this.context instanceof AudioContext) {
      window.ear ??= new AnalyserNode(this.context, { fftSize: 4096, smoothingTimeConstant: 0 });
      connect.call(this, window.ear);
    }
    return connect.call(this, to, ...rest);
  };

  // The loudest frequency, between the bins by a parabola, and the level; null where nothing is heard.
  window.heard = () => {
    if (!window.ear) return null;
    const [frames, bins] = [new Float32Array(4096), new Float32Array(2048)];
    window.ear.getFloatTimeDomainData(frames);
    window.ear.getFloatFrequencyData(bins);
    const top = bins.indexOf(Math.max(...bins));
    if (!(bins[top] > -60)) return null;
    const [left, middle, right] = [bins[top - 1], bins[top], bins[top + 1]];
    const between = (left - right) / (2 * (left - 2 * middle + right));
    const db = 10 * Math.log10(frames.reduce((sum, frame) => sum + frame ** 2, 0) / frames.length);
    return { hz: ((top + between) * 48000) / 4096, db, time_s: window.ear.context.currentTime };
  };

  // What is heard once some seconds more were played, by the player's own clock: a busy machine plays late.
  window.listen = async (wait_s) => {
    const time_s = () => window.ear?.context.currentTime ?? 0;
    const until_s = time_s() + wait_s;
    for (let tries = 0; tries < 500 && time_s() < until_s; tries += 1) await new Promise((resume) => setTimeout(resume, 10));
    return window.heard();
  };
})();
