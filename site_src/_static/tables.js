/* Tables of data, enhanced where they stand: sort, filter, choose columns, copy, download. Without this script they are
   still tables. State that matters is kept in the address: #id?q=ptc&f.2=fail&s=-3 (filter, column filters, sort). */
(function () {
  "use strict";
  const SMALL = 6, LONG = 25;
  const make = (tag, cls, text) => { const n = document.createElement(tag); if (cls) n.className = cls; if (text) n.textContent = text; return n; };
  /* what a reader is told: shapes beside words are left out */
  function textOf(cell) {
    let from = cell;
    if (cell && cell.querySelector("[aria-hidden=true]")) { from = cell.cloneNode(true); from.querySelectorAll("[aria-hidden=true]").forEach((n) => n.remove()); }
    return from ? from.textContent.replace(/\s+/g, " ").trim() : "";
  }
  const EMPTY = /^([–—-]|n\/a|none|unknown|not .*|no .*)?$/i;

  class Grid {
    constructor(table) {
      this.table = table;
      this.body = table.tBodies[0];
      this.rows = [...this.body.rows].filter((r) => !r.classList.contains("group"));
      this.groups = [...this.body.rows].filter((r) => r.classList.contains("group"));
      this.order = [...this.body.rows];
      this.heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
      this.names = this.heads.map((h) => { const copy = h.cloneNode(true); const unit = copy.querySelector(".unit"); const u = textOf(unit); if (unit) unit.remove(); return textOf(copy) + (u ? " [" + u.replace(/^\[|\]$/g, "") + "]" : ""); });
      this.texts = this.rows.map((r) => [...r.cells].map((c) => textOf(c)));
      this.choices = this.rows.map((r) => [...r.cells].map((c) => { const word = c.querySelector(".status .word"); return c.dataset.choice || (word ? textOf(word) : textOf(c)); }));
      this.query = ""; this.filters = new Map(); this.sorted = null;
      this.hidden = new Set(this.heads.map((h, i) => (h.hasAttribute("data-hide") ? i : -1)).filter((i) => i >= 0));
    }
    start() {
      this.sorting(); this.tools(); this.columnFilters(); this.read(); this.columns(); this.apply(true);
      const wrap = this.table.closest(".table-wrap");
      if (wrap && this.rows.length > LONG) wrap.classList.add("is-long");
      addEventListener("hashchange", () => { if (this.mine()) { this.read(); this.apply(true); } });
    }
    /* sort */
    sorting() {
      this.heads.forEach((head, i) => {
        if (head.dataset.sort === "none" || !textOf(head) || this.rows.length < 2) return;
        const button = make("button", "sort"); button.type = "button";
        button.append(...head.childNodes); head.append(button);
        button.addEventListener("click", () => { const again = this.sorted && this.sorted.column === i; this.sorted = again && this.sorted.down ? null : { column: i, down: Boolean(again) }; this.apply(); });
      });
    }
    key(row, i) {
      const cell = this.rows[row].cells[i], kind = this.heads[i].dataset.sort, text = this.texts[row][i] || "";
      const raw = cell && cell.dataset.value !== undefined ? cell.dataset.value : text;
      if (raw === "") return null;
      if (kind === "text") return raw.toLowerCase();
      const number = Number(String(raw).replace(/−/g, "-").replace(/\s*±.*$/, "").replace(/[\s\u202f,]/g, ""));
      if (Number.isFinite(number)) return number;
      if (kind === "number" || (cell && cell.classList.contains("none")) || EMPTY.test(text)) return null;
      return raw.toLowerCase();
    }
    compare(a, b) {
      if (a === null || b === null) return a === b ? 0 : a === null ? 2 : -2; /* unknown last, in both directions */
      if (typeof a === "number" && typeof b === "number") return a - b;
      return String(a).localeCompare(String(b), "en", { numeric: true });
    }
    sort() {
      this.heads.forEach((h, i) => (this.sorted && this.sorted.column === i ? h.setAttribute("aria-sort", this.sorted.down ? "descending" : "ascending") : h.removeAttribute("aria-sort")));
      if (!this.sorted) { this.body.append(...this.order); return; }
      const { column, down } = this.sorted, keys = this.rows.map((_, r) => this.key(r, column));
      const order = this.rows.map((_, r) => r).sort((x, y) => { const c = this.compare(keys[x], keys[y]); return (Math.abs(c) === 2 && (keys[x] === null || keys[y] === null) ? c : down ? -c : c) || x - y; });
      this.body.append(...order.map((r) => this.rows[r]));
    }
    /* filter */
    matches(r) {
      const cells = this.texts[r];
      for (const [i, wanted] of this.filters) {
        const text = (cells[i] || "").toLowerCase(), value = this.key(r, i), bound = /^\s*(<=|>=|<|>|=)\s*(-?[\d.]+(?:e[-+]?\d+)?)\s*$/i.exec(wanted);
        if (this.heads[i].dataset.filter === "choice") { if (this.choices[r][i] !== wanted) return false; }
        else if (bound) { const n = Number(bound[2]); if (typeof value !== "number" || !{ "<": value < n, ">": value > n, "<=": value <= n, ">=": value >= n, "=": value === n }[bound[1]]) return false; }
        else if (!text.includes(wanted.toLowerCase())) return false;
      }
      const line = cells.join(" ").toLowerCase();
      return this.query.toLowerCase().split(/\s+/).every((w) => line.includes(w));
    }
    apply(quiet) {
      const was = this.table.getAttribute("data-shown");
      this.shown = this.rows.filter((row, r) => { row.hidden = !this.matches(r); return !row.hidden; });
      const filtered = this.query.trim() !== "" || this.filters.size > 0;
      this.groups.forEach((g) => (g.hidden = filtered || this.sorted !== null));
      this.sort();
      if (this.count) this.count.textContent = filtered ? (this.shown.length ? this.shown.length + " of " + this.rows.length + " rows" : "no row of " + this.rows.length + " fits") : this.rows.length + (this.rows.length === 1 ? " row" : " rows");
      if (this.reset) this.reset.hidden = !filtered && !this.sorted;
      this.table.setAttribute("data-shown", String(this.shown.length));
      if (!quiet || was === null) this.write(quiet);
    }
    /* tools */
    button(label, action) { const b = make("button", "", label); b.type = "button"; b.addEventListener("click", () => action(b)); return b; }
    tools() {
      const bar = make("div", "table-tools"), name = this.table.caption ? textOf(this.table.caption) : "this table";
      if (this.rows.length > SMALL) {
        this.box = make("input"); this.box.type = "search"; this.box.placeholder = "Filter rows"; this.box.setAttribute("aria-label", "Filter the rows of " + name); this.box.setAttribute("aria-controls", this.table.id);
        this.box.addEventListener("input", () => { this.query = this.box.value; this.apply(); });
        bar.append(this.box);
      }
      this.count = make("span", "table-count"); this.count.setAttribute("role", "status"); this.count.setAttribute("aria-live", "polite"); bar.append(this.count);
      this.reset = this.button("Show all", () => { this.query = ""; this.filters.clear(); this.sorted = null; this.show(); this.apply(); }); this.reset.hidden = true; bar.append(this.reset);
      if (this.heads.length > 4) bar.append(this.chooser());
      bar.append(this.button("Copy", (b) => this.copy(b)), this.button("CSV", () => this.download()));
      const wrap = this.table.closest(".table-wrap") || this.table;
      wrap.before(bar);
    }
    chooser() {
      const details = make("details", "table-columns"), list = make("div"); details.append(make("summary", "", "Columns"), list);
      this.names.forEach((name, i) => {
        const label = make("label"), box = make("input"); box.type = "checkbox"; box.checked = !this.hidden.has(i);
        box.addEventListener("change", () => { box.checked ? this.hidden.delete(i) : this.hidden.add(i); this.columns(); });
        label.append(box, " " + (name || "column " + (i + 1))); list.append(label);
      });
      details.addEventListener("keydown", (e) => { if (e.key === "Escape" && details.open) { details.open = false; details.firstChild.focus(); } });
      document.addEventListener("click", (e) => { if (!details.contains(e.target)) details.open = false; });
      return details;
    }
    columns() {
      for (const row of [...this.table.tHead.rows, ...this.rows]) if (row.cells.length === this.heads.length) [...row.cells].forEach((c, i) => (c.hidden = this.hidden.has(i)));
    }
    columnFilters() {
      if (!this.heads.some((h) => h.dataset.filter) || this.rows.length <= SMALL) return;
      const row = make("tr", "filters"); this.inputs = new Map();
      this.heads.forEach((head, i) => {
        const cell = make("th"); row.append(cell);
        const kind = head.dataset.filter; if (!kind) return;
        let input;
        if (kind === "choice") {
          input = make("select"); input.append(new Option("all", ""));
          const values = [...new Set(this.choices.map((t) => t[i] || ""))].filter(Boolean).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
          values.forEach((v) => input.append(new Option(v, v)));
        } else { input = make("input"); input.type = "search"; input.placeholder = head.dataset.sort === "number" ? "> 3.5" : ""; }
        input.setAttribute("aria-label", "Filter by " + this.names[i]);
        input.addEventListener("input", () => { input.value ? this.filters.set(i, input.value) : this.filters.delete(i); this.apply(); });
        this.inputs.set(i, input); cell.append(input);
      });
      this.table.tHead.append(row);
      this.table.style.setProperty("--head-height", this.table.tHead.rows[0].offsetHeight + "px");
    }
    show() {
      if (this.box) this.box.value = this.query;
      if (this.inputs) this.inputs.forEach((input, i) => (input.value = this.filters.get(i) || ""));
    }
    /* the address */
    mine() { return location.hash.startsWith("#" + this.table.id + "?"); }
    read() {
      if (!this.mine()) return;
      const state = new URLSearchParams(location.hash.slice(this.table.id.length + 2));
      this.query = state.get("q") || ""; this.filters.clear(); this.sorted = null;
      for (const [key, value] of state) {
        const column = this.at(key.slice(2));
        if (key.startsWith("f.") && column >= 0 && value) this.filters.set(column, value);
      }
      const sort = state.get("s");
      if (sort) { const column = this.at(sort.replace(/^-/, "")); if (column >= 0) this.sorted = { column: column, down: sort.startsWith("-") }; }
      this.show();
      this.table.scrollIntoView({ block: "nearest" });
    }
    at(key) { const found = this.heads.findIndex((h) => h.dataset.key === key); return found >= 0 ? found : /^\d+$/.test(key) && Number(key) <= this.heads.length ? Number(key) - 1 : -1; }
    keyOf(i) { return this.heads[i].dataset.key || String(i + 1); }
    write(quiet) {
      if (quiet) return;
      const state = new URLSearchParams();
      if (this.query.trim()) state.set("q", this.query.trim());
      this.filters.forEach((value, i) => state.set("f." + this.keyOf(i), value));
      if (this.sorted) state.set("s", (this.sorted.down ? "-" : "") + this.keyOf(this.sorted.column));
      const text = state.toString();
      if (!text && !this.mine()) return;
      try { history.replaceState(null, "", text ? "#" + this.table.id + "?" + text : location.pathname + location.search); } catch (error) { /* an opaque origin: the address stays as it is */ }
    }
    /* what is shown, as text */
    lines() {
      const keep = this.heads.map((_, i) => i).filter((i) => !this.hidden.has(i));
      const rows = [...this.body.rows].filter((r) => !r.hidden && !r.classList.contains("group"));
      const cell = (c) => { if (!c) return ""; const v = c.dataset.csv !== undefined ? c.dataset.csv : c.classList.contains("num") && c.dataset.value ? c.dataset.value : textOf(c); return v; };
      return [keep.map((i) => this.names[i]), ...rows.map((r) => keep.map((i) => cell(r.cells[i])))];
    }
    copy(button) {
      const text = this.lines().map((l) => l.map((c) => c.replace(/[\t\n]/g, " ")).join("\t")).join("\n");
      const done = (ok) => { this.count.textContent = ok ? "copied " + this.shown.length + " rows" : "the browser does not allow copying"; };
      const old = () => { const area = make("textarea"); area.value = text; area.style.position = "fixed"; document.body.append(area); area.select(); let ok = false; try { ok = document.execCommand("copy"); } catch (error) { ok = false; } area.remove(); button.focus(); done(ok); };
      if (navigator.clipboard && isSecureContext) navigator.clipboard.writeText(text).then(() => done(true), old); else old();
    }
    download() {
      /* a cell that a spreadsheet would run as a formula is quoted with an apostrophe, unless it is a number */
      const safe = (c) => (/^[=+\-@\t\r]/.test(c) && !Number.isFinite(Number(c)) ? "'" + c : c);
      const quoted = (c) => (/[",\n]/.test(c) ? '"' + c.replace(/"/g, '""') + '"' : c);
      const text = "\ufeff" + this.lines().map((l) => l.map((c) => quoted(safe(c))).join(",")).join("\r\n") + "\r\n";
      const a = make("a"); a.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" })); a.download = (this.table.dataset.download || this.table.id || "table").replace(/[^\w.-]+/g, "-") + ".csv";
      document.body.append(a); a.click(); a.remove(); setTimeout(() => URL.revokeObjectURL(a.href), 1000);
    }
  }
  function start() {
    let n = 0;
    for (const table of document.querySelectorAll("table.data:not([data-plain])")) {
      if (!table.tHead || !table.tBodies.length || !table.tHead.rows.length) continue;
      if (!table.id) table.id = "table-" + ++n;
      new Grid(table).start();
    }
  }
  if (document.readyState === "complete") start(); else addEventListener("DOMContentLoaded", start);
})();
