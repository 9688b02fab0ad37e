/* Decisions: a form on pages of tests and results that makes the line of certification.csv to copy or download. The rules for
   cells are those of campaign/certification_file.py. Nothing is sent anywhere; the name is remembered by this browser. */
(function () {
  "use strict";
  const COLUMNS = ["date", "who", "decision", "subject", "result", "reason", "text"];
  const DECISIONS = ["reviewed", "accepted", "rejected", "valid outlier", "acknowledged"];
  const REASONED = ["rejected", "valid outlier", "acknowledged"];
  const FORMULA = /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/, QUOTED = /[,;\t"\r\n]|^\s|\s$/;

  const make = (tag, attributes, ...children) => { const n = document.createElement(tag); for (const [k, v] of Object.entries(attributes || {})) n.setAttribute(k, v); n.append(...children); return n; };
  const cell = (text) => { const held = FORMULA.test(text) ? "'" + text : text; return QUOTED.test(held) ? '"' + held.replaceAll('"', '""') + '"' : held; };
  const line = (d) => COLUMNS.map((c) => cell(String(d[c] || "").replaceAll("\0", ""))).join(",");
  const today = () => { const d = new Date(), two = (n) => String(n).padStart(2, "0"); return d.getFullYear() + "-" + two(d.getMonth() + 1) + "-" + two(d.getDate()); };
  const remembered = (key, value) => { try { if (value === undefined) return localStorage.getItem(key) || ""; localStorage.setItem(key, value); } catch (e) { /* a browser that keeps nothing */ } return value || ""; };
  let fields = 0;
  function field(label, input) { input.id = "calbook-field-" + ++fields; return make("div", { class: "field" }, make("label", { for: input.id }, label), input); }
  function select(options, attributes) { return make("select", attributes || {}, ...options.map(([value, label]) => make("option", { value: value }, label))); }
  function button(label, action) { const b = make("button", { type: "button", class: "button" }, label); b.addEventListener("click", action); return b; }
  function download(name, lines) {
    const a = make("a", { href: URL.createObjectURL(new Blob([COLUMNS.join(",") + "\n" + lines.join("\n") + "\n"], { type: "text/csv" })), download: name.replace(/[^\w.-]+/g, "-") + "-certification.csv" });
    document.body.append(a); a.click(); a.remove();
    setTimeout(() => URL.revokeObjectURL(a.href), 10000);
  }
  async function copy(area) {
    try { await navigator.clipboard.writeText(area.value); return true; } catch (e) { area.focus(); area.select(); return document.execCommand("copy"); }
  }
  const reasons = (box) => [...box.querySelectorAll(".certify-reasons span")].map((n) => [(n.firstElementChild || n).textContent, n.textContent.trim()]);

  /* Where lines go: what they are, copied or downloaded, and what is done with them then. */
  function output(name, lines) {
    const area = make("textarea", { readonly: "", rows: "3", spellcheck: "false", "aria-label": "Lines for certification.csv" });
    const said = make("span", { role: "status", class: "small muted" });
    const copied = async () => { said.textContent = (await copy(area)) ? "Copied: paste it below the last line of certification.csv." : "Press Ctrl+C to copy."; };
    const saved = () => { download(name, lines()); said.textContent = "Then: calbook certify FOLDER --from the downloaded file"; };
    const buttons = [button("Copy", copied), button("Download", saved)];
    const box = make("div", { class: "certify-output" }, area, make("div", { class: "certify-buttons" }, ...buttons, said));
    return { box: box, fill(text) { const held = lines(); area.value = held.join("\n"); area.rows = Math.max(2, Math.min(12, held.length + 1)); buttons.forEach((b) => (b.disabled = !held.length)); said.textContent = text || ""; } };
  }

  function form(box) {
    const choices = [...box.querySelectorAll("[data-result]")].flatMap((n) => {
      const [whole, ...parts] = [...n.querySelectorAll("code")].map((c) => c.textContent), label = n.firstElementChild.textContent;
      return [[whole, label, n.dataset.result], ...parts.map((p) => [whole + p, label + ": " + p.slice(1).replaceAll("_", " ").replace(":", " "), n.dataset.result])];
    });
    const subject = select(choices.map(([address, label]) => [address, label])), decision = select(DECISIONS.map((d) => [d, d]));
    const reason = select([["", "none"], ...reasons(box)]), text = make("input", { type: "text", autocomplete: "off" }), who = make("input", { type: "text", autocomplete: "name", value: remembered("calbook-who") });
    const wrong = make("p", { class: "small certify-wrong", role: "status" });
    const complaint = () => !who.value.trim() ? "Say who decides." : who.value.trim().startsWith("rule:") ? "Names that begin with “rule:” are those of rules." : REASONED.includes(decision.value) && !reason.value ? "Give a reason." : "";
    const result = () => (choices.find(([address]) => address === subject.value) || ["", "", ""])[2];
    const lines = () => complaint() ? [] : [line({ date: today(), who: who.value.trim(), decision: decision.value, subject: subject.value, result: result(), reason: reason.value, text: text.value })];
    const out = output(box.dataset.download, lines);
    const update = () => { wrong.textContent = complaint(); remembered("calbook-who", who.value.trim()); out.fill(); };
    const made = make("form", { class: "certify-form" }, field("About", subject), field("Decision", decision), field("Reason", reason), field("In words", text), field("Who", who));
    made.addEventListener("submit", (e) => e.preventDefault());
    made.addEventListener("input", update);
    box.querySelector("summary").after(made, wrong, out.box);
    box.querySelector(".certify-choices").hidden = box.querySelector(".certify-typed").hidden = true;
    update();
  }

  window.calbookCertify = { make, cell, line, today, remembered, select, button, field, output, reasons, REASONED };
  for (const box of document.querySelectorAll("details.certify")) {
    if (box.open) form(box); else box.addEventListener("toggle", () => { if (!box.querySelector("form")) form(box); });
  }
})();
