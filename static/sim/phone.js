// The simulator's phone page: asks /_sim/phone what is new and draws it; every button is a call of the control API.
// All that comes from a server or a customer is set as text, never as HTML.

const byId = (id) => document.getElementById(id);
const root = byId("simulator");
const pad = (n, width = 2) => String(n).padStart(width, "0");

const view = { appid: "", openid: "", v: -1, since: 0, calls: [], filter: "all", paused: false, data: null, ahead: 0, drawn: "" };

// ── small builders ───────────────────────────────────────────────────────────────────────────────────────────────────
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null && child !== ""));
  return node;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${root.dataset.icons}#i-${name}`);
  svg.append(use);
  return svg;
}

const say = (sentence) => { byId("sim-status").textContent = sentence; };

// ── talking to the simulator ─────────────────────────────────────────────────────────────────────────────────────────
async function control(method, path, body) {
  const answer = await fetch(`/_sim/${path}`, { method, body: body && JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const data = await answer.json();
  if (!answer.ok) {
    say(data.error);
    note(data.error);
    throw new Error(data.error);
  }
  return data;
}

// act does not wait for the callback's three attempts: the page shows what comes of it.
async function act(what) {
  if (!view.openid) await newCustomer("");
  await control("POST", "wechat/act", { appid: view.appid, openid: view.openid, async: true, ...what });
  poll();
}

async function newCustomer(name) {
  const user = await control("POST", "wechat/users", { appid: view.appid, name });
  view.openid = user.openid;
  view.v = -1;
}

// note shows a refusal of the simulator as a grey line on the phone.
function note(sentence) {
  byId("sim-phone").append(el("p", { class: "phone__time", role: "alert" }, sentence));
  byId("sim-phone").scrollTop = 1e9;
}

let polling = false;
let again = false;
async function poll() {
  if (polling) {
    again = true;
    return;
  }
  polling = true;
  try {
    do {
      again = false;
      const asked = { appid: view.appid, openid: view.openid, v: view.v, since: view.since };
      const answer = await fetch(`/_sim/phone?${new URLSearchParams(asked)}`);
      const data = answer.ok && (await answer.json());
      if (asked.v !== view.v || asked.openid !== view.openid) again = true; // another customer was picked meanwhile
      else if (data) take(data);
    } while (again);
  } catch {
    // the simulator is away; the next round asks again
  }
  polling = false;
}

function take(data) {
  view.ahead = new Date(data.clock) - Date.now();
  if (data.unchanged) return;
  view.v = data.v;
  view.data = data;
  view.appid = data.appid;
  view.openid = data.user?.openid ?? "";
  if (data.last < view.since) view.calls = [];
  view.since = data.last;
  if (data.first > (view.calls[0]?.seq ?? 0)) view.calls = view.calls.filter((call) => call.seq >= data.first);
  view.calls = view.calls.concat(data.calls).slice(-500);
  drawControls(data);
  drawPhone(data);
  if (!view.paused) drawCalls();
}

// ── controls ─────────────────────────────────────────────────────────────────────────────────────────────────────────
const relations = { new: "新访客", following: "已关注", left: "已取消关注" };

function options(select, list, chosen) {
  const key = JSON.stringify([list, chosen]);
  if (select.dataset.key === key) return;
  select.dataset.key = key;
  select.replaceChildren(...list.map(([value, label]) => el("option", { value, selected: value === chosen }, label)));
}

function drawControls(data) {
  byId("sim-app-field").hidden = data.apps.length < 2;
  options(byId("sim-app"), data.apps.map((app) => [app.appid, app.name]), data.appid);
  options(byId("sim-user"), data.users.map((user) => [user.openid, `${user.name}（${relations[user.relation]}）`]), view.openid);
  byId("sim-title").textContent = data.apps.find((app) => app.appid === data.appid)?.name ?? "服务号";
  for (const box of document.querySelectorAll("[data-fault]")) box.checked = data.faults.includes(box.dataset.fault);
}

const scenes = { message: "客户消息", menu: "点菜单", follow: "关注", scan: "扫码", pay: "支付", complaint: "维权" };

function span(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  return s >= 3600 ? `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}` : `${Math.floor(s / 60)} 分 ${pad(s % 60)} 秒`;
}

// tick shows what moves with time alone: clock, allowance, typing.
function tick() {
  const now = new Date(Date.now() + view.ahead);
  byId("sim-phone-clock").textContent = `${pad(now.getHours())}:${pad(now.getMinutes())}`;
  const user = view.data?.user;
  const live = (user?.grants ?? []).filter((grant) => new Date(grant.expires) > now);
  const window = Math.max(0, ...live.map((grant) => new Date(grant.expires) - now));
  byId("sim-clock").textContent = `现在：${pad(now.getMonth() + 1)}-${pad(now.getDate())} ${pad(now.getHours())}:${pad(now.getMinutes())}` +
    (user ? (window ? `，窗口剩 ${span(window)}` : "，没有回复窗口") : "");
  byId("sim-grants").replaceChildren(...(live.length ? live.map((grant) => el("li", {},
    el("span", {}, scenes[grant.scene] ?? grant.scene),
    el("span", { class: grant.left === 0 ? "t-late" : "" }, grant.left < 0 ? "不限条数" : `剩 ${grant.left} 条`, ` · ${span(new Date(grant.expires) - now)}`),
  )) : [el("li", { class: "t-3" }, "没有可用额度（发送会得到 45015）")]));
  const typing = user && new Date(user.typing_until) > now;
  const app = view.data?.apps.find((one) => one.appid === view.appid);
  byId("sim-title").textContent = typing ? "对方正在输入…" : app?.name ?? "服务号";
}

// ── phone ────────────────────────────────────────────────────────────────────────────────────────────────────────────
const states = { failed: "服务器没有应答", invalid: "服务器的应答无效", paused: "推送暂停中，服务器收不到", held: "乱序：等下一条之后再推送", nowhere: "没有回调地址" };

function avatar(text, hue, picture) {
  return el("span", { class: "avatar", "data-hue": picture ? undefined : hue, "aria-hidden": "true" }, picture ? el("img", { src: picture, alt: "" }) : [...text][0] ?? "");
}

// words draws a text with its links; nothing of it is ever read as HTML.
function words(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(/<a\s[^>]*?href=["']([^"']*)["'][^>]*>([^<]*)<\/a>/gi)) {
    parts.push(text.slice(at, match.index));
    at = match.index + match[0].length;
    const [, href, label] = match;
    if (/^weixin:\/\/bizmsgmenu/i.test(href) && view.data.inline_menu) {
      const id = new URLSearchParams(href.split("?")[1]).get("msgmenuid") ?? "";
      parts.push(el("button", { type: "button", class: "pm__inline", onclick: () => act({ do: "msgmenu", id }) }, label));
    } else if (/^https?:/i.test(href)) {
      parts.push(el("a", { href, target: "_blank", rel: "noreferrer noopener" }, label));
    } else parts.push(label);
  }
  parts.push(text.slice(at));
  return parts;
}

const card = (...children) => el("div", { class: "pm__b pm__card" }, ...children);
const foot = (name, label) => el("p", { class: "phone__sub" }, icon(name), label);
const media = (id) => `/_sim/media/${encodeURIComponent(id ?? "")}`;
const picture = (src) => el("p", { class: "pm__b pm__b--bare" }, el("img", { src, alt: "图片" }));
const voice = () => el("p", { class: "pm__b pm__voice" }, "语音 ", icon("radio"));

const incoming = {
  text: (b) => el("p", { class: "pm__b" }, ...words(String(b.text?.content ?? ""))),
  image: (b) => picture(media(b.image?.media_id)),
  voice,
  video: (b) => card(el("p", {}, b.video?.title || "视频"), foot("video", "视频")),
  music: (b) => card(el("p", {}, b.music?.title || "音乐", b.music?.description ? ` · ${b.music.description}` : ""), foot("music", "音乐")),
  news: (b) => card(...(b.news?.articles ?? []).map((a) => el("p", {}, el("b", {}, a.title ?? ""), a.description ?? "")), foot("newspaper", "图文")),
  mpnews: (b) => card(el("p", {}, b.mpnews?.media_id ?? ""), foot("newspaper", "图文素材")),
  mpnewsarticle: (b) => card(el("p", {}, b.mpnewsarticle?.article_id ?? ""), foot("newspaper", "已发布图文")),
  wxcard: (b) => card(el("p", {}, b.wxcard?.card_id ?? ""), foot("ticket", "卡券")),
  miniprogrampage: (b) => card(el("p", {}, b.miniprogrampage?.title ?? ""), foot("miniprogram", "小程序")),
  msgmenu: (b) => card(el("div", { class: "pm__menu" }, b.msgmenu?.head_content ?? "",
    ...(b.msgmenu?.list ?? []).map((item) => el("button", { type: "button", onclick: () => act({ do: "msgmenu", id: item.id }) }, item.content)),
    b.msgmenu?.tail_content ?? "")),
};

const outgoing = {
  image: (e) => picture(e.media),
  voice,
  video: () => card(el("p", {}, "视频"), foot("video", "视频")),
  shortvideo: () => card(el("p", {}, "小视频"), foot("video", "小视频")),
  location: (e) => card(el("p", {}, e.text || "位置"), foot("map-pin", "位置")),
  link: (e) => card(el("p", {}, e.text || e.body?.url), foot("link", "链接")),
};

function line(e, data) {
  if (e.note) return el("p", { class: "phone__time" }, e.text);
  if (e.me) {
    const bubble = outgoing[e.msgtype]?.(e) ?? el("p", { class: "pm__b" }, e.text ?? "");
    return el("div", { class: "pm", "data-me": true }, avatar(data.user.name, 4), bubble, states[e.state] && el("small", { class: "pm__state" }, states[e.state]));
  }
  const app = data.apps.find((one) => one.appid === data.appid);
  const bubble = incoming[e.msgtype]?.(e.body ?? {}) ?? card(el("p", {}, e.msgtype));
  if (e.passive) bubble.title = "回调的应答（被动回复）";
  return el("div", { class: "pm" }, avatar(e.nick || app?.name || "服", e.nick ? 2 : 1, e.face),
    e.nick && el("small", {}, e.nick), bubble, e.ai && el("small", {}, "内容由第三方 AI 生成"));
}

function drawPhone(data) {
  const log = byId("sim-phone");
  const drawn = JSON.stringify([data.user?.openid, data.user?.name, data.entries, data.inline_menu]);
  if (drawn === view.drawn) return;
  const stay = log.scrollHeight - log.scrollTop - log.clientHeight > 80 && view.drawn !== "";
  const place = log.scrollTop;
  view.drawn = drawn;
  if (!data.apps.length) {
    log.replaceChildren(byId("sim-nothing").content.cloneNode(true));
    return;
  }
  let last = 0;
  const lines = [];
  for (const e of data.entries) {
    const at = new Date(e.at);
    if (at - last > 300000) {
      const day = last && new Date(last).toDateString() === at.toDateString() ? "" : `${at.getMonth() + 1}月${at.getDate()}日 `;
      lines.push(el("p", { class: "phone__time" }, `${day}${pad(at.getHours())}:${pad(at.getMinutes())}`));
    }
    last = at;
    lines.push(line(e, data));
  }
  if (!lines.length) lines.push(el("p", { class: "phone__time" }, "还没有消息。在下面输入，或从左侧触发事件。"));
  log.replaceChildren(...lines);
  log.scrollTop = stay ? place : log.scrollHeight;
  for (const img of log.querySelectorAll("img")) img.addEventListener("load", () => { if (!stay) log.scrollTop = log.scrollHeight; });
}

// ── console ──────────────────────────────────────────────────────────────────────────────────────────────────────────
const mask = (text) => text
  .replace(/((?:access_token|secret|appsecret|signature|msg_signature)=)[^&\s]+/g, "$1•••")
  .replace(/("(?:access_token|secret|appsecret)"\s*:\s*")[^"]+/g, "$1•••");

function pretty(text) {
  const body = text.trim();
  if (body.startsWith("{")) {
    // numbers beyond 2^53 must keep their digits, so the text is indented, not parsed and printed
    let depth = 0;
    let out = "";
    for (const part of body.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^"{}[\],:\s]+/g) ?? []) {
      if (part === "}" || part === "]") out = out.replace(/\s+$/, "") + "\n" + "  ".repeat(--depth < 0 ? (depth = 0) : depth);
      out += part === ":" ? ": " : part;
      if (part === "{" || part === "[") out += "\n" + "  ".repeat(++depth);
      if (part === ",") out += "\n" + "  ".repeat(depth);
    }
    return out.replace(/([{[])\s+([}\]])/g, "$1$2");
  }
  if (body.startsWith("<xml>")) {
    return body.replace(/^<xml>/, "<xml>\n").replace(/(<\/\w+>)(?=<)/g, "$1\n").replace(/^(?!<\/?xml>)/gm, "  ").trimEnd().replace(/\s*<\/xml>$/, "\n</xml>");
  }
  return body;
}

function coloured(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(/<!\[CDATA\[[\s\S]*?\]\]>|<\/?\w+>|"(?:[^"\\]|\\.)*"(\s*:)?|\b-?\d+(?:\.\d+)?\b/g)) {
    parts.push(text.slice(at, match.index));
    at = match.index + match[0].length;
    const [token, key] = match;
    let kind = "n";
    if (token.startsWith("<![")) kind = "s";
    else if (token.startsWith("<") || key) kind = "k";
    else if (token.startsWith('"')) kind = "s";
    parts.push(el("span", { class: kind }, token));
  }
  parts.push(text.slice(at));
  return parts;
}

