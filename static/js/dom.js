// What the other files share: finding, parsing, replacing, asking the server.

export const byId = (id) => document.getElementById(id);
export const body = () => document.body.dataset;
export const fill = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// parse makes elements of an answer of ours without running or fetching anything in it.
export const parse = (html) => new DOMParser().parseFromString(html, "text/html");

// chatID is the chat this tab shows, or "".
export const chatID = () => byId("chat")?.dataset.chat ?? "";

// adopt tells htmx and the rest of the page about elements that came in.
export function adopt(element) {
  window.htmx?.process(element);
  document.dispatchEvent(new CustomEvent("kefu:changed", { detail: element }));
}

// morph changes an element into the new one and keeps focus, hover and what did not change.
export function morph(old, fresh) {
  const focused = document.activeElement?.id;
  window.Idiomorph.morph(old, fresh, { morphStyle: "outerHTML" });
  const now = byId(fresh.id) ?? fresh;
  if (focused && document.activeElement?.id !== focused) byId(focused)?.focus({ preventScroll: true });
  adopt(now);
}

// replaceAll puts every element with an id in the place of the one the page has; others are left out.
export function replaceAll(html) {
  for (const fresh of [...parse(html).body.children]) {
    const old = fresh.id && byId(fresh.id);
    if (old) morph(old, fresh);
  }
}

export function toLogin() {
  const here = location.pathname + location.search;
  location.assign("/login?next=" + encodeURIComponent(here));
}

// request asks the server as htmx would; an ended log-in leads to the log-in page and never returns.
export async function request(url, options = {}) {
  const answer = await fetch(url, { ...options, headers: { "HX-Request": "true", ...options.headers } });
  if (answer.status === 401 || (answer.redirected && new URL(answer.url).pathname === "/login")) {
    document.dispatchEvent(new Event("kefu:leaving"));
    toLogin();
    return new Promise(() => {});
  }
  document.dispatchEvent(new CustomEvent("kefu:answer", { detail: answer }));
  return answer;
}

// calmly makes a function that runs work at most once a second, and once more for what came meanwhile.
export function calmly(work) {
  let timer;
  let stale;
  return function soon() {
    stale = true;
    timer ??= setTimeout(async () => {
      stale = false;
      try {
        await work();
      } catch {
        // The stream reports the lost connection and catches up after it.
      } finally {
        timer = undefined;
        if (stale) soon();
      }
    }, 1000);
  };
}

export function say(sentence) {
  const status = byId("sr-status");
  if (status) status.textContent = sentence;
}

let toasts = 0;

// toast shows a sentence in the corner.
export function toast(sentence) {
  const fresh = byId("tpl-toast").content.firstElementChild.cloneNode(true);
  fresh.id = "toast-local-" + ++toasts;
  fresh.querySelector("p").textContent = sentence;
  byId("toasts").append(fresh);
  adopt(fresh);
}
