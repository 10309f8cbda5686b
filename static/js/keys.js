// Single keys work only while nothing is being written; the list is behind "?".
import { byId, parse, request, toast } from "./dom.js";
import { composing } from "./composer.js";
import { togglePanel } from "./page.js";
import { toggleTheme } from "./theme.js";

const writing = (element) => element?.closest?.("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");

// move goes up or down the list; the focus stays there until Enter or R.
function move(step) {
  const rows = [...document.querySelectorAll("#convo-list :is(a.convo, .convo__open)")];
  if (!rows.length) return;
  let at = rows.indexOf(document.activeElement);
  if (at < 0) at = rows.findIndex((row) => row.closest('[aria-current="true"]'));
  rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + step))].focus();
}

// accept takes the next customer: the one on the page, else the first of the board.
async function accept() {
  const here = document.querySelector("[data-claim]") ?? document.querySelector("#convo-list .convo--act button");
  if (here) return here.click();
  const board = parse(await (await request("/queue", { headers: { "X-Fragment": "queue" } })).text());
  const next = board.getElementById("claim-next")?.closest("form");
  if (!next) return toast(board.querySelector(".queue__empty h2")?.textContent ?? board.querySelector("h1")?.textContent);
  const form = document.adoptNode(next);
  form.hidden = true;
  document.body.append(form);
  form.submit();
}

const acts = {
  j: () => move(1),
  k: () => move(-1),
  n: accept,
  e: () => byId("close-btn") && byId("dlg-close")?.showPopover(),
  r: () => byId("composer-text")?.focus(),
  "]": () => togglePanel(),
  "?": () => byId("dlg-keys")?.togglePopover(),
};

let presence = 0; // when P was pressed

document.addEventListener("keydown", (event) => {
  if (composing(event)) return;
  if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.code === "KeyL") return event.preventDefault(), toggleTheme();
  if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) return;
  const inList = event.target.closest?.("#convo-list");
  if (inList && (event.key === "ArrowDown" || event.key === "ArrowUp")) return event.preventDefault(), move(event.key === "ArrowDown" ? 1 : -1);
  const state = ["online", "busy", "break"][Number(event.key) - 1];
  if (state && Date.now() - presence < 1500) {
    presence = 0;
    return document.querySelector(`#presence-form [value="${state}"]`)?.click();
  }
  if (event.key === "p") return void (presence = Date.now());
  if (document.querySelector("[popover].dialog:popover-open") && event.key !== "?") return;
  const act = Object.hasOwn(acts, event.key) && acts[event.key];
  if (act) event.preventDefault(), act();
});