function detail(call) {
  const pre = el("pre", { class: "code", tabindex: "0" });
  const block = (title, text) => {
    if (pre.childNodes.length) pre.append("\n");
    pre.append(el("span", { class: "c" }, `// ${title}`), "\n", ...coloured(pretty(mask(text)) || "（空）"));
  };
  block("地址", `${call.method} ${call.path}${call.query ? `?${call.query}` : ""}`);
  if (call.note) block("说明", call.note);
  if (call.plain) block("推送明文", call.plain);
  if (call.method !== "GET" || call.request) block("请求", call.request);
  block("应答", call.response);
  if (call.answer) block("应答明文", call.answer);
  return pre;
}

const shows = {
  all: () => true,
  callback: (call) => call.kind === "callback",
  api: (call) => call.kind === "api",
  failed: (call) => call.failed,
};

function row(call) {
  const at = new Date(call.at);
  const inward = call.kind === "callback";
  const code = inward || call.errcode === undefined ? call.status || "断开" : call.errcode;
  const about = [call.about, call.attempt > 1 ? `第 ${call.attempt} 次` : ""].filter(Boolean).join(" · ");
  const item = el("details", { "data-dir": inward ? "in" : "out", "data-seq": call.seq },
    el("summary", {},
      el("time", {}, `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`),
      el("span", { class: "dir" }, icon(inward ? "arrow-down" : "arrow-up")),
      el("span", { class: "truncate", title: call.path }, `${call.method} ${call.path} ${about}`),
      el("span", { class: "t-3 ms" }, `${call.ms < 10 ? call.ms.toFixed(1) : Math.round(call.ms)} ms`),
      el("span", { class: `tag ${call.failed ? "tag--late" : "tag--ok"}` }, String(code))));
  item.addEventListener("toggle", () => {
    if (item.open && item.childElementCount === 1) item.append(detail(call));
  });
  return item;
}

