// Exact answers about counts: how likely by guessing, and which true share fits. Sums of binomial terms and bisection; for
// the hundreds of trials that a person can sit through. Checked against scipy by the tests.
"use strict";

// P(X >= k) of n trials with chance p.
function atLeast(k, n, p) {
  if (k <= 0) return 1;
  if (k > n || p <= 0) return 0;
  if (p >= 1) return 1;
  let log = 0;  // of the binomial coefficient
  for (let i = 1; i <= k; i += 1) log += Math.log(n - k + i) - Math.log(i);
  let term = Math.exp(log + k * Math.log(p) + (n - k) * Math.log1p(-p));
  let sum = term;
  for (let i = k; i < n; i += 1) {
    term *= ((n - i) / (i + 1)) * (p / (1 - p));
    sum += term;
  }
  return Math.min(sum, 1);
}

// The p at which a rising function reaches a value.
function reaches(rising, value) {
  let [low, high] = [0, 1];
  for (let i = 0; i < 60; i += 1) {
    const middle = (low + high) / 2;
    if (rising(middle) < value) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

// The 95 % interval of the true share after k of n (Clopper and Pearson 1934).
function interval(k, n) {
  const low = k === 0 ? 0 : reaches((p) => atLeast(k, n, p), 0.025);
  const high = k === n ? 1 : reaches((p) => atLeast(k + 1, n, p), 0.975);
  return [low, high];
}

// By guessing, at least k of n.
function oneSided(k, n) {
  return atLeast(k, n, 0.5);
}

// By tossing a coin, k of n or anything further from one half.
function twoSided(k, n) {
  return Math.min(1, 2 * atLeast(Math.max(k, n - k), n, 0.5));
}

// The fewest right answers of n that guessing gives in less than 5 % of tests; null where even n are too few.
function needed(n) {
  for (let k = 0; k <= n; k += 1) if (oneSided(k, n) < 0.05) return k;
  return null;
}
