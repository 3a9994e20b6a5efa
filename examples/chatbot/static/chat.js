// The chat page: sends messages, shows each answer while it arrives, and stores nothing but an anonymous user id.

const $ = (id) => document.getElementById(id);
const icon = (path) => `<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${path}"/></svg>`;

const OFFLINE = "The chatbot cannot be reached. Is it running?";
const state = { conversation: null, answering: null };

function userId() {
  let id = localStorage.getItem("user_id");
  if (!id) {
    id = `web-${Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    localStorage.setItem("user_id", id);
  }
  return id;
}

// ---- talking with the server

async function call(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error(OFFLINE);
  }
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw Object.assign(new Error(body.error ?? `The server answered ${response.status}.`), { status: response.status, body });
  }
  return response;
}

const ask = (message, signal) =>
  call("/chat/stream", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ message, user_id: userId(), conversation_id: state.conversation ?? undefined }),
    signal,
  });

/** The server-sent events of a response, one by one, as they arrive. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const field = (name) => part.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      yield { name: field("event"), ...JSON.parse(field("data")) };
    }
  }
}

// ---- showing messages

function show(role, text, note = "") {
  const item = document.createElement("li");
  item.className = `message ${role}`;
  const who = Object.assign(document.createElement("span"), { className: "hidden", textContent: role === "user" ? "You:" : "Chatbot:" });
  const body = Object.assign(document.createElement("p"), { className: "text", textContent: text });
  item.append(who, body);
  if (role === "error") item.setAttribute("role", "alert");
  $("messages").append(item);
  $("welcome").hidden = true;
  if (note) annotate(item, note);
  follow(true);
  return item;
}

const annotate = (item, note) => item.append(Object.assign(document.createElement("p"), { className: "note", textContent: note }));

/** Keep the end in sight, unless the reader has scrolled up. */
function follow(always = false) {
  const box = $("scroll");
  if (always || box.scrollHeight - box.scrollTop - box.clientHeight < 120) box.scrollTop = box.scrollHeight;
}

/** Two thumbs under an answer that has an id: whoever serves this app may tell one, and takes ratings then. */
function thumbs(item, answerId) {
  const box = Object.assign(document.createElement("div"), { className: "thumbs" });
  const rate = async (chosen, score) => {
    try {
      await call("/feedback", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ answer_id: answerId, score, user_id: userId() }),
      });
    } catch (error) {
      $("status").textContent = error.message;
      return;
    }
    for (const button of box.children) button.setAttribute("aria-pressed", String(button === chosen));
    $("status").textContent = "Thank you for the rating.";
  };
  for (const [score, label, path] of [
    ["up", "Good answer", "M7 9v8H4V9zm0 0 3-6c1.4 0 2 .9 2 2.2L11.5 8H16l-1.2 9H7"],
    ["down", "Bad answer", "M13 11V3h3v8zm0 0-3 6c-1.4 0-2-.9-2-2.2L8.5 12H4l1.2-9H13"],
  ]) {
    const button = Object.assign(document.createElement("button"), { type: "button", innerHTML: icon(path) });
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-pressed", "false");
    button.onclick = () => rate(button, score);
    box.append(button);
  }
  item.append(box);
  follow();
}

function clear(title = "New conversation") {
  $("messages").replaceChildren();
  $("welcome").hidden = false;
  $("title").textContent = title;
}

// ---- asking

async function send(message) {
  if (state.answering) return;
  const abort = new AbortController();
  state.answering = abort;
  busy(true);
  const isNew = !state.conversation;
  if (isNew) $("title").textContent = message;
  show("user", message);
  const answer = show("assistant", "");
  answer.classList.add("writing");
  const text = answer.querySelector(".text");
  let ended = false;
  try {
    const response = await ask(message, abort.signal);
    const answerId = response.headers.get("X-Answer-Id");
    for await (const event of events(response)) {
      if (event.name === "start") enter(event.conversation_id);
      if (event.name === "delta") {
        text.textContent += event.text;
        follow();
      }
      if (event.name === "error") throw new Error(event.error);
      if (event.name === "done") {
        ended = true;
        if (event.cached) annotate(answer, "from the cache");
        if (answerId) thumbs(answer, answerId);
      }
    }
    if (!ended) throw new Error("The connection broke off in the middle of the answer.");
  } catch (error) {
    if (error.body?.conversation_id) enter(error.body.conversation_id);
    if (abort.signal.aborted) annotate(answer, "stopped");
    else show("error", error.message);
    if (!text.textContent) answer.remove();
  } finally {
    answer.classList.remove("writing");
    state.answering = null;
    busy(false);
    if (isNew) await list();
  }
}

function busy(is) {
  $("send").hidden = is;
  $("stop").hidden = !is;
  $("status").textContent = is ? "The chatbot is writing…" : "";
  if (!is) $("message").focus();
}

// ---- conversations

function enter(id) {
  state.conversation = id;
  history.replaceState(null, "", id ? `#${id}` : location.pathname);
}

async function list() {
  let found = [];
  try {
    const response = await call(`/conversations?user_id=${encodeURIComponent(userId())}`);
    found = (await response.json()).conversations;
  } catch (error) {
    $("status").textContent = error.message;
    return;
  }
  $("none").hidden = found.length > 0;
  $("conversations").replaceChildren(...found.map(entry));
}

function entry({ conversation_id: id, title }) {
  const item = document.createElement("li");
  const current = id === state.conversation;
  item.classList.toggle("current", current);
  const open = Object.assign(document.createElement("button"), { className: "open", type: "button", textContent: title, title });
  if (current) open.setAttribute("aria-current", "true");
  open.onclick = () => read(id);
  const remove = Object.assign(document.createElement("button"), { className: "delete", type: "button", innerHTML: icon("M5 5l10 10M15 5 5 15") });
  remove.setAttribute("aria-label", `Delete “${title}”`);
  remove.onclick = () => forget(id);
  item.append(open, remove);
  return item;
}

async function read(id) {
  state.answering?.abort();
  menu(false);
  try {
    const conversation = await (await call(`/conversations/${id}`)).json();
    clear(conversation.title);
    enter(id);
    for (const message of conversation.messages) {
      show(message.role, message.content, message.interrupted ? "interrupted" : message.cached ? "from the cache" : "");
    }
  } catch (error) {
    clear();
    enter(null);
    if (error.status !== 404) show("error", error.message);
  }
  await list();
}

async function forget(id) {
  try {
    await call(`/conversations/${id}`, { method: "DELETE" });
  } catch (error) {
    if (error.status !== 404) return show("error", error.message);
  }
  if (id === state.conversation) start();
  return list();
}

function start() {
  state.answering?.abort();
  clear();
  enter(null);
  menu(false);
  $("message").focus();
}

// ---- the page

function menu(shown) {
  $("sidebar").classList.toggle("shown", shown);
  $("menu").setAttribute("aria-expanded", String(shown));
}

function grow() {
  const box = $("message");
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

$("form").onsubmit = (event) => {
  event.preventDefault();
  const message = $("message").value.trim();
  if (!message || state.answering) return;
  $("message").value = "";
  grow();
  send(message);
};
$("message").oninput = grow;
$("message").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("form").requestSubmit();
};
$("stop").onclick = () => state.answering?.abort();
$("new").onclick = () => {
  start();
  list();
};
$("menu").onclick = () => menu(!$("sidebar").classList.contains("shown"));
$("suggestions").onclick = (event) => event.target.matches("button") && send(event.target.textContent);

const opened = location.hash.slice(1);
if (opened) await read(opened);
else await list();