// drawCalls adds new rows at the end and keeps the open ones.
function drawCalls() {
  const log = byId("sim-log");
  const wanted = view.calls.filter(shows[view.filter]).slice(-300);
  const known = new Map([...log.children].map((item) => [Number(item.dataset.seq), item]));
  const keep = new Set(wanted.map((call) => call.seq));
  const stick = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  for (const [seq, item] of known) if (!keep.has(seq)) item.remove();
  for (const call of wanted) if (!known.has(call.seq)) log.append(row(call));
  if (stick) log.scrollTop = log.scrollHeight;
  byId("sim-log-empty").hidden = wanted.length > 0;
}

// ── what the buttons do ──────────────────────────────────────────────────────────────────────────────────────────────
const acts = {
  scan: () => ({ do: "scan", scene: byId("sim-scene").value.trim() || "store_01" }),
  location: () => ({ do: "location", lat: 39.915119, lng: 116.403963, label: "北京市东城区东长安街" }),
  link: () => ({ do: "link", title: "订单 #20261120 物流详情", description: "预计明天送达", url: "https://shop.example/orders/20261120" }),
  voice: () => ({ do: "voice", text: "你好，我想问一下发货时间" }),
};

const faults = {
  busy: { match: "/cgi-bin/message/*", errcode: -1 },
  window: { match: "/cgi-bin/message/custom/send", errcode: 45015 },
  used: { match: "/cgi-bin/message/custom/send", errcode: 45047 },
  late: { match: "callback", delay: "6s" },
  token: { match: "/cgi-bin/message/*", errcode: 40001 },
  cut: { match: "/cgi-bin/message/custom/send", drop: "after" },
  double: { match: "callback", duplicate: 1 },
};

