/* The page of the demo: draws what the server tells, and tells it what was pressed. No framework, nothing to build. */
"use strict";

const $ = (id) => document.getElementById(id);
const phones = {};
const MOST_LINES = 200;
let touring = false, shownPhone = "customer";

/* ---- asking */

async function ask(body) {
  const answer = await fetch("act", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

/* ---- making elements */

function make(tag, attributes, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...inside);
  return element;
}

const TAGS = { bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "code", blockquote: "q" };

/* Text with its marks. A mark may lie inside another one: the outermost is drawn first, its inside again. */
function marked(phone, text, marks, from = 0, to = text.length) {
  const parts = [];
  let at = from;
  const inside = marks.filter((mark) => mark.offset >= from && mark.offset + mark.length <= to)
    .sort((one, other) => one.offset - other.offset || other.length - one.length);
  for (const mark of inside) {
    if (mark.offset < at) continue;
    parts.push(text.slice(at, mark.offset));
    at = mark.offset + mark.length;
    const words = text.slice(mark.offset, at);
    const rest = marks.filter((other) => other !== mark);
    parts.push(one(phone, mark, words, marked(phone, text, rest, mark.offset, at)));
  }
  parts.push(text.slice(at, to));
  return parts;
}

function one(phone, mark, words, inside) {
  if (mark.kind === "url" || mark.kind === "text_link") {
    return make("button", { type: "button", onclick: () => phone.open(mark.url || words) }, ...inside);
  }
  if (mark.kind === "bot_command") {
    return make("button", { type: "button", onclick: () => phone.say(words) }, ...inside);
  }
  if (mark.kind === "spoiler") return make("span", { class: "spoiler" }, ...inside);
  return TAGS[mark.kind] ? make(TAGS[mark.kind], {}, ...inside) : make("span", {}, ...inside);
}

function size(bytes) {
  return bytes > 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} KB`;
}

/* ---- a telephone */

/* Films play while they are seen, unless somebody wants nothing to move. */
const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const playing_ = new IntersectionObserver((seen) => {
  for (const each of seen) {
    if (each.isIntersecting && !still) each.target.play().catch(() => {});
    else each.target.pause();
  }
}, { threshold: 0.6 });

class Phone {
  constructor(who) {
    this.who = who;
    this.messages = new Map();
    this.screen = document.querySelector(`#${who} .screen`);
    this.screen.append($("phone").content.cloneNode(true));
    const find = (name) => this.screen.querySelector(`.${name}`);
    this.chat = find("chat");
    this.toast = find("toast");
    this.sheet = find("sheet");
    this.shelf = find("shelf");
    this.list = find("list");
    this.form = find("write");
    this.menu = find("menu");
    this.commands = find("commands");
    this.chat.setAttribute("aria-label", `The ${who}'s chat with the bot`);
    if (who === "operator") this.chat.dataset.empty = "Sales, questions and alarms come here. /help says what an operator can do.";
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
    this.menu.addEventListener("click", () => this.tap(() => ask({ do: "app", phone: who })));
    this.commands.addEventListener("click", () => this.showList(this.list.hidden));
    this.screen.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (!this.list.hidden) this.commands.focus();
      this.close();
      this.showList(false);
    });
  }

  show(told, shelf) {
    this.messages = new Map(told.messages.map((message) => [message.id, message]));
    this.chat.replaceChildren();
    this.close();
    for (const message of told.messages) this.draw(message);
    this.menu.hidden = !told.menu.app;
    this.menu.textContent = told.menu.label;
    this.list.replaceChildren(...told.menu.commands.map((each) => make("li", {}, make("button",
      { type: "button", onclick: () => { this.showList(false); this.say(each.command); } },
      make("b", {}, each.command), " ", make("span", {}, each.text)))));
    this.shelf.replaceChildren(...shelf.map((each) => make("button",
      { type: "button", title: `${each.hint}: ${each.text}`, "data-name": each.name, onclick: () => this.say(each.text) },
      each.label)));
    this.shelf.hidden = !shelf.length;
    this.down();
  }

  take(message) {
    this.messages.set(message.id, message);
    this.draw(message);
  }

  drop(ids) {
    for (const id of ids) {
      this.messages.delete(id);
      const gone = this.element(id);
      if (gone?.contains(document.activeElement)) this.chat.focus({ preventScroll: true });
      gone?.remove();
    }
  }

  element(id) { return this.chat.querySelector(`[data-id="${id}"]`); }

  draw(message) {
    const atEnd = this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 160;
    const made = this.bubble(message), before = this.element(message.id);
    if (before) this.replace(before, made);
    else {
      const next = [...this.chat.children].find((each) => Number(each.dataset.id) > message.id);
      this.chat.insertBefore(made, next || null);
    }
    if (atEnd) this.down();
  }

  /* Who works with the keyboard stays where they are when a message changes. */
  replace(before, made) {
    const at = [...before.querySelectorAll("button")].indexOf(document.activeElement);
    before.replaceWith(made);
    if (at >= 0) (made.querySelectorAll("button")[at] || this.chat).focus({ preventScroll: true });
  }

  down() { this.chat.scrollTop = this.chat.scrollHeight; }

  bubble(message) {
    const classes = ["msg", message.out ? "out" : "", message.service ? "service" : "", message.album ? "part" : ""];
    const box = make("div", { class: "box" });
    if (message.media) box.append(this.media(message));
    if (message.invoice) {
      box.append(make("div", { class: "file" }, make("i", {}, "⭐"),
        make("div", {}, make("b", {}, message.invoice.title), make("span", {}, message.invoice.description))));
    }
    if (message.text) box.append(make("p", { class: "text" }, ...marked(this, message.text, message.marks)));
    if (!message.service && (message.text || message.invoice)) {
      const time = new Date(message.at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      box.append(make("span", { class: "when" }, message.edited ? `edited ${time}` : time));
    }
    const rows = message.keys.map((row, y) => make("div", { class: "keys" },
      ...row.map((key, x) => make("button", { type: "button", "data-kind": key.kind,
        onclick: (event) => this.press(message.id, y, x, event.currentTarget) }, key.text))));
    return make("div", { "data-id": message.id, class: classes.join(" ").trim() },
      make("div", { class: "in" }, box, ...rows));
  }

  media(message) {
    const held = message.media, url = `media/${this.who}/${message.id}`;
    const settled = () => { if (this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 420) this.down(); };
    if (held.kind === "photo") {
      return make("img", { src: url, alt: message.text || "A picture", width: held.width, height: held.height, onload: settled });
    }
    if (held.kind === "video") {
      const reach = (event) => { event.currentTarget.controls = true; };
      const film = make("video", { src: url, tabindex: "0", loop: true, onpointerenter: reach, onfocus: reach, playsinline: true, preload: "metadata",
        width: held.width || 320, height: held.height || 180, "aria-label": message.text || held.name, onloadedmetadata: settled });
      film.muted = true;
      playing_.observe(film);
      return film;
    }
    const title = held.title ? `${held.by ? `${held.by} – ` : ""}${held.title}` : held.name;
    const about = make("div", { class: "file" }, make("i", { "aria-hidden": "true" }, held.kind === "audio" ? "♪" : "↓"),
      make("div", {}, make("b", {}, title), make("span", {}, size(held.size))));
    if (held.kind !== "audio") return about;
    return make("div", {}, about, make("audio", { src: url, controls: true, preload: "none", "aria-label": title }));
  }

  /* what a person does */

  send() {
    const field = this.form.elements.text, text = field.value;
    if (!text.trim()) return;
    field.value = "";
    this.say(text).then((sent) => { if (!sent) field.value = text; });
  }

  async say(text) {
    this.down();
    return await this.tap(() => ask({ do: "say", phone: this.who, text })) !== null;
  }

  async press(message, row, column, key) {
    key.setAttribute("aria-busy", "true");
    await this.tap(() => ask({ do: "press", phone: this.who, message, row, column }));
    key.removeAttribute("aria-busy");
  }

  open(url) { return this.tap(() => ask({ do: "open", phone: this.who, url })); }

  async tap(asking) {
    try {
      const said = await asking();
      this.react(said);
      return said;
    } catch (error) {
      this.say_(error.message);
      return null;
    }
  }

  react(said) {
    if (said.answer) this.say_(said.answer);
    if (said.copy) { navigator.clipboard?.writeText(said.copy).catch(() => {}); this.say_(`Copied: ${said.copy}`); }
    if (said.fill) { this.form.elements.text.value = said.fill; this.form.elements.text.focus(); }
    if (said.bill) this.bill(said.bill);
    if (said.frame) this.frame(said);
  }

  say_(text) {
    this.toast.textContent = text;
    this.toast.hidden = false;
    clearTimeout(this.fading);
    this.fading = setTimeout(() => { this.toast.hidden = true; }, 2600 + text.length * 40);
  }

  showList(shown) {
    this.list.hidden = !shown;
    if (shown) this.list.querySelector("button")?.focus();
    this.commands.setAttribute("aria-expanded", String(shown));
  }

  /* sheets: Stars, a browser, a Mini App */

  close() {
    const within = this.sheet.contains(document.activeElement);
    this.sheet.hidden = true;
    this.sheet.replaceChildren();
    if (within) (this.from?.isConnected ? this.from : this.chat).focus({ preventScroll: true });
  }

  /* Whoever has opened a sheet goes on in it; the tour takes nobody's focus. */
  opened(first) {
    this.sheet.hidden = false;
    if (touring) return;
    if (!this.sheet.contains(document.activeElement)) this.from = document.activeElement;
    first.focus({ preventScroll: true });
  }

  top(title) {
    return make("div", { class: "top" }, make("span", {}, title),
      make("button", { type: "button", class: "close", onclick: () => this.close() }, "Close"));
  }

  bill(bill) {
    const pay = make("button", { type: "button", class: "pay", onclick: async () => {
      pay.disabled = true;
      const paid = await this.tap(() => ask({ do: "pay", phone: this.who, form: bill.form }));
      this.close();
      if (paid) this.say_(`Paid ⭐ ${bill.amount}`);
    } }, `Confirm and pay ⭐ ${bill.amount}${bill.renews ? " a month" : ""}`);
    this.sheet.className = "sheet";
    this.sheet.setAttribute("aria-label", "Pay in Stars");
    this.sheet.replaceChildren(this.top("Confirm your purchase"), make("div", { class: "bill" },
      make("div", { class: "star", "aria-hidden": "true" }, "⭐"), make("h3", {}, bill.title), make("p", {}, bill.description), pay));
    this.opened(pay);
  }

  frame(opened) {
    this.sheet.className = "sheet whole";
    this.sheet.setAttribute("aria-label", opened.title);
    this.sheet.replaceChildren(this.top(opened.title), make("iframe", { src: opened.frame, title: opened.title }));
    this.opened(this.sheet.querySelector("iframe"));
  }
}

