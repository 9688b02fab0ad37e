/* The navigator, neighbours of a test, the same test in other blocks, and what must be open to be seen. Data: nav.js. */
(function () {
  "use strict";
  const page = document.body.dataset.page || "", root = document.body.dataset.root || "";

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
    node.append(...children.filter((c) => c !== null && c !== undefined));
    return node;
  }
  function link(label, href, state) {
    const a = el("a", { href: root + href });
    if (state) { a.classList.add("status-" + state[0]); a.append(el("span", { class: "shape", "aria-hidden": "true" }, state[1]), " "); }
    a.append(el("span", {}, label));
    if (state) a.append(el("span", { class: "visually-hidden" }, " (" + state[2] + ")"));
    if (decodeURI(href) === page || href === page) a.setAttribute("aria-current", "page");
    return a;
  }
  const folder = (path) => path.replace(/[^/]*$/, "");

  function tests(nav, block) {
    const list = el("ol", { class: "tests" });
    let session = "";
    for (const [name, file, verdict, group] of block[5]) {
      if (group && group !== session) list.append(el("li", { class: "session" }, group));
      session = group;
      list.append(el("li", {}, link(name, folder(block[2]) + "tests/" + file, nav.states[verdict])));
    }
    if (!block[5].length) list.append(el("li", { class: "session" }, "no tests in its record"));
    list.append(el("li", {}, link("All exposures", folder(block[2]) + "exposures.html")));
    return list;
  }
  function blockItem(nav, block) {
    const here = page.startsWith(folder(block[2]));
    const details = el("details", { open: here }, el("summary", {}, link(block[0], block[2], nav.states[block[3]])));
    const fill = () => { if (details.open && details.children.length === 1) details.append(tests(nav, block)); };
    details.addEventListener("toggle", fill);
    fill();
    return el("li", {}, details);
  }
  function group(title, entries, open) {
    if (!entries.length) return null;
    const current = entries.some(([, href]) => href === page);
    return el("details", { open: open || current }, el("summary", {}, el("h2", {}, title)), el("ul", {}, ...entries.map(([label, href]) => el("li", {}, link(label, href)))));
  }
  function fillNavigator(box, nav) {
    const list = el("ul", {}, ...nav.blocks.map((b) => blockItem(nav, b)));
    const filter = el("input", { type: "search", class: "nav-filter", placeholder: "Find a test", "aria-label": "Find a test in the list below", autocomplete: "off" });
    const found = el("ul", { hidden: true });
    filter.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      list.hidden = Boolean(wanted); found.hidden = !wanted; found.replaceChildren();
      if (!wanted) return;
      const hits = nav.blocks.flatMap((b) => b[5].filter((t) => (b[0] + " " + t[0] + " " + t[3]).toLowerCase().includes(wanted)).map((t) => [b, t]));
      for (const [b, t] of hits.slice(0, 60)) found.append(el("li", {}, link(t[0] + " · " + b[0], folder(b[2]) + "tests/" + t[1], nav.states[t[2]])));
      if (hits.length > 60) found.append(el("li", { class: "session" }, "and " + (hits.length - 60) + " more"));
      if (!hits.length) found.append(el("li", { class: "session" }, "no test has “" + filter.value.trim() + "” in its name"));
    });
    const guideHere = page.startsWith("guide/");
    const parts = [filter, el("h2", {}, "Blocks"), list, found, group("Procedures", nav.procedures, !guideHere), group("Detectors", nav.detectors), group("Campaign", nav.pages, true), group("Guide", nav.guide, guideHere)];
    box.replaceChildren(...parts.filter(Boolean));
    const current = box.querySelector("[aria-current]"), scroller = box.closest(".bd-sidebar-primary");
    if (current && scroller && current.offsetTop > scroller.clientHeight * 0.7) scroller.scrollTop = current.offsetTop - scroller.clientHeight / 3;
  }
  function headerLinks(nav) {
    for (const a of document.querySelectorAll(".site-links a")) {
      const href = a.getAttribute("href").slice(root.length);
      if (href === page || (folder(href) && page.startsWith(folder(href)))) a.setAttribute("aria-current", href === page ? "page" : "true");
      const bad = nav && (nav.health.error ? ["fail", nav.health.error, "errors"] : nav.health.warning ? ["warn", nav.health.warning, "warnings"] : null);
      if (bad && href === "health.html") a.append(el("span", { class: "badge-count status-" + bad[0], title: bad[1] + " " + bad[2] }, String(bad[1]), el("span", { class: "visually-hidden" }, " " + bad[2])));
    }
  }
  function neighbours(nav) {
    const block = nav.blocks.find((b) => page.startsWith(folder(b[2]) + "tests/"));
    if (!block) return;
    const file = page.slice((folder(block[2]) + "tests/").length), at = block[5].findIndex((t) => t[1] === file);
    if (at < 0) return;
    const steps = document.querySelector(".step-nav"), list = block[5];
    const step = (t, rel, arrow) => t && el("a", { href: root + folder(block[2]) + "tests/" + t[1], rel: rel }, arrow < 0 ? "← " + t[0] : t[0] + " →");
    if (steps) { steps.append(...[step(list[at - 1], "prev", -1), step(list[at + 1], "next", 1)].filter(Boolean)); steps.hidden = !steps.children.length; }
    const others = nav.blocks.filter((b) => b !== block).flatMap((b) => b[5].filter((t) => t[0] === list[at][0]).map((t) => [b, t]));
    const box = document.querySelector(".same-test");
    if (box && others.length) {
      box.append(el("p", { class: "heading" }, "Same test in other blocks"), el("ul", {}, ...others.slice(0, 30).map(([b, t]) => el("li", {}, link(b[0], folder(b[2]) + "tests/" + t[1], nav.states[t[2]])))));
      box.hidden = false;
    }
  }
  /* An anchor inside a closed part opens it. */
  function reveal() {
    if (location.hash.length < 2 || location.hash.includes("?")) return;
    let target = null;
    try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch (error) { return; }
    if (!target) return;
    for (let up = target.parentElement; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView({ block: "nearest" });
  }
  /* The contents list marks the section being read. */
  function follow() {
    const links = [...document.querySelectorAll(".page-contents a[href^='#']")];
    const targets = links.map((a) => document.getElementById(decodeURIComponent(a.hash.slice(1))));
    if (!links.length || !("IntersectionObserver" in window)) return;
    const seen = new Set();
    const watch = new IntersectionObserver((entries) => {
      for (const entry of entries) entry.isIntersecting ? seen.add(entry.target) : seen.delete(entry.target);
      const at = targets.findIndex((t) => seen.has(t));
      if (at >= 0) links.forEach((a, i) => (i === at ? a.setAttribute("aria-current", "true") : a.removeAttribute("aria-current")));
    }, { rootMargin: "-60px 0px -40% 0px" });
    targets.forEach((t) => t && watch.observe(t));
  }
  function printing() {
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details.fold:not([open])")];
      opened.forEach((d) => (d.open = true));
      document.querySelectorAll("img[loading=lazy]").forEach((i) => (i.loading = "eager"));
    });
    addEventListener("afterprint", () => opened.forEach((d) => (d.open = false)));
  }
  function start() {
    const nav = window.calbookNav;
    headerLinks(nav);
    if (nav) {
      document.querySelectorAll(".navigator").forEach((box) => fillNavigator(box, nav));
      neighbours(nav);
    }
    reveal(); follow(); printing();
    addEventListener("hashchange", reveal);
    for (const a of document.querySelectorAll(".bd-article a[href^='http']")) a.rel = "noopener noreferrer";
  }
  if (document.readyState === "complete") start(); else addEventListener("DOMContentLoaded", start);

  // when a spreadsheet was last seen to hold what its snapshot holds: it moves at each build, pages do not
  document.querySelectorAll("[data-checked]").forEach((place) => {
    const when = (window.calbookChecked || {})[place.dataset.checked];
    if (when) place.textContent = ", unchanged when last asked on " + when.slice(0, 16).replace("T", " ") + " UTC";
  });
})();
