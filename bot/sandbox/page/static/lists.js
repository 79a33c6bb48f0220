// A list of options below or above a text: which one is meant, and how arrow keys change that.

import { $$ } from "/static/drawing.js";

export const shownIn = (list) => $$("[role=option]", list).filter((item) => !item.hidden);

export function highlight(list, item, input) {
  for (const one of $$(".is-active", list)) one.classList.remove("is-active");
  item?.classList.add("is-active");
  item?.scrollIntoView({ block: "nearest" });
  if (item) item.id ||= `option-${Math.random().toString(36).slice(2)}`;
  input.setAttribute("aria-activedescendant", item?.id ?? "");
}

export function moves(event, list, input) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return false;
  event.preventDefault();
  const items = shownIn(list), at = items.findIndex((item) => item.matches(".is-active"));
  highlight(list, items.at((at + step) % items.length) ?? null, input);
  return true;
}
