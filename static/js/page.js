// The frame: toasts, popovers, the panel, and what htmx must be told.
import { body, byId, parse, morph, toast, toLogin } from "./dom.js";

const shownFor = 5000;

// watch gives a toast its close button and its end; the pointer or the focus holds it.
function watch(element) {
  element.dataset.watched = "";
  element.querySelector("[data-dismiss]")?.removeAttribute("hidden");
  if (element.getAttribute("role") === "alert") return;
  const later = () => setTimeout(() => (element.matches(":hover, :focus-within") ? later() : element.remove()), shownFor);
  later();
}
new MutationObserver(() => document.querySelectorAll("#toasts .toast:not([data-watched])").forEach(watch)).observe(byId("toasts"), { childList: true, subtree: true });
document.querySelectorAll("#toasts .toast").forEach(watch);

const narrow = () => byId("main").clientWidth < 720;

export function togglePanel(open) {
  const workspace = byId("workspace");
  if (!workspace) return;
  const now = open ?? workspace.dataset.panel !== "open";
  if (now) workspace.dataset.panel = "open";
  else delete workspace.dataset.panel;
  byId(now ? "panel-back" : "panel-btn")?.focus();
}

document.addEventListener("click", (event) => {
  const hit = (selector) => event.target.closest?.(selector);
  if (hit("[data-dismiss]")) hit(".toast").remove();
  else if (hit("[data-panel-toggle]") && !narrow() && !event.ctrlKey && !event.metaKey) event.preventDefault(), togglePanel();
  else if (hit("[data-panel-close]") && !narrow()) event.preventDefault(), togglePanel(false);
});

// view is what a narrow screen shows; it follows the address.
function view() {
  const workspace = byId("workspace");
  if (!workspace) return;
  const [, , chat, part] = location.pathname.split("/");
  workspace.dataset.view = part === "customer" ? "panel" : chat ? "chat" : "list";
  for (const row of document.querySelectorAll("#convo-list .convo")) {
    if (chat && row.closest("li").id === "c-" + chat) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

document.addEventListener("htmx:afterSettle", view);
document.addEventListener("htmx:historyRestore", view);
document.addEventListener("htmx:pushedIntoHistory", view);

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status === 401 || (xhr.responseURL && new URL(xhr.responseURL).pathname === "/login")) {
    event.detail.shouldSwap = false;
    document.dispatchEvent(new Event("kefu:leaving"));
    toLogin();
  }
});

// An answer without a chat in it must not empty the page: show it whole.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target, requestConfig } = event.detail;
  if (target?.id !== "chat" || !event.detail.shouldSwap || parse(xhr.responseText).getElementById("chat")) return;
  event.detail.shouldSwap = false;
  if (requestConfig.verb === "get") location.assign(xhr.responseURL || requestConfig.path);
  else location.reload();
});

document.addEventListener("htmx:sendError", () => toast(body().failed));
document.addEventListener("htmx:responseError", (event) => event.detail.xhr.status !== 401 && toast(body().failed));

// A form that swaps nothing may still answer with parts of the frame; its own message is fetched again.
document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, xhr, successful } = event.detail;
  if (elt.getAttribute("hx-swap") !== "none") return;
  if (elt.id === "presence-form") {
    byId("presence")?.hidePopover();
    const answer = parse(xhr.responseText ?? "");
    for (const id of ["presence-btn", "presence-form"]) {
      const fresh = successful && answer.getElementById(id);
      if (fresh && byId(id)) morph(byId(id), fresh);
    }
  } else if (elt.closest("#timeline")) document.dispatchEvent(new CustomEvent("kefu:thread"));
});
