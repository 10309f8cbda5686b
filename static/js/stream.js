// The tab's side of the stream: takes events, shows whether the connection stands.
import { adopt, body, byId, chatID, parse, replaceAll, toLogin } from "./dom.js";
import { applyRow, refetchList, refreshBoard } from "./list.js";
import { refreshClaim, refreshThread } from "./thread.js";

const name = "kefu-" + body().login;
let send = () => {};

function catchUp() {
  refetchList().catch(() => {});
  refreshThread();
  refreshBoard();
}

const take = {
  row: (data) => (applyRow(data), refreshClaim(), refreshBoard()),
  badges: (data) => (replaceAll(data), refreshBoard()),
  presence: (data) => (replaceAll(data), refreshBoard()),
  toast(data) {
    for (const fresh of [...parse(data).body.children]) if (!byId(fresh.id)) byId("toasts").append(fresh), adopt(fresh);
  },
  chat(data) {
    const { id, message } = JSON.parse(data);
    if (String(id) === chatID()) refreshThread(message);
  },
  reset: catchUp,
  bye() {
    document.dispatchEvent(new Event("kefu:leaving"));
    toLogin();
  },
};

// ── The banner: nothing for 3 s, then lost, after 60 s late, on return 3 s of good news ──
let timers = [];

function banner(which) {
  const bar = byId("net-banner");
  bar.hidden = !which;
  bar.classList.toggle("banner--late", which === "late");
  bar.classList.toggle("banner--ok", which === "back");
  for (const line of bar.querySelectorAll("[data-when]")) line.hidden = line.dataset.when !== which;
  bar.querySelector("[data-reconnect]").hidden = which === "back";
}

function connection({ down, was }) {
  timers.forEach(clearTimeout);
  timers = [];
  const shown = !byId("net-banner").hidden;
  if (down) {
    const gone = Date.now() - down;
    timers = [setTimeout(banner, Math.max(0, 3000 - gone), "lost"), setTimeout(banner, Math.max(0, 60000 - gone), "late")];
    return;
  }
  if (shown) banner("back"), timers.push(setTimeout(banner, 3000, ""));
  if (was !== undefined) catchUp(), document.dispatchEvent(new Event("kefu:online"));
}

function receive(message) {
  if (message.type === "state") connection(message);
  else if (message.type === "event") take[message.name]?.(message.data);
}

// ── Where the connection lives: a SharedWorker, else the tab that holds the lock, else every tab for itself ──
function worker() {
  const shared = new SharedWorker(body().worker, { name });
  send = (message) => shared.port.postMessage(message);
  shared.port.onmessage = ({ data }) => receive(data);
  window.addEventListener("pagehide", () => send({ type: "leave" }));
  window.addEventListener("pageshow", (event) => event.persisted && (send(hello), catchUp()));
  send(hello);
}

async function led() {
  await import(body().worker);
  if (!navigator.locks || !window.BroadcastChannel) {
    const stream = globalThis.kefuStream(receive);
    send = (message) => message.type === "retry" && stream.retry();
    return stream.greet(hello.cursor, receive);
  }
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => data.to === undefined || data.to === me ? receive(data) : undefined;
  send = (message) => channel.postMessage({ ...message, from: me });
  send(hello);
  navigator.locks.request(name, () => {
    const stream = globalThis.kefuStream((message) => (channel.postMessage(message), receive(message)));
    channel.onmessage = ({ data }) => {
      if (data.type === "hello") stream.greet(data.cursor, (message) => channel.postMessage({ ...message, to: data.from }));
      else if (data.type === "retry") stream.retry();
    };
    send = (message) => message.type === "retry" && stream.retry();
    stream.greet(hello.cursor, receive);
    return new Promise(() => {});
  });
}

const hello = { type: "hello", cursor: body().cursor };
const me = String(Math.random());
if (window.SharedWorker) worker();
else led();

window.addEventListener("online", () => send({ type: "retry" }));
document.addEventListener("click", (event) => event.target.closest?.("[data-reconnect]") && send({ type: "retry" }));
