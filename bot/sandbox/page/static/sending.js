// Tells the server what somebody does here, and somebody what the server says to that.

import { $, $$ } from "/static/drawing.js";

// Who looks, at what, as the page shows it.
export const place = () => new URLSearchParams($("#workspace").dataset.place.slice(2));

export async function send(url, body) {
  const answer = await fetch(url, { method: "POST", body }).catch(() => null);
  if (answer?.ok) return true;
  if (answer) toast((await answer.json().catch(() => null))?.error ?? "That did not work.");
  else toast("The demo does not answer.");
  return false;
}

// Of a button or a field with data-confirm-title and so on: whether somebody wants it.
export function agreed({ confirmTitle, confirmText = "", confirmYes = "OK", confirmNo = "Cancel", confirmDanger }) {
  const dialog = $("#confirm"), [no, yes] = $$("footer button", dialog);
  $("#confirm-title").textContent = confirmTitle;
  $("#confirm-text").textContent = confirmText;
  no.textContent = confirmNo;
  yes.textContent = confirmYes;
  yes.className = `button button-${confirmDanger === undefined ? "primary" : "danger-full"}`;
  dialog.returnValue = "";
  dialog.showModal();
  (confirmDanger === undefined ? yes : no).focus();
  return new Promise((decide) => dialog.addEventListener("close", () => decide(dialog.returnValue === "yes"), { once: true }));
}

function toast(text) {
  const shown = document.createElement("p");
  shown.className = "toast";
  shown.append(text);
  const close = Object.assign(document.createElement("button"), { type: "button", textContent: "Dismiss", className: "button" });
  close.addEventListener("click", () => shown.remove());
  shown.append(close);
  $("#toasts").append(shown);
  setTimeout(() => shown.remove(), 12000);
}
