// The open chat: new and changed messages find their place, the reader keeps theirs.
import { adopt, byId, calmly, chatID, fill, morph, parse, request } from "./dom.js";

const near = 80; // pixels from the bottom that still count as reading the newest

const scroller = () => byId("timeline-scroll");
const fromBottom = () => Math.abs(scroller().scrollTop); // the scroller grows upwards, so 0 is the bottom
const number = (element) => (/^m-\d+$/.test(element.id) ? Number(element.id.slice(2)) : 0);

export function toBottom() {
  if (!scroller()) return;
  scroller().scrollTop = 0;
  unseen = 0;
  showJump();
}

let unseen = 0;
function showJump() {
  const jump = byId("jump");
  if (!jump) return;
  jump.hidden = unseen === 0;
  jump.querySelector("span").textContent = fill(jump.dataset.text, { n: unseen });
}

// keepPlace runs a change and leaves the reader where they were: at the bottom, or at the message they look at.
export function keepPlace(change) {
  const box = scroller();
  if (!box) return change();
  const atEnd = fromBottom() < near;
  const top = box.getBoundingClientRect().top;
  const anchor = atEnd ? null : [...box.querySelectorAll("#timeline > li")].find((li) => li.getBoundingClientRect().bottom > top);
  const was = anchor?.getBoundingClientRect().top;
  const added = change();
  if (atEnd) toBottom();
  else {
    const moved = anchor?.isConnected ? anchor.getBoundingClientRect().top - was : 0;
    if (moved) box.scrollTop += moved;
    unseen += added ?? 0;
    showJump();
  }
}

// place puts one message where it belongs, in the place of our own bubble if that still stands for it (the parts of a long reply share
// one key: the first of them takes the bubble, the others are new); it reports whether it is a new one of the customer's or a colleague's.
export function place(message) {
  const line = byId("timeline");
  const key = message.dataset.key;
  const mine = key ? [...line.querySelectorAll("[data-key]")].find((li) => li.dataset.key === key && li.id.startsWith("m-x")) : undefined;
  const old = byId(message.id);
  if (old) mine?.remove(), morph(old, message);
  else if (mine) mine.replaceWith(message), adopt(message);
  else {
    const later = number(message) && [...line.children].find((li) => number(li) > number(message));
    line.insertBefore(message, later || [...line.children].find((li) => li.id.startsWith("m-x")) || null);
    message.dataset.new = "";
    adopt(message);
  }
  return !old && !mine && !message.classList.contains("msg--out");
}

// placeDay puts the day before its first message; where it already stands above, the day began earlier.
function placeDay(day, first) {
  const old = byId(day.id);
  if (old && old.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING) return;
  old?.remove();
  first.before(day);
  adopt(day);
}

// applyThread takes the answer of GET /c/{id}/messages.
function applyThread(html) {
  const answer = parse(html);
  const slot = answer.getElementById("composer-slot");
  if (slot && slot.dataset.state !== byId("composer-slot").dataset.state) return reloadChat();
  keepPlace(() => {
    let added = 0;
    let day;
    for (const entry of [...answer.body.children].filter((element) => element.localName === "li")) {
      if (entry.matches(".daysep")) {
        day = entry;
        continue;
      }
      if (place(entry)) added++;
      if (day) placeDay(day, byId(entry.id));
      day = undefined;
    }
    const line = byId("timeline");
    line.dataset.last = Math.max(line.dataset.last, ...[...line.children].map(number));
    for (const id of ["chat-head", "waitbar", "limits"]) {
      const fresh = answer.getElementById(id);
      if (fresh && byId(id)) morph(byId(id), fresh);
    }
    if (slot && slot.dataset.state !== "mine") changeSlot(slot);
    return added;
  });
  readSoon();
}

// changeSlot renews a place where nothing is typed; what was typed before and can only be copied now stays.
function changeSlot(slot) {
  const [kept, fresh] = [byId("kept"), slot.querySelector("#kept")];
  if (kept && fresh) (fresh.value = fresh.textContent = kept.value), (fresh.hidden = kept.hidden);
  morph(byId("composer-slot"), slot);
}

// reloadChat brings the whole pane: who may write here has changed.
async function reloadChat() {
  const id = chatID();
  const answer = await request("/c/" + id);
  const page = parse(await answer.text());
  if (!answer.ok || chatID() !== id) return;
  document.dispatchEvent(new Event("kefu:leaving"));
  for (const part of ["chat", "panel"]) {
    const fresh = page.getElementById(part);
    if (fresh) byId(part).replaceWith(fresh), adopt(fresh);
  }
  opened();
}

let running = false;
let again = false;

// refreshThread asks for what came after the last known message, and for all that was still on its way.
export async function refreshThread(changed = Infinity) {
  const id = chatID();
  if (!id) return;
  if (running) return void (again = true);
  running = true;
  try {
    const line = byId("timeline");
    const open = [...line.querySelectorAll('[data-state="queued"], [data-state="sending"], [data-state="parked"]')].map(number).filter(Boolean);
    const after = Math.min(Number(line.dataset.last), changed - 1, ...open.map((n) => n - 1));
    const answer = await request(`/c/${id}/messages?after=${Math.max(0, after)}`);
    if (answer.ok && chatID() === id) applyThread(await answer.text());
  } catch {
    // The stream reports the lost connection and catches up after it.
  } finally {
    running = false;
    if (again) (again = false), refreshThread(changed);
  }
}

const bringClaim = calmly(() => waits() && refreshThread());
const waits = () => byId("composer-slot")?.dataset.state === "claim";

// refreshClaim keeps the place in the queue up to date in a chat that waits to be accepted.
export function refreshClaim() {
  if (waits()) bringClaim();
}

let reading;

// readSoon marks the chat as read when its newest message has been in view for a second.
function readSoon() {
  clearTimeout(reading);
  const chat = byId("chat");
  const last = byId("timeline")?.dataset.last;
  if (!last || byId("composer-slot")?.dataset.state !== "mine") return;
  if (!chat.hasAttribute("data-read") && chat.dataset.seen === last) return;
  reading = setTimeout(() => {
    if (document.hidden || !chat.isConnected || fromBottom() >= near) return;
    chat.removeAttribute("data-read");
    chat.dataset.seen = last;
    request(`/c/${chat.dataset.chat}/read`, { method: "POST", body: new URLSearchParams({ message: last }), redirect: "manual" }).catch(() => {});
  }, 1000);
}

// opened is called for a chat that has just come into the page.
function opened() {
  unseen = 0;
  const chat = byId("chat");
  if (chat && !chat.hasAttribute("data-read") && byId("timeline")) chat.dataset.seen = byId("timeline").dataset.last;
  scroller()?.addEventListener("scroll", () => fromBottom() < near && ((unseen = 0), showJump(), readSoon()), { passive: true });
  readSoon();
  document.dispatchEvent(new Event("kefu:opened"));
}

document.addEventListener("click", (event) => event.target.closest?.("#jump") && toBottom());
document.addEventListener("visibilitychange", readSoon);
document.addEventListener("kefu:thread", () => refreshThread());
document.addEventListener("htmx:afterSwap", (event) => event.detail.target?.id === "chat" && queueMicrotask(opened));
document.addEventListener("htmx:historyRestore", opened);
queueMicrotask(opened);
