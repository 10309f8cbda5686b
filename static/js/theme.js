// Dark and light at once; the server remembers it for the next page.
import { request } from "./dom.js";

export function toggleTheme() {
  const root = document.documentElement;
  const dark = (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  root.dataset.theme = dark ? "light" : "dark";
  request("/me", { method: "POST", body: new URLSearchParams({ theme: root.dataset.theme }), redirect: "manual" }).catch(() => {});
}

document.addEventListener("submit", (event) => {
  if (!event.submitter?.hasAttribute("data-theme-toggle")) return;
  event.preventDefault();
  toggleTheme();
});
