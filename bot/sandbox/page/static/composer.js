// The composer: commands are suggested while they are typed, and earlier lines come back.

import { $, $$ } from "/static/drawing.js";
import { highlight, moves, shownIn } from "/static/lists.js";
import { place } from "/static/sending.js";

const slack = $("#slack");
let recalled = -1; // which of the earlier lines is shown; -1: none

const key = () => `said as ${place().get("as")}`;
const earlier = () => JSON.parse(sessionStorage.getItem(key()) ?? "[]");

export function clear(textarea) {
  const line = textarea.value;
  sessionStorage.setItem(key(), JSON.stringify([line, ...earlier().filter((other) => other !== line)].slice(0, 50)));
  recalled = -1;
  write(textarea, "");
}

export function write(textarea, text) {
  textarea.value = text;
  suggest(textarea);
}

function suggest(textarea) {
  const form = textarea.form, list = $(".suggestions", form), items = $$("[role=option]", list);
  const typed = /^\/[^\n]*$/.test(textarea.value) ? textarea.value : null;
  const goesOn = (literal) => typed !== null && literal.startsWith(typed.trimEnd()) && typed !== `${literal} `;
  for (const item of items) item.hidden = !goesOn(item.dataset.literal);
  const meant = items.filter((item) => typed !== null && `${typed} `.startsWith(`${item.dataset.literal} `)).pop();
  $(".usage", form).textContent = meant?.dataset.usage ?? "";
  show(textarea, list, shownIn(list).length > 0);
}

function show(textarea, list, isShown) {
  list.hidden = !isShown;
  if (isShown) textarea.form.dataset.busy = "";
  else delete textarea.form.dataset.busy;
  highlight(list, isShown ? shownIn(list)[0] : null, textarea);
}

function recall(textarea, step) {
  const lines = earlier();
  recalled = Math.max(-1, Math.min(lines.length - 1, recalled + step));
  write(textarea, lines[recalled] ?? "");
  show(textarea, $(".suggestions", textarea.form), false);
}

// Whether the key did something here.
function handled({ key, shiftKey }, textarea, list) {
  const isFirstLine = !textarea.value.slice(0, textarea.selectionStart).includes("\n");
  if (key === "Enter" && !shiftKey) { if (textarea.value.trim()) textarea.form.requestSubmit(); }
  else if (key === "Tab" && !shiftKey && !list.hidden) write(textarea, `${$(".is-active", list).dataset.literal} `);
  else if (key === "ArrowUp" && isFirstLine && (!textarea.value || recalled >= 0)) recall(textarea, 1);
  else if (key === "ArrowDown" && recalled >= 0) recall(textarea, -1);
  else if (key === "Escape" && !list.hidden) show(textarea, list, false);
  else return false;
  return true;
}

slack.addEventListener("input", (event) => {
  if (!event.target.matches("[data-composer] textarea")) return;
  recalled = -1;
  suggest(event.target);
});
slack.addEventListener("keydown", (event) => {
  const textarea = event.target;
  if (!textarea.matches("[data-composer] textarea") || event.isComposing) return;
  const list = $(".suggestions", textarea.form);
  if (!list.hidden && moves(event, list, textarea)) return;
  if (handled(event, textarea, list)) event.preventDefault();
});
slack.addEventListener("mousedown", (event) => {
  const item = event.target.closest(".suggestions [role=option]");
  if (!item) return;
  event.preventDefault();
  write(item.closest("form").elements.text, `${item.dataset.literal} `);
});
slack.addEventListener("click", (event) => {
  const tried = event.target.closest("[data-write]"), textarea = $("main [data-composer] textarea");
  if (!tried || !textarea) return;
  write(textarea, tried.dataset.write);
  textarea.focus();
});
slack.addEventListener("focusout", (event) => {
  if (event.target.matches("[data-composer] textarea")) show(event.target, $(".suggestions", event.target.form), false);
});