function sendPicture(file) {
  const reader = new FileReader();
  reader.addEventListener("load", () => act({ do: "image", file: reader.result }));
  reader.readAsDataURL(file);
}

async function crowd(button) {
  button.disabled = true;
  try {
    for (let n = 0; n < 50; n++) {
      const user = await control("POST", "wechat/users", { appid: view.appid });
      await control("POST", "wechat/act", { appid: view.appid, openid: user.openid, do: "text", text: "你好，我想咨询一下订单", async: true });
    }
  } finally {
    button.disabled = false;
    poll();
  }
}

async function advance(button) {
  for (const one of document.querySelectorAll("[data-advance]")) one.disabled = true;
  try {
    await control("POST", "clock", { advance: button.dataset.advance });
    say("时间已快进");
  } finally {
    for (const one of document.querySelectorAll("[data-advance]")) one.disabled = false;
    view.v = -1;
    poll();
  }
}

document.addEventListener("click", (event) => {
  const hit = (selector) => event.target.closest(selector);
  let button;
  if ((button = hit("[data-act]"))) {
    if (button.dataset.act === "image") byId("sim-file").click();
    else act(acts[button.dataset.act]?.() ?? { do: button.dataset.act }).catch(() => {});
  } else if ((button = hit("[data-menu]"))) {
    act({ do: "menu", type: button.dataset.menu, key: button.dataset.key }).catch(() => {});
  } else if ((button = hit("[data-advance]"))) advance(button).catch(() => {});
  else if ((button = hit("[data-filter]"))) filter(button);
  else if ((button = hit("#sim-crowd"))) crowd(button).catch(() => {});
  else if (hit("#sim-reset")) {
    control("POST", "reset", {}).then(() => {
      view.openid = "";
      view.calls = [];
      view.v = -1;
      poll();
    }).catch(() => {});
  } else if ((button = hit("#sim-pause"))) {
    view.paused = !view.paused;
    button.setAttribute("aria-pressed", String(view.paused));
    if (!view.paused) drawCalls();
  } else if (hit("#sim-theme")) {
    const html = document.documentElement;
    const dark = (html.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    html.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("sim-theme", html.dataset.theme);
  }
});

function filter(button) {
  view.filter = button.dataset.filter;
  for (const one of document.querySelectorAll("[data-filter]")) {
    one.setAttribute("aria-checked", String(one === button));
    one.tabIndex = one === button ? 0 : -1;
  }
  drawCalls();
}

byId("sim-filter").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = [...document.querySelectorAll("[data-filter]")];
  const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
  next.focus();
  filter(next);
});

