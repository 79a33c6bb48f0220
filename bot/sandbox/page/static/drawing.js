// Fits what the server has drawn into the page, and keeps what only a browser knows: focus, open menus, and what is
// typed but not sent. An element with data-own keeps its content, one with data-busy everything, as long as it has it.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

const told = (options) => (at) => new Intl.DateTimeFormat("en", options).format(at);
const clock = (options) => (at) => new Intl.DateTimeFormat("en-GB", options).format(at);
const DATES = {
  date_num: (at) => new Intl.DateTimeFormat("sv-SE").format(at),
  date: told({ month: "long", day: "numeric", year: "numeric" }),
  date_short: told({ month: "short", day: "numeric", year: "numeric" }),
  date_long: told({ weekday: "long", month: "long", day: "numeric", year: "numeric" }),
  time: clock({ hour: "2-digit", minute: "2-digit" }),
  time_secs: clock({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
};

function near(at) {
  const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate());
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[Math.round((midnight(at) - midnight(new Date())) / 864e5)];
}

export function localise(root) {
  for (const time of $$("time[data-pattern]", root)) {
    const at = new Date(time.dateTime);
    time.textContent = time.dataset.pattern.replace(/\{(\w+?)(_pretty)?\}/g, (all, name, pretty) =>
      (pretty && near(at)) || DATES[name]?.(at) || all);
    time.title = `${DATES.date_long(at)} ${DATES.time_secs(at)}`;
  }
  for (const input of $$("input[data-epoch]", root)) {
    const at = new Date(input.dataset.epoch * 1000);
    if (input.dataset.epoch) input.setAttribute("value", `${DATES.date_num(at)}T${DATES.time(at)}`);
  }
  for (const rest of $$(".rest[data-most]", root)) count(rest);
}

export const unsent = new Set(); // fields whose typed value is not at the server yet

// What a browser decides: whether a menu is open and to which side, and that a button is at work.
const isOwn = (element, name) => name === "open" || name === "aria-busy" || (name === "class" && element.matches("details.menu"));

function morph(from, to) {
  if (from.isEqualNode(to) || from.dataset?.busy !== undefined) return;
  if (from.nodeType !== Node.ELEMENT_NODE) {
    from.nodeValue = to.nodeValue;
    return;
  }
  const keepsContent = from.dataset.own !== undefined, isNews = valueIn(from) !== valueIn(to);
  if (!keepsContent) morphChildren(from, to);
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && !isOwn(from, name)) from.removeAttribute(name);
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value && !isOwn(from, name)) from.setAttribute(name, value);
  if (isNews && !keepsContent && from !== document.activeElement && !unsent.has(from.closest(".field"))) setValue(from, valueIn(to));
}

// As it is written in the drawing: what somebody has typed since then is the element's property.
function valueIn(node) {
  if (node.tagName === "TEXTAREA") return node.defaultValue;
  return isTick(node) ? node.defaultChecked : node.tagName === "INPUT" ? node.defaultValue : null;
}

function setValue(input, value) {
  if (isTick(input)) input.checked = value;
  else input.value = value;
}

const isTick = (node) => node.type === "checkbox" || node.type === "radio";
// A button is the same as long as it does the same: who has the focus on one must not find another there.
const keyOf = (node) => node.id || (node.tagName === "BUTTON" ? node.value : "");

export function morphChildren(from, to) {
  const known = new Map([...from.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let here = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = keyOf(wanted), named = key && known.get(key);
    if (named) {
      if (named === here) here = here.nextSibling;
      else from.insertBefore(named, here);
      morph(named, wanted);
    } else if (!key && here && !keyOf(here) && here.nodeName === wanted.nodeName) {
      const old = here;
      here = here.nextSibling;
      morph(old, wanted);
    } else from.insertBefore(wanted, here);
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

// How many characters more a field takes, where that is few.
export function count(rest) {
  const input = $("input, textarea", rest.parentElement), more = rest.dataset.most - input.value.length;
  rest.textContent = more <= 20 ? more : "";
}
