// Fields: each tells the server at once what is typed or chosen in it, so that a new drawing has it too.

import { $, $$, count, unsent } from "/static/drawing.js";
import { highlight, moves, shownIn } from "/static/lists.js";
import { agreed, place, send } from "/static/sending.js";

const slack = $("#slack");
const waiting = new Map(); // fields whose text is sent in a moment
let sending = Promise.resolve();

const isText = (input) => input.matches("textarea, input:is([type=text], [type=email], [type=url]):not(.combo-input)");
const epoch = (input) => input.value ? String(Math.floor(new Date(input.value).getTime() / 1000)) : "";

function valuesOf(field) {
  return $$("[name]", field).filter((one) => !["checkbox", "radio"].includes(one.type) || one.checked)
    .map((one) => one.dataset.epoch === undefined ? one.value : epoch(one));
}

// `delay` in milliseconds: more may be typed by then.
function tell(field, deed, delay = 0) {
  unsent.add(field);
  clearTimeout(waiting.get(field)?.timer);
  const now = () => {
    waiting.delete(field);
    const body = new URLSearchParams({ as: place().get("as"), at: field.dataset.at });
    for (const value of valuesOf(field)) body.append("value", value);
    sending = sending.then(() => send(`/slack/${deed}`, body)).then(() => { if (!waiting.has(field)) unsent.delete(field); });
  };
  if (delay) waiting.set(field, { now, timer: setTimeout(now, delay) });
  else now();
}

// Until the server knows all that is typed.
export async function settled() {
  for (const { now, timer } of [...waiting.values()]) {
    clearTimeout(timer);
    now();
  }
  await sending;
}

async function changed(field) {
  if (field.dataset.confirmTitle === undefined || (await agreed(field.dataset))) tell(field, "choose");
  else slack.dispatchEvent(new Event("stale"));
}

slack.addEventListener("input", (event) => {
  const input = event.target, field = input.closest(".field");
  if (input.matches(".combo-input")) openList(input);
  if (!field || !isText(input)) return;
  for (const rest of $$(".rest", field)) count(rest);
  tell(field, "type", 300);
});
slack.addEventListener("change", (event) => {
  const input = event.target, field = input.closest(".field");
  if (field && !isText(input) && !input.matches(".combo-input")) changed(field);
});

// --- Menus that are searched --------------------------------------------------------------------------------------

const listOf = (input) => $("[role=listbox]", input.parentElement);
let searching;

function openList(input, all = false) {
  const combo = input.parentElement, list = listOf(input);
  combo.dataset.busy = "";
  list.id ||= `list-${Math.random().toString(36).slice(2)}`;
  input.setAttribute("aria-controls", list.id);
  input.ariaExpanded = "true";
  list.hidden = false;
  combo.classList.toggle("is-up", input.getBoundingClientRect().bottom > innerHeight - 280);
  const typed = all ? "" : input.value.trim();
  if (combo.dataset.outside !== undefined) return search(input, list, typed);
  for (const item of $$("[role=option]", list)) item.hidden = !item.dataset.words.toLowerCase().includes(typed.toLowerCase());
  for (const group of $$(".group", list)) group.hidden = typed !== "";
  highlight(list, shownIn(list).find((item) => item.ariaSelected === "true") ?? shownIn(list)[0], input);
}

function search(input, list, typed) {
  clearTimeout(searching);
  if (typed.length < input.parentElement.dataset.outside) return list.replaceChildren(note("Type to search"));
  searching = setTimeout(async () => {
    const query = new URLSearchParams({ as: place().get("as"), at: input.closest(".field").dataset.at, typed });
    const answer = await fetch(`/slack/options?${query}`).catch(() => null);
    if (list.hidden) return;
    list.innerHTML = answer?.ok ? await answer.text() : "";
    if (!answer?.ok) list.append(note("Loading failed"));
    highlight(list, shownIn(list)[0], input);
  }, 200);
}

function note(text) {
  return Object.assign(document.createElement("li"), { className: "none", textContent: text });
}

function closeList(input) {
  delete input.parentElement.dataset.busy;
  input.ariaExpanded = "false";
  listOf(input).hidden = true;
  const isChosen = Boolean($("[data-chosen]", input.parentElement)?.value);
  input.value = isChosen ? input.dataset.label ?? input.getAttribute("value") : "";
}

function choose(input, item) {
  const combo = input.parentElement, single = $("[data-chosen]", combo), { value, words } = item.dataset;
  const values = $$(".chip [name]", combo).map((one) => one.value);
  if (single) {
    single.value = value;
    input.dataset.label = words;
  } else if (!values.includes(value) && values.length < combo.dataset.many) input.before(chip(value, words));
  closeList(input);
  changed(input.closest(".field"));
}

// Until the server draws it.
function chip(value, words) {
  const drawn = Object.assign(document.createElement("span"), { className: "chip", textContent: words });
  drawn.append(Object.assign(document.createElement("input"), { type: "hidden", name: "chosen", value }));
  return drawn;
}

function drop(gone) {
  const field = gone.closest(".field"), input = $(".combo-input", field);
  if (gone.matches("[data-remove]")) gone.closest(".chip").remove();
  else {
    $("[data-chosen]", field).value = input.value = "";
    gone.remove();
  }
  input.focus();
  changed(field);
}

slack.addEventListener("mousedown", (event) => {
  const list = event.target.closest(".combo [role=listbox]"), item = event.target.closest(".combo [role=option]");
  if (list) event.preventDefault(); // the focus stays where it is
  if (item) choose($(".combo-input", item.closest(".combo")), item);
});
slack.addEventListener("click", (event) => {
  const input = event.target.closest(".combo-input"), gone = event.target.closest("[data-remove], [data-clear]");
  if (gone) drop(gone);
  if (!input || !listOf(input).hidden) return;
  input.select();
  openList(input, true);
});
slack.addEventListener("focusout", (event) => {
  if (event.target.matches(".combo-input") && !listOf(event.target).hidden) closeList(event.target);
});

function comboKey(event, input) {
  const list = listOf(input), active = $(".is-active", list), last = $$("[data-remove]", input.parentElement).pop();
  if (event.key === "Backspace" && !input.value && last) return drop(last);
  if (list.hidden) {
    if (!["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
    event.preventDefault();
    openList(input, true);
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (active) choose(input, active);
  } else if (event.key === "Escape") {
    event.stopPropagation();
    closeList(input);
  } else moves(event, list, input);
}

slack.addEventListener("keydown", (event) => {
  const input = event.target;
  if (event.isComposing) return;
  if (input.matches(".combo-input")) comboKey(event, input);
  else if (event.key === "Enter" && input.matches("[data-enters] input")) {
    event.preventDefault();
    tell(input.closest(".field"), "choose");
  }
});
