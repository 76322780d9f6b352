/**
 * Logging in, where the service asks for keys. The key is typed once; a cookie that no script can read stands for it,
 * and goes along with everything, EventSource and audio included.
 */

import { session } from "./api.js";
import { announce, button, byId, h } from "./dom.js";

const SESSION = "/v1/session";

/** See that there is a session, or ask for a key until there is one. Without keys nothing is shown. */
export async function requireSession() {
  const { required, key } = await read();
  if (!required) return;
  if (key) offerLogOut();
  else await ask();
}

/**
 * When the session ends in the middle, because its key was revoked or its time is over, ask again, over whatever is
 * open: it stays as it is.
 *
 * @param {() => void} again reads the list anew
 */
export function watchSession(again) {
  session.addEventListener("ended", async () => {
    if (document.getElementById("login")) return;
    await ask();
    again();
  });
}

/** Done when a key was accepted. There is nothing else to do on the page until then, so Escape does not close it. */
function ask() {
  const field = h("input", {
    id: "key", type: "password", required: true, autocomplete: "current-password", spellcheck: false,
    "aria-describedby": "key-note key-problem",
  });
  const problem = h("p", { id: "key-problem", class: "hint-text bad", role: "alert" });
  const send = h("button", { type: "submit", class: "primary" }, "Log in");
  const form = h("form", {},
    h("h2", { id: "login-title" }, "Log in"),
    h("p", { id: "key-note", class: "hint-text" }, "This service asks for an API key. Whoever runs it can make you one."),
    h("p", {}, h("label", { for: "key" }, "API key")),
    field, problem,
    h("div", { class: "row" }, send),
  );
  const dialog = h("dialog", { id: "login", class: "dialog", "aria-labelledby": "login-title", on: { cancel: (event) => event.preventDefault() } }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      send.disabled = true;
      const refusal = await logIn(field.value);
      send.disabled = false;
      if (refusal) {
        problem.textContent = refusal;
        field.setAttribute("aria-invalid", "true");
        field.select();
        return;
      }
      dialog.close();
      dialog.remove();
      announce("Logged in");
      offerLogOut();
      resolve();
    });
  });
}

/** @returns {Promise<string>} why not; empty if the key is good */
async function logIn(key) {
  try {
    const body = JSON.stringify({ key });
    const answer = await fetch(SESSION, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    return answer.ok ? "" : (await answer.json()).detail;
  } catch {
    return "The service does not answer. Try again.";
  }
}

function offerLogOut() {
  if (!byId("log-out")) document.querySelector("header nav").append(button("Log out", logOut, { id: "log-out", class: "quiet" }));
}

/** Nothing of what was shown may stay, in memory or on the screen. */
async function logOut() {
  try {
    await fetch(SESSION, { method: "DELETE" });
  } finally {
    location.replace("/");
  }
}

async function read() {
  try {
    const answer = await fetch(SESSION);
    if (answer.ok) return answer.json();
  } catch {
    // Nobody answers; the list says so itself, and goes on trying.
  }
  return { required: false, key: null };
}
