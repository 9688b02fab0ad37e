/* The review of a test: one frame, figure or product at a time, decided by keys or buttons, gathered as lines of certification.csv.
   What was decided is kept by this browser until it is taken back. Without this script the page is a list of everything. */
(function () {
  "use strict";
  const root = document.querySelector(".review"), tools = window.calbookCertify;
  if (!root || !tools) return;
  const { make, select, button, field } = tools;
  const items = [...root.querySelectorAll(".review-item")], list = root.querySelector(".review-items");
  if (!items.length) return;
  const KEY = "calbook-review:" + document.body.dataset.page, SHORT = { accepted: "a", reviewed: "v", rejected: "r", "valid outlier": "o" };
  let at = 0, zoom = 1, said = {};
  try { said = JSON.parse(tools.remembered(KEY)) || {}; } catch (e) { said = {}; }
  for (const [address, d] of Object.entries(said)) if (!items.some((n) => n.dataset.subject === address && n.dataset.result === d.result)) delete said[address]; /* it has changed since */

  const position = make("span", { class: "muted" }), announced = make("p", { class: "review-said", role: "status", "aria-live": "polite" });
  const reason = select([["", "none"], ...tools.reasons(root)]), text = make("input", { type: "text", autocomplete: "off" }), who = make("input", { type: "text", autocomplete: "name", value: tools.remembered("calbook-who") });
  const slider = (value, high) => make("input", { type: "range", min: "0.2", max: high, step: "0.02", value: value });
  const bright = slider("1", "4"), contrast = slider("1", "6");
  const invert = button("Invert", () => { invert.setAttribute("aria-pressed", String(invert.getAttribute("aria-pressed") !== "true")); draw(); }); invert.setAttribute("aria-pressed", "false");
  const decide = Object.keys(SHORT).map((d) => { const b = button(d, () => { say(d); list.focus(); }); b.title = d + " (" + SHORT[d] + ")"; return b; });
  const scales = make("div", { class: "review-bar" }, field("Brightness", bright), field("Contrast", contrast), invert, button("−", () => scale(1 / 1.4)), button("+", () => scale(1.4)), button("Fit", () => scale(0)));
  const bar = make("div", { class: "review-bar" }, button("◂ Previous", () => step(-1)), button("Next ▸", () => step(1)), position, ...decide, button("Take back", () => take()));
  const notes = make("div", { class: "review-bar" }, field("Reason", reason), field("In words", text), field("Who", who));
  const out = tools.output(root.dataset.download, lines);
  const tableBody = make("tbody"), table = make("table", { class: "data", "data-plain": "" }, make("thead", {}, make("tr", {}, ...["About", "Decision", "Reason", "In words", ""].map((h) => make("th", { scope: "col" }, h)))), tableBody);
  const gathered = make("section", { class: "review-gathered" }, make("h2", {}, "Decided here"), announced, make("div", { class: "table-wrap", tabindex: "0", role: "region", "aria-label": "Decided here" }, table), out.box);

  const label = (n) => n.querySelector(".review-label").textContent;
  function complaint() { const name = who.value.trim(); return !name ? "Say who decides, then copy or download." : name.startsWith("rule:") ? "Names that begin with “rule:” are those of rules." : ""; }
  function lines() { return complaint() ? [] : items.filter((n) => said[n.dataset.subject]).map((n) => tools.line({ ...said[n.dataset.subject], who: who.value.trim(), subject: n.dataset.subject })); }
  function say(decision) {
    if (tools.REASONED.includes(decision) && !reason.value) { announced.textContent = "Choose a reason first: " + decision + " needs one."; reason.focus(); return; }
    const n = items[at];
    said[n.dataset.subject] = { date: tools.today(), decision: decision, result: n.dataset.result, reason: tools.REASONED.includes(decision) ? reason.value : "", text: text.value };
    text.value = "";
    keep(label(n) + ": " + decision + ".");
    if (at + 1 < items.length) { const words = announced.textContent; step(1); announced.textContent = words + " " + announced.textContent; }
  }
  function take(address) { const key = address || items[at].dataset.subject; if (said[key]) { delete said[key]; keep("Taken back."); } }
  function keep(words) { tools.remembered(KEY, JSON.stringify(said)); announced.textContent = words; tell(); show(); }
  function tell() {
    tableBody.replaceChildren(...items.filter((n) => said[n.dataset.subject]).map((n) => {
      const d = said[n.dataset.subject];
      return make("tr", {}, make("th", { scope: "row" }, label(n)), make("td", {}, d.decision), make("td", {}, d.reason || "none"), make("td", { class: "text" }, d.text || "none"), make("td", {}, button("Take back", () => take(n.dataset.subject))));
    }));
    gathered.classList.toggle("is-empty", !tableBody.children.length);
    out.fill(tableBody.children.length ? complaint() : "Nothing is decided yet.");
  }
  function show() {
    items.forEach((n, i) => (n.hidden = i !== at));
    const n = items[at], d = said[n.dataset.subject];
    position.textContent = at + 1 + " of " + items.length + (d ? " · " + d.decision : "") + " · " + Object.keys(said).length + " decided";
    scales.hidden = n.dataset.kind === "product";
    decide.forEach((b) => b.setAttribute("aria-pressed", String(Boolean(d) && b.textContent === d.decision)));
    draw();
  }
  function draw() {
    const n = items[at], frame = n.dataset.kind === "frame";
    for (const image of n.querySelectorAll("img")) {
      image.style.transform = zoom === 1 ? "" : "scale(" + zoom + ")";
      image.style.filter = frame ? "brightness(" + bright.value + ") contrast(" + contrast.value + ")" + (invert.getAttribute("aria-pressed") === "true" ? " invert(1)" : "") : "";
    }
    for (const control of [bright, contrast]) control.parentElement.hidden = !frame;
    invert.hidden = !frame;
  }
  function scale(factor) { zoom = factor ? Math.min(20, Math.max(0.25, zoom * factor)) : 1; draw(); }
  function go(to) { at = Math.max(0, Math.min(items.length - 1, to)); show(); }
  function step(by) { go(at + by); announced.textContent = label(items[at]) + ", " + (at + 1) + " of " + items.length; }
  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const actions = { j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1), Home: () => step(-at), End: () => step(items.length), u: () => take(), i: () => invert.click(), "+": () => scale(1.4), "=": () => scale(1.4), "-": () => scale(1 / 1.4), "0": () => scale(0) };
    for (const [d, key] of Object.entries(SHORT)) actions[key] = () => say(d);
    if (/^[1-9]$/.test(event.key) && reason.options[event.key]) actions[event.key] = () => { reason.selectedIndex = Number(event.key); announced.textContent = "Reason: " + reason.value; };
    if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
  }

  root.classList.add("is-walked");
  list.setAttribute("tabindex", "0"); list.setAttribute("aria-label", "What is reviewed; keys are listed below");
  list.before(bar, scales, notes); list.after(gathered);
  list.addEventListener("keydown", keys);
  list.addEventListener("click", () => list.focus());
  for (const control of [bright, contrast]) control.addEventListener("input", draw);
  who.addEventListener("input", () => { tools.remembered("calbook-who", who.value.trim()); tell(); });
  tell(); go(items.findIndex((n) => !said[n.dataset.subject] && !n.querySelector(".review-held")));
  list.focus({ preventScroll: true });
})();
