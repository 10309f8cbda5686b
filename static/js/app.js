// Entry of every page behind the log-in. Pages work without it; it saves reloads and keeps what is open up to date.
import "./page.js";
import "./clock.js";
import "./title.js";
import "./theme.js";
import "./list.js";
import "./thread.js";
import "./composer.js";
import "./keys.js";
import "./stream.js";
