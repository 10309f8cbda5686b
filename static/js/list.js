// The list of chats: rows come one by one, stay sorted by data-order, and never slide away under a pointer or the focus.
import { adopt, byId, calmly, chatID, morph, parse, replaceAll, request } from "./dom.js";

const patience = 2000;
let waiting; // a re-ordering that waits
const arrivals = new Map(); // rows that wait for their place, and null for one that leaves

const list = () => byId("convo-list");
const busy = () => list()?.matches(":hover, :focus-within");

// applyRow takes one pushed row: in place at once, in or out of the list when nobody is pointing at it.
export function applyRow(html) {
  const row = parse(html).querySelector("li[id]");
  if (!row || !list()) return;
  const old = byId(row.id);
  mark(row);
  const here = row.dataset.list === list().dataset.list;
  if (list().dataset.list === "queue" && (here !== !!(old ?? arrivals.get(row.id)) || row.dataset.order !== old?.dataset.order)) refreshPlaces();
  if (!here) arrivals.set(row.id, null);
  else if (old) morph(old, row);
  else arrivals.set(row.id, row);
  settle();
}

function settle() {
  clearTimeout(waiting);
  if (busy() && (arrivals.size || !sorted())) waiting = setTimeout(sort, patience);
  else sort();
}

const mark = (row) => row.id === "c-" + chatID() && row.querySelector(".convo")?.setAttribute("aria-current", "true");
const rows = () => [...list().children].filter((row) => row.dataset.order !== undefined);
const before = (a, b) => (a.dataset.order < b.dataset.order ? -1 : a.dataset.order > b.dataset.order ? 1 : 0);
const sorted = () => rows().every((row, i, all) => i === 0 || before(all[i - 1], row) <= 0);

function sort() {
  if (!list()) return;
  const focused = document.activeElement?.id;
  for (const [id, row] of arrivals) {
    const old = byId(id);
    if (!row) old?.remove();
    else if (old) morph(old, row);
    else list().append(row), adopt(row);
  }
  arrivals.clear();
  const wanted = rows().sort(before);
  wanted.forEach((row, i) => list().children[i] !== row && list().insertBefore(row, list().children[i] ?? null));
  if (focused && document.activeElement?.id !== focused) byId(focused)?.focus({ preventScroll: true });
  heading(wanted);
  document.dispatchEvent(new CustomEvent("kefu:changed", { detail: list() }));
}

// heading counts the rows below "waiting for the customer".
function heading(all) {
  const head = byId("list-quiet");
  if (!head) return;
  const below = all.filter((row) => row.id.startsWith("c-") && row.dataset.order > head.dataset.order).length;
  head.hidden = below === 0;
  head.querySelector("[data-quiet]").textContent = below;
}

// refetch brings the whole list after a gap.
export async function refetchList() {
  if (!list()) return;
  const answer = await request("/c?list=" + encodeURIComponent(list().dataset.list), { headers: { "X-Fragment": "list" } });
  if (!answer.ok || !list()) return;
  arrivals.clear();
  replaceAll(await answer.text());
  const row = byId("c-" + chatID());
  row?.querySelector(".convo")?.setAttribute("aria-current", "true");
}

// refreshPlaces corrects who is next, second, third. Which rows there are is the events' business; they may be newer than this answer.
const refreshPlaces = calmly(async () => {
  if (list()?.dataset.list !== "queue") return;
  const answer = await request("/c?list=queue", { headers: { "X-Fragment": "list" } });
  const fresh = answer.ok && parse(await answer.text()).getElementById("convo-list");
  if (!fresh || list()?.dataset.list !== "queue") return;
  for (const row of fresh.querySelectorAll('li[id^="c-"]')) {
    const old = byId(row.id);
    mark(row);
    if (old) morph(old, row);
    else if (arrivals.get(row.id)) arrivals.set(row.id, row);
  }
  settle();
});

const bringBoard = calmly(async () => {
  const answer = await request("/queue", { headers: { "X-Fragment": "queue" } });
  const fresh = answer.ok && parse(await answer.text()).getElementById("queue-live");
  if (fresh && byId("queue-live")) morph(byId("queue-live"), fresh);
});

// refreshBoard keeps the queue page up to date.
export function refreshBoard() {
  if (byId("queue-live")) bringBoard();
}