document.addEventListener("change", (event) => {
  const target = event.target;
  if (target.id === "sim-file" && target.files.length) {
    sendPicture(target.files[0]);
    target.value = "";
  } else if (target.id === "sim-user" || target.id === "sim-app") {
    if (target.id === "sim-app") view.openid = "";
    view[target.id === "sim-user" ? "openid" : "appid"] = target.value;
    view.v = -1;
    poll();
  } else if (target.dataset.fault) {
    const name = target.dataset.fault;
    const change = target.checked ? control("POST", "faults", { name, times: -1, ...faults[name] }) : control("DELETE", `faults?name=${name}`);
    change.then(poll, poll);
  }
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.id === "sim-say") {
    const input = byId("sim-text");
    if (!input.value.trim()) return;
    act({ do: "text", text: input.value }).then(() => { input.value = ""; }, () => {});
  } else if (event.target.id === "sim-new") {
    const input = byId("sim-new-name");
    newCustomer(input.value.trim()).then(() => {
      input.value = "";
      poll();
    }, () => {});
  }
});

const theme = new URLSearchParams(location.search).get("theme") ?? localStorage.getItem("sim-theme");
if (theme) document.documentElement.dataset.theme = theme;
setInterval(() => { if (!document.hidden) poll(); }, 800);
setInterval(tick, 500);
poll().then(tick);