/* ---- what the server tells */

const heard = {
  hello(told) {
    $("customer-who").textContent = `${told.customer.name}, a customer`;
    $("operator-who").textContent = `${told.operator.name}, the operator`;
    phones.customer.show(told.customer, told.shelf);
    phones.operator.show(told.operator, []);
    $("unchecked").hidden = told.checked;
    heard.switches(told);
    playing(told.playing);
    $("away").hidden = true;
    if (!told.toured) ask({ do: "tour", play: true }).catch(() => {});
    if (!$("under").hidden) ask({ do: "watch", on: true });
  },
  message(told) { phones[told.phone].take(told.message); },
  gone(told) { phones[told.phone].drop(told.ids); },
  sheet(told) {
    const phone = phones[told.phone];
    if (told.close) phone.close();
    else phone.react(told);
    show(told.phone);
  },
  tour(told) {
    if (told.ended) {
      playing(false);
      caption(told.failed ? "The tour has stopped" : "Now it is yours",
        told.failed ? told.failed : "Write, press an example, pay, refund as the operator; break something Underneath. Nothing leaves this machine.");
      return;
    }
    playing(true);
    if (told.under === "") show(told.phone);
    caption(`${told.step} of ${told.of}  ${told.title}`, told.under);
  },
  switches(told) {
    for (const name of ["network", "slow", "account"]) $(`switch-${name}`).checked = told.switches[name];
  },
  caption(told) { caption(told.title, told.under); },
  health(told) {
    $("health").replaceChildren(...told.parts.flatMap((part, n) => [n ? " · " : "",
      make("span", { class: part.well ? null : "bad" }, `${part.name} ${part.said}`)]));
  },
  under(told) {
    lines("rows", told.rows.map((row) => [make("b", {}, `${row.table} ${row.id} `), `${row.what === "new" ? "new: " : ""}${row.words}`]));
    lines("calls", told.calls.map((call) => [make("span", { class: "dim" }, `${call.by} → ${call.to} `), make("b", {}, call.call),
      call.times > 1 ? ` ×${call.times}` : ""]));
    lines("log", told.log.map((line) => [make("span", { class: "dim" }, `${line.time} ${line.program} `),
      make("span", { class: line.level === "info" ? null : "bad" }, line.message), ` ${line.fields}`]));
  },
  anew(told) {
    if (told.ready) location.reload();
    else away(told.failed ? `It did not come up: ${told.failed}` : "The shop begins anew…");
  },
};

