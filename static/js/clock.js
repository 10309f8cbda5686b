// Waits and windows run on between two answers of the server (design §5.4): one loop, one second, by the server's clock.
import { body, byId, fill, say } from "./dom.js";

let offset = Number(body().now) - Date.now();
const two = (n) => String(n).padStart(2, "0");

// setNow corrects the clock by X-Now, the time the server goes by, which a demonstration may move; Date is real time and only a fallback.
// Less than two seconds may be the way here.
function setNow(headers) {
  const measured = (Number(headers.get("X-Now")) || Date.parse(headers.get("Date"))) - Date.now();
  if (Math.abs(measured - offset) > 2000) offset = measured;
}

function waited(seconds) {
  if (seconds < 3600) return two(Math.floor(seconds / 60)) + ":" + two(seconds % 60);
  return fill(body().waitLong, { h: Math.floor(seconds / 3600), m: Math.floor((seconds % 3600) / 60) });
}

function left(seconds) {
  if (seconds >= 3600) return fill(body().leftHours, { n: Math.floor(seconds / 3600) });
  if (seconds >= 60) return fill(body().leftMinutes, { n: Math.floor(seconds / 60) });
  return fill(body().leftSeconds, { n: seconds });
}

const set = (element, name, value) => {
  if (!value) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
};

const write = (element, sentence) => element && element.textContent !== sentence && (element.textContent = sentence);

// announce speaks each mark of the open chat once.
function announce(bar, mark) {
  const name = byId("chat")?.dataset.title;
  if (!mark || bar.dataset.said === mark) return;
  bar.dataset.said = mark;
  say(fill(mark === "late" ? body().past : body().nearly, { name }));
}

export function tick() {
  const now = Date.now() + offset;
  for (const element of document.querySelectorAll(".wait[data-since]")) {
    const seconds = Math.max(0, Math.floor((now - element.dataset.since) / 1000));
    const used = element.dataset.target > 0 ? seconds / element.dataset.target : 0;
    const mark = used >= 1 ? "late" : used >= 0.8 ? "warn" : "";
    const before = element.dataset.sla ?? "";
    set(element, "data-sla", mark);
    element.querySelector(".ticks")?.setAttribute("data-n", used >= 1 ? 5 : Math.min(4, Math.round(5 * used)));
    write(element.lastElementChild, waited(seconds));
    const row = element.closest(".convo, .waitbar, tr, .kpi");
    if (row && before !== mark) set(row, "data-sla", mark);
    if (row?.id === "waitbar" && before !== mark) announce(row, mark);
  }
  for (const element of document.querySelectorAll("[data-until]")) {
    const seconds = Math.max(0, Math.floor((element.dataset.until - now) / 1000));
    write(element, left(seconds));
    if (seconds === 0 && !element.dataset.over) (element.dataset.over = "1"), document.dispatchEvent(new Event("kefu:thread"));
  }
}

let loop;
function run() {
  clearInterval(loop);
  if (document.hidden) return;
  tick();
  loop = setInterval(tick, 1000);
}
document.addEventListener("visibilitychange", run);
document.addEventListener("kefu:changed", tick);
document.addEventListener("kefu:answer", (event) => setNow(event.detail.headers));
run();
