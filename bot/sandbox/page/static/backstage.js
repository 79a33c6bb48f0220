// Lets the times of the panel go on between two renderings. Without it they stand, and are right at each one.
"use strict";

function spoken(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return seconds < 100 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

function tick() {
  const now = Date.now();
  for (const element of document.querySelectorAll("#backstage [data-until]")) {
    const until = Number(element.dataset.until);
    if (element instanceof HTMLProgressElement) {
      const since = Number(element.dataset.since);
      element.value = Math.min(1, Math.max(0, (now - since) / (until - since || 1)));
    } else {
      const words = spoken(until - now);
      if (element.textContent !== words) element.textContent = words;
    }
  }
}

setInterval(tick, 200);
