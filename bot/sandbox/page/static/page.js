// The browser's side of the demo's page. The server draws everything; this fetches what has changed, and sends what is
// done here.

import { $, $$, localise, morphChildren } from "/static/drawing.js";
import { agreed, place, send } from "/static/sending.js";
import { settled } from "/static/fields.js";
import { clear, write } from "/static/composer.js";

// --- What has changed ---------------------------------------------------------------------------------------------

const fetching = {}, stale = {};

async function refresh(region) {
  if (!document.getElementById(region)) return;
  stale[region] = true;
  fetching[region] ??= (async () => {
    while (stale[region]) {
      stale[region] = false;
      const asked = location.search;
      const answer = await fetch(`/part/${region}${asked}`).catch(() => null);
      const html = answer?.ok ? await answer.text() : null;
      if (html !== null && asked === location.search) fitIn(region, html);
    }
  })().finally(() => { fetching[region] = undefined; });
  await fetching[region];
}

let stream, silence;

function listen() {
  stream?.close();
  stream = new EventSource("/changes");
  stream.addEventListener("changed", (event) => refresh(event.data));
  stream.addEventListener("ended", end);
  stream.addEventListener("open", () => {
    clearTimeout(silence);
    silence = undefined;
    for (const region of ["slack", "backstage"]) refresh(region);
  });
  stream.addEventListener("error", () => { silence ??= setTimeout(end, 4000); });
}

function end() {
  stream.close();
  $("#ended").hidden = false;
  document.documentElement.classList.add("has-ended");
}

// A browser opens six connections to one server at most: a page that nobody sees does not hold one.
document.addEventListener("visibilitychange", () => {
  if (!$("#ended").hidden) return;
  if (document.hidden) stream.close(); else listen();
});

function fitIn(region, html) {
  const target = document.getElementById(region), drawing = target.cloneNode(false);
  drawing.innerHTML = html;
  localise(drawing);
  const above = new Set(logsIn(target).filter((log) => log.scrollHeight - log.scrollTop - log.clientHeight > 60));
  const message = document.activeElement.closest(".message");
  morphChildren(target, drawing);
  for (const log of logsIn(target)) if (!above.has(log)) log.scrollTop = log.scrollHeight;
  if (document.activeElement === document.body && message?.isConnected) message.focus({ preventScroll: true });
  if (region === "slack") settle();
}

const logsIn = (root) => $$(".scroll[data-scroll]", root);

// --- Going elsewhere ----------------------------------------------------------------------------------------------

async function arrive() {
  await refresh("slack");
  send("/slack/arrive", new URLSearchParams(location.search));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const as = place().get("as");
  history.pushState(null, "", link.href);
  closeMenus();
  arrive().then(() => {
    if (place().get("as") !== as) refresh("backstage");
    ($("#thread textarea") ?? $("#composer"))?.focus({ preventScroll: true });
  });
});
window.addEventListener("popstate", arrive);

// --- Doing something ----------------------------------------------------------------------------------------------

document.addEventListener("submit", async (event) => {
  const form = event.target, by = event.submitter;
  if (!form.matches("[data-live]")) return;
  event.preventDefault();
  const asked = [by, form].find((one) => one?.dataset.confirmTitle !== undefined);
  if (by?.ariaBusy === "true" || (asked && !(await agreed(asked.dataset)))) return;
  if (/^https?:/i.test(by?.dataset.url ?? "")) window.open(by.dataset.url, "_blank", "noopener,noreferrer");
  await settled();
  const body = new URLSearchParams(new FormData(form, by));
  if (by) by.ariaBusy = "true";
  closeMenus();
  const composer = form.matches("[data-composer]") ? form.elements.text : null;
  if (composer) clear(composer);
  const done = await send(by?.getAttribute("formaction") ?? form.getAttribute("action"), body);
  if (by) by.ariaBusy = null;
  if (composer && !done && !composer.value) write(composer, body.get("text"));
  if (form.closest("#slack")) await refresh("slack");
  if (form.closest(".modal")) $(".modal .is-wrong :is(input, textarea)")?.focus();
});

$("#slack").addEventListener("stale", () => refresh("slack"));

// --- Keys, menus, modals ------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || $("#confirm").open) return;
  const menu = $("details.menu[open]");
  if (menu) {
    menu.open = false;
    $("summary", menu).focus();
  } else if (!event.target.closest("#backstage")) $(".modal [data-close]")?.click();
});

document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!menu.matches("details.menu") || !menu.open) return;
  menu.classList.remove("is-up");
  const bottom = menu.closest(".scroll")?.getBoundingClientRect().bottom ?? innerHeight;
  menu.classList.toggle("is-up", $("ul", menu).getBoundingClientRect().bottom > bottom);
}, true);

function closeMenus(except) {
  for (const menu of $$("details.menu[open]")) if (menu !== except) menu.open = false;
}
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));

let modal = null, opener = null;

function settle() {
  document.title = $("#workspace").dataset.title;
  const top = $("[data-modal]");
  if (top?.id === modal) return;
  if (!modal) opener = document.activeElement;
  modal = top?.id ?? null;
  if (top) ($("[data-focus]", top) ?? $("input:not([type=hidden]), textarea", top) ?? top).focus();
  else (opener?.isConnected && opener !== document.body ? opener : $("#composer"))?.focus();
}

$("#wings-toggle")?.addEventListener("click", () => showWings($("#stage").classList.contains("is-alone")));

function showWings(shown) {
  $("#stage").classList.toggle("is-alone", !shown);
  $("#wings-toggle").ariaExpanded = String(shown);
  localStorage.setItem("backstage", shown ? "shown" : "hidden");
}

if ($("#wings-toggle")) showWings((localStorage.getItem("backstage") ?? (innerWidth < 1180 ? "hidden" : "shown")) === "shown");
localise(document.body);
for (const log of logsIn(document)) log.scrollTop = log.scrollHeight;
settle();
listen();
arrive().then(() => { if (!modal) $("#composer")?.focus({ preventScroll: true }); });