function lines(id, many) {
  const list = $(id), atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(...many.map((parts) => make("li", {}, ...parts)));
  while (list.children.length > MOST_LINES) list.firstChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function caption(step, measured) {
  $("caption").hidden = false;
  $("step").textContent = step;
  $("measured").textContent = measured || "…";
}

function away(text) {
  $("away").textContent = text;
  $("away").hidden = false;
}

function playing(now) {
  touring = now;
  $("play").textContent = now ? "■ Stop the tour" : "▶ Play the tour";
  document.body.classList.toggle("touring", now);
}

function show(name) {
  shownPhone = name;
  for (const tab of document.querySelectorAll("#tabs button")) tab.setAttribute("aria-pressed", String(tab.dataset.shows === name));
  for (const section of document.querySelectorAll("main > section")) section.classList.toggle("shown", section.id === name);
  if (name === "under") under(true);
  phones[name]?.down();
}

function under(shown) {
  $("under").hidden = !shown;
  $("open-under").setAttribute("aria-expanded", String(shown));
  document.body.classList.toggle("with-under", shown);
  for (const phone of Object.values(phones)) phone.down();
  ask({ do: "watch", on: shown }).catch(() => {});
}

/* ---- the page's own buttons */

phones.customer = new Phone("customer");
phones.operator = new Phone("operator");

$("play").addEventListener("click", () => ask({ do: "tour", play: !touring }));
$("open-under").addEventListener("click", () => under($("under").hidden));
$("anew").addEventListener("click", () => ask({ do: "anew" }));
$("switch-daemon").addEventListener("click", () => ask({ do: "switch", name: "daemon", on: false }));
for (const name of ["network", "slow", "account"]) {
  $(`switch-${name}`).addEventListener("change", (event) => ask({ do: "switch", name, on: event.target.checked }));
}
for (const tab of document.querySelectorAll("#tabs button")) tab.addEventListener("click", () => show(tab.dataset.shows));

/* The tour ends when somebody takes over. */
for (const kind of ["pointerdown", "keydown"]) {
  document.querySelector("main").addEventListener(kind, () => {
    if (touring) { playing(false); ask({ do: "tour", play: false }); }
  }, true);
}

/* What a page inside a telephone tells the application: https://core.telegram.org/api/web-events */
window.addEventListener("message", (event) => {
  for (const phone of Object.values(phones)) {
    const frame = phone.sheet.querySelector("iframe");
    if (frame && event.source === frame.contentWindow && event.data?.telegram === "web_app_close") phone.close();
  }
});

function listen() {
  const events = new EventSource("events");
  events.onmessage = (event) => { const told = JSON.parse(event.data); heard[told.type](told); };
  events.onerror = () => {
    away("The demo is away. Start it again with: make demo");
    if (events.readyState === EventSource.CLOSED) setTimeout(listenAgain, 2000);
  };
}

/* A demo that was started again knows none of those who had the page open: they begin anew. */
async function listenAgain() {
  const known = await fetch("icon.svg").then((answer) => answer.ok && answer.headers.get("Content-Type").includes("svg"), () => true);
  if (known) listen();
  else location.reload();
}

show("customer");
listen();
