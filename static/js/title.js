// The tab says how many customers wait for an answer: "(5) 会话 · Kefu".
import { byId } from "./dom.js";

function count() {
  const waiting = Number(byId("badge-chats")?.dataset.count ?? 0);
  const plain = document.title.replace(/^\(\d+\) /, "");
  const wanted = waiting ? `(${waiting}) ${plain}` : plain;
  if (document.title !== wanted) document.title = wanted;
}

document.addEventListener("kefu:changed", count);
document.addEventListener("htmx:afterSettle", count);
count();
