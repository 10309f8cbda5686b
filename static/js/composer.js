// Writing: Enter sends (never while an input method composes), the bubble stands at once, the words survive everything.
import { adopt, byId, chatID, parse, request } from "./dom.js";
import { keepPlace, place, refreshThread, toBottom } from "./thread.js";

const form = () => byId("composer");
const field = () => byId("composer-text");
const mode = () => form().elements.mode.value;
export const composing = (event) => event.isComposing || event.keyCode === 229;

// uuid also works where the page came over plain http, which has no randomUUID.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// ── Drafts: per chat, in this tab ──
const slot = (id) => "draft:" + id;
let saving;

function keep(id, text, kind) {
  if (text) sessionStorage.setItem(slot(id), JSON.stringify({ text, mode: kind }));
  else sessionStorage.removeItem(slot(id));
}

function save() {
  clearTimeout(saving);
  if (form()) keep(form().dataset.chat, field().value, mode());
}

function restore() {
  const draft = JSON.parse(sessionStorage.getItem(slot(chatID())) ?? "null");
  const kept = byId("kept"); // nothing can be written here any more: what was written can still be copied
  if (kept && draft && !kept.value) (kept.value = draft.text), (kept.hidden = false);
  if (!form()) return;
  if (draft && !field().value) (field().value = draft.text), setMode(draft.mode);
  else setMode(mode());
}

export function setMode(kind) {
  form().elements.mode.value = kind;
  form().dataset.mode = kind;
  field().placeholder = field().dataset[kind];
}

function alarm(sentence) {
  const line = byId("composer-alert");
  line.hidden = !sentence;
  line.querySelector("span").textContent = sentence;
}

// ── Sending: one after the other, so the order stays ──
const unsent = []; // {id, text, mode, key, bubble}
let sending = false;

function show(message) {
  const bubble = byId(message.mode === "note" ? "tpl-note" : "tpl-out").content.firstElementChild.cloneNode(true);
  bubble.id = "m-x" + message.key;
  bubble.dataset.key = message.key;
  bubble.querySelector(".bubble, .note__text").textContent = message.text;
  byId("timeline").append(bubble);
  adopt(bubble);
  toBottom();
  return bubble;
}

function mark(message, state) {
  message.bubble.dataset.state = state;
  for (const foot of message.bubble.querySelectorAll("[data-foot]")) foot.hidden = foot.dataset.foot !== state;
}

// accepted puts the server's bubble in the place of ours, unless the stream was faster.
function accepted(message, html) {
  unsent.shift();
  if (JSON.parse(sessionStorage.getItem(slot(message.id)) ?? "null")?.text === message.text) keep(message.id, "");
  if (chatID() !== message.id || !byId("timeline")) return;
  const fresh = [...parse(html).querySelectorAll("li[data-key]")].find((li) => li.dataset.key === message.key);
  if (fresh) keepPlace(() => void place(fresh));
  refreshThread();
}

// refused gives the words back with the reason.
function refused(message, html) {
  unsent.shift();
  message.bubble.remove();
  const reason = parse(html).querySelector("#composer-alert span, [role=alert]")?.textContent.trim();
  if (chatID() === message.id && form()) putBack(message), alarm(reason);
  else keep(message.id, message.text, message.mode);
}

function putBack(message) {
  const more = field().value;
  field().value = more ? message.text + "\n" + more : message.text;
  if (message.mode) setMode(message.mode);
  field().focus();
  save();
}

async function pump() {
  if (sending) return;
  sending = true;
  while (unsent.length) {
    const message = unsent[0];
    mark(message, "sending");
    try {
      const answer = await request(`/c/${message.id}/messages`, { method: "POST", body: new URLSearchParams({ text: message.text, mode: message.mode, key: message.key }) });
      const html = await answer.text();
      if (answer.ok) accepted(message, html);
      else if (answer.status === 422 || answer.status === 403 || answer.status === 409 || answer.status === 413) refused(message, html);
      else throw new Error(String(answer.status));
    } catch {
      // The same key makes trying again safe; it happens by hand or when the stream is back.
      for (const each of unsent) mark(each, "failed");
      break;
    }
  }
  sending = false;
}

document.addEventListener("submit", (event) => {
  if (event.target.id !== "composer") return;
  event.preventDefault();
  const text = field().value.trim();
  if (!text) return;
  const message = { id: chatID(), text, mode: mode(), key: form().elements.key.value || uuid() };
  message.bubble = show(message);
  form().elements.key.value = uuid();
  field().value = "";
  alarm("");
  save();
  unsent.push(message);
  pump();
});

document.addEventListener("click", (event) => {
  const hit = (selector) => event.target.closest?.(selector);
  const mine = unsent.find((message) => message.bubble === hit(".msg"));
  if (hit("[data-again]")) pump();
  else if (mine && hit("[data-back-to-composer]") && !sending) unsent.splice(unsent.indexOf(mine), 1), mine.bubble.remove(), putBack(mine);
  else if (hit("[data-edit]") && form()) event.preventDefault(), putBack({ text: hit("[data-edit]").dataset.edit });
});

document.addEventListener("keydown", (event) => {
  if (event.target.id !== "composer-text" || composing(event)) return;
  if (event.key === "Enter" && !event.shiftKey && !event.altKey) event.preventDefault(), form().requestSubmit();
  else if (event.key === "Escape") field().blur();
});

document.addEventListener("keydown", (event) => {
  if (event.altKey && !event.ctrlKey && event.code === "KeyN" && form() && !composing(event)) event.preventDefault(), setMode(mode() === "note" ? "reply" : "note"), field().focus(), save();
});

document.addEventListener("input", (event) => {
  if (event.target.id === "composer-text") clearTimeout(saving), (saving = setTimeout(save, 300));
  else if (event.target.name === "mode" && event.target.form === form()) setMode(mode()), save();
});

// leaving keeps what stands in the field and what has not reached the server.
function leaving() {
  save();
  for (const message of unsent) {
    const draft = JSON.parse(sessionStorage.getItem(slot(message.id)) ?? "null")?.text;
    if (draft !== message.text) keep(message.id, [message.text, draft].filter(Boolean).join("\n"), message.mode);
  }
}

document.addEventListener("kefu:leaving", leaving);
document.addEventListener("htmx:beforeSwap", (event) => event.detail.target?.id === "chat" && save());
window.addEventListener("pagehide", leaving);
document.addEventListener("kefu:opened", restore);
document.addEventListener("kefu:online", pump);
restore();
