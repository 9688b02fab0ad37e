/* Search over search-data.js: MiniSearch where it was installed, else every word must occur. Results by kind, in words. */
(function () {
  "use strict";
  const ORDER = ["Blocks", "Tests", "Procedures", "Detectors", "Caveats", "Guide", "Records", "Exposures", "Provenance", "Other pages"], SHOWN = 25;
  const words = (text) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean);

  function engine(documents) {
    const rows = documents.map((d, id) => ({ id: id, title: d[1], place: d[3], text: d[4] }));
    if (window.MiniSearch) {
      const index = new window.MiniSearch({ fields: ["title", "place", "text"], tokenize: (t) => t.split(/[^\p{L}\p{N}]+/u), searchOptions: { boost: { title: 6, place: 2 }, prefix: true, combineWith: "AND", fuzzy: (w) => (w.length > 4 && !/\d/.test(w) ? 0.2 : false) } });
      index.addAll(rows);
      return (q) => index.search(q).map((r) => ({ id: r.id, terms: r.terms }));
    }
    const texts = rows.map((r) => (r.title + " " + r.place + " " + r.text).toLowerCase());
    return (q) => {
      const wanted = words(q);
      const score = (id) => wanted.reduce((sum, w) => sum + (rows[id].title.toLowerCase().includes(w) ? 10 : 1), 0);
      return rows.filter((r) => wanted.length && wanted.every((w) => texts[r.id].includes(w))).map((r) => ({ id: r.id, terms: wanted, score: score(r.id) })).sort((a, b) => b.score - a.score);
    };
  }
  function marked(node, text, terms) {
    const found = terms.length ? new RegExp("(" + [...terms].sort((a, b) => b.length - a.length).map((t) => t.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|") + ")", "giu") : null;
    (found ? text.split(found) : [text]).forEach((part, i) => { if (i % 2) { const m = document.createElement("mark"); m.textContent = part; node.append(m); } else node.append(part); });
    return node;
  }
  function snippet(text, terms) {
    const low = text.toLowerCase(), at = terms.map((t) => low.indexOf(t)).filter((i) => i >= 0).sort((a, b) => a - b)[0];
    if (at === undefined) return text.slice(0, 150);
    const from = Math.max(0, at - 60);
    return (from ? "… " : "") + text.slice(from, at + 120) + (at + 120 < text.length ? " …" : "");
  }
  function item(document_, hit) {
    const li = document.createElement("li"), a = document.createElement("a"), place = document.createElement("span"), text = document.createElement("p");
    a.href = document_[0].split("/").map(encodeURIComponent).join("/");
    marked(a, document_[1], hit.terms);
    place.className = "where"; place.textContent = document_[3];
    text.className = "snippet"; marked(text, snippet(document_[4], hit.terms), hit.terms);
    li.append(a, place, text);
    return li;
  }
  function show(box, count, documents, hits, query) {
    box.replaceChildren();
    if (!query.trim()) { count.textContent = "Tests, blocks, channels, procedures, caveats and the guide are searched."; return; }
    count.textContent = hits.length ? hits.length + (hits.length === 1 ? " page" : " pages") + " for “" + query.trim() + "”" : "Nothing has “" + query.trim() + "” in it. Fewer or shorter words find more; numbers are found by the filters of the tables.";
    const groups = new Map();
    for (const hit of hits) { const kind = documents[hit.id][2]; groups.set(kind, [...(groups.get(kind) || []), hit]); }
    for (const kind of [...groups.keys()].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b))) {
      const all = groups.get(kind), h2 = document.createElement("h2"), n = document.createElement("span"), list = document.createElement("ol");
      n.className = "count"; n.textContent = " " + all.length; h2.append(kind, n);
      const fill = (upto) => list.replaceChildren(...all.slice(0, upto).map((hit) => item(documents[hit.id], hit)));
      fill(SHOWN); box.append(h2, list);
      if (all.length > SHOWN) { const more = document.createElement("button"); more.type = "button"; more.className = "link-button"; more.textContent = "all " + all.length; more.addEventListener("click", () => { fill(all.length); more.remove(); }); box.append(more); }
    }
  }
  function start() {
    const form = document.querySelector(".search-page form"), count = document.querySelector(".search-count"), box = document.querySelector(".search-results");
    if (!form) return;
    const documents = window.calbookSearch || [], input = form.elements.q, search = engine(documents);
    const run = () => show(box, count, documents, search(input.value), input.value);
    input.value = new URLSearchParams(location.search).get("q") || "";
    if (!window.calbookSearch) { count.textContent = "The search data are missing: build the site again."; return; }
    let waiting = 0;
    input.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(run, 90); });
    form.addEventListener("submit", (event) => { event.preventDefault(); run(); try { history.replaceState(null, "", "?q=" + encodeURIComponent(input.value)); } catch (error) { /* an opaque origin: the address stays */ } });
    run();
  }
  if (document.readyState === "complete") start(); else addEventListener("DOMContentLoaded", start);
})();
