/* The interactive form of a figure, on demand: its data come as a script beside the picture (no fetch: file:// works),
   the drawing from uPlot. Whatever is missing, the picture stays. */
(function () {
  "use strict";
  const root = document.body.dataset.root || "", loaded = new Map(), figures = new Map();
  const HEIGHT = 300;
  const nameOf = (src) => src.split("/").pop();
  window.calbookFigure = (data) => figures.set(nameOf(document.currentScript.src), data);

  function load(src) {
    if (!loaded.has(src)) loaded.set(src, new Promise((resolve, reject) => { const s = document.createElement("script"); s.src = src; s.onload = resolve; s.onerror = () => reject(new Error(src)); document.head.append(s); }));
    return loaded.get(src);
  }
  function style(href) { if (!document.querySelector('link[data-plots]')) { const l = document.createElement("link"); l.rel = "stylesheet"; l.href = href; l.dataset.plots = ""; document.head.append(l); } }
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const shade = (series) => (series.channel === null ? colour("--ink") : colour("--channel-" + series.channel));

  /* uPlot wants one x for all: the union of the series' x, null where a series has no value. */
  function align(series) {
    const xs = [...new Set(series.flatMap((s) => s.x))].filter((v) => v !== null).sort((a, b) => a - b), place = new Map(xs.map((v, i) => [v, i]));
    const columns = series.map((s) => { const out = new Array(xs.length).fill(s.style === "points" || s.style === "bars" ? null : undefined); s.x.forEach((v, i) => { if (v !== null) out[place.get(v)] = s.y[i]; }); return out; });
    return [xs, ...columns];
  }
  function marks(panel) {
    return (u) => {
      const { ctx, bbox } = u; ctx.save(); ctx.strokeStyle = colour("--mark"); ctx.fillStyle = colour("--mark"); ctx.lineWidth = devicePixelRatio; ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]); ctx.font = 11 * devicePixelRatio + "px sans-serif"; ctx.textAlign = "left"; ctx.textBaseline = "alphabetic";
      for (const m of panel.marks) {
        ctx.beginPath();
        if (m.y !== null) { const py = u.valToPos(m.y, "y", true); if (py < bbox.top || py > bbox.top + bbox.height) continue; ctx.moveTo(bbox.left, py); ctx.lineTo(bbox.left + bbox.width, py); ctx.fillText(m.label, bbox.left + 4 * devicePixelRatio, py - 3 * devicePixelRatio); }
        if (m.x !== null) { const px = u.valToPos(m.x, "x", true); if (px < bbox.left || px > bbox.left + bbox.width) continue; ctx.moveTo(px, bbox.top); ctx.lineTo(px, bbox.top + bbox.height); ctx.fillText(m.label, px + 3 * devicePixelRatio, bbox.top + 12 * devicePixelRatio); }
        ctx.stroke();
      }
      ctx.restore();
    };
  }
  function bars(panel) {
    return (u) => {
      const { ctx } = u; ctx.save(); ctx.lineWidth = devicePixelRatio;
      panel.series.forEach((s, k) => {
        if (!s.e || !u.series[k + 1].show) return;
        ctx.strokeStyle = shade(s); ctx.beginPath();
        s.x.forEach((v, i) => { if (v === null || s.y[i] === null || s.e[i] === null || v < u.scales.x.min || v > u.scales.x.max) return; const px = u.valToPos(v, "x", true); ctx.moveTo(px, u.valToPos(s.y[i] - s.e[i], "y", true)); ctx.lineTo(px, u.valToPos(s.y[i] + s.e[i], "y", true)); });
        ctx.stroke();
      });
      ctx.restore();
    };
  }
  /* Times as everywhere on the site: days, and hours where days are too long. */
  const days = (u, splits, k, space, step) => splits.map((s) => { const t = new Date(s * 1000).toISOString(); return step >= 86400 || s % 86400 === 0 ? t.slice(0, 10) : t.slice(11, 16); });
  /* Lines from (x, y) to (x, y): [x0, y0, x1, y1, colour, half width of a band; -1 for a limit]. */
  function segments(panel) {
    return (u) => {
      const { ctx, bbox } = u; ctx.save(); ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip(); ctx.lineWidth = 1.5 * devicePixelRatio;
      for (const [x0, y0, x1, y1, name, wide] of panel.segments) {
        const at = (x, y) => [u.valToPos(x, "x", true), u.valToPos(y, "y", true)], shade = colour(name);
        if (wide > 0) { ctx.globalAlpha = 0.1; ctx.fillStyle = shade; ctx.beginPath(); ctx.moveTo(...at(x0, y0 + wide)); ctx.lineTo(...at(x1, y1 + wide)); ctx.lineTo(...at(x1, y1 - wide)); ctx.lineTo(...at(x0, y0 - wide)); ctx.fill(); }
        ctx.globalAlpha = 1; ctx.strokeStyle = shade; ctx.setLineDash(wide < 0 && name !== "--fail" ? [7 * devicePixelRatio, 3 * devicePixelRatio] : []); ctx.beginPath(); ctx.moveTo(...at(x0, y0)); ctx.lineTo(...at(x1, y1)); ctx.stroke();
      }
      ctx.restore();
    };
  }
  /* Over a plot of time: what the nearest point is and where it is from; a click opens that. */
  function points(panel, tip) {
    let near = null;
    const utc = (s) => new Date(s * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC";
    const find = (u) => {
      near = null; let least = 400;
      panel.series.forEach((s, k) => { if (!s.at || !u.series[k + 1].show) return; s.x.forEach((x, i) => { const dx = u.valToPos(x, "x") - u.cursor.left, dy = u.valToPos(s.y[i], "y") - u.cursor.top, d = dx * dx + dy * dy; if (d < least) { least = d; near = [s, i]; } }); });
      tip.replaceChildren(); u.over.style.cursor = "";
      if (!near) { tip.textContent = "Point at a value to see where it is from; drag to enlarge, double click to see all."; return; }
      const [s, i] = near, [text, href] = panel.places[s.at[i]], from = href ? document.createElement("a") : document.createElement("b");
      from.textContent = text; if (href) { from.href = href; u.over.style.cursor = "pointer"; }
      tip.append(s.label + " ", shown(s.y[i]) + (s.e[i] === null ? "" : " ± " + shown(s.e[i])) + ", " + utc(s.x[i]) + ", ", from);
    };
    return { find, open: () => { const href = near && panel.places[near[0].at[near[1]]][1]; if (href) location.assign(href); } };
  }
  /* Ranges of time: a link above the plots, or the address, narrows all that are shown. */
  const live = new Set();
  let range = "";
  function narrow(made, panel) { const held = (panel.ranges || []).find((r) => r[0] === range); if (held) made.setScale("x", { min: held[2], max: held[3] }); }
  async function choose(name) {
    range = name;
    for (const a of document.querySelectorAll("a[data-range]")) a.toggleAttribute("aria-current", false), a.dataset.range === name && a.setAttribute("aria-current", "true");
    let left = 12; // more plots at once than that make a slow page: theirs is set when they are asked for
    for (const b of document.querySelectorAll("figure.trend button.plot-interactive")) { const box = b.closest("figure").querySelector(".plot-live"); if ((!box || box.hidden) && left-- > 0) await toggle(b); }
    for (const [made, panel] of live) narrow(made, panel);
  }
  function axis(label) { return { label: label, stroke: colour("--ink"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line-strong"), width: 1 }, labelSize: 22, font: "12px sans-serif", labelFont: "12px sans-serif", size: label === undefined ? 40 : undefined }; }
  const shown = (v) => (v === null || v === undefined ? "–" : Number(v.toPrecision(7)).toString());
  function plot(panel, box) {
    const names = (u, splits) => splits.map((v) => panel.xnames[v] || "");
    const log = (on) => (on === "log" ? { distr: 3 } : {});
    const series = panel.series.map((s) => ({ label: s.label || "value", stroke: shade(s), width: s.style === "points" ? 0 : 1.5, paths: s.style === "points" ? () => null : s.style === "step" ? uPlot.paths.stepped({ align: 1 }) : s.style === "bars" ? uPlot.paths.bars({ size: [0.9] }) : undefined, fill: s.style === "bars" ? shade(s) + "66" : undefined, points: { show: s.style === "points", size: 6, fill: shade(s) }, spanGaps: s.style !== "points", value: (u, v) => shown(v) }));
    const options = {
      width: Math.max(260, box.clientWidth), height: HEIGHT, title: panel.title, scales: { x: Object.assign({ time: panel.xscale === "time" }, log(panel.xscale)), y: log(panel.yscale) }, tzDate: (s) => uPlot.tzDate(new Date(s * 1000), "Etc/UTC"),
      axes: [Object.assign(axis(panel.xlabel), { size: 34 }, panel.xscale === "time" ? { values: days, space: 90 } : panel.xnames ? { values: names, incrs: [1, 2, 5], space: 40 } : {}), Object.assign(axis(panel.ylabel), { size: 62 })],
      series: [{ label: panel.xlabel, value: (u, v) => (panel.xnames && v !== null && panel.xnames[Math.round(v)]) || shown(v) }, ...series], cursor: { drag: { x: true, y: true, uni: 20 } }, legend: { live: true }, hooks: { draw: [marks(panel), bars(panel)] },
    };
    let asked = null;
    if (panel.places) {
      const tip = document.createElement("p"); tip.className = "plot-tip"; tip.setAttribute("role", "status"); box.append(tip);
      asked = points(panel, tip); options.hooks.setCursor = [asked.find]; options.hooks.draw.unshift(segments(panel)); options.legend = { live: false };
    }
    const made = new uPlot(options, align(panel.series), box);
    if (asked) {
      let down = null;
      made.over.addEventListener("mousedown", (e) => { down = [e.clientX, e.clientY]; });
      made.over.addEventListener("click", (e) => { if (down && Math.hypot(e.clientX - down[0], e.clientY - down[1]) < 4) asked.open(); });
      const all = panel.ranges[panel.ranges.length - 1]; made.setScale("x", { min: all[2], max: all[3] }); made.setScale("y", { min: panel.yrange[0], max: panel.yrange[1] });
      live.add([made, panel]); narrow(made, panel);
    }
    if ("ResizeObserver" in window) new ResizeObserver(() => made.setSize({ width: Math.max(260, box.clientWidth), height: HEIGHT })).observe(box);
    return made;
  }
  function draw(box, data) { box.replaceChildren(); data.panels.forEach((panel) => { const holder = document.createElement("div"); box.append(holder); plot(panel, holder); }); }

  async function toggle(button) {
    const figure = button.closest("figure"), picture = figure.querySelector("a.full");
    let box = figure.querySelector(".plot-live");
    if (box && !box.hidden) { box.hidden = true; picture.hidden = false; button.textContent = "interactive"; return; }
    const src = button.dataset.plot, name = nameOf(src);
    try {
      style(root + "_static/vendor/uplot.css");
      await load(root + "_static/vendor/uplot.js"); await load(src);
      if (!figures.has(name)) throw new Error(name);
      if (!box) { box = document.createElement("div"); box.className = "plot-live"; picture.after(box); }
      box.hidden = false; picture.hidden = true; picture.classList.add("plot-static"); draw(box, figures.get(name)); button.textContent = "picture";
    } catch (error) {
      if (box) box.hidden = true;
      picture.hidden = false; button.disabled = true; button.textContent = "interactive form not available";
    }
  }
  function start() {
    for (const button of document.querySelectorAll("button.plot-interactive[data-plot]")) { button.hidden = false; button.addEventListener("click", () => toggle(button)); }
    for (const a of document.querySelectorAll("a[data-range]")) a.addEventListener("click", () => choose(a.dataset.range));
    const asked = document.querySelector("a[data-range]:target"); if (asked) choose(asked.dataset.range);
    new MutationObserver(() => { for (const box of document.querySelectorAll(".plot-live:not([hidden])")) { const b = box.closest("figure").querySelector(".plot-interactive"); draw(box, figures.get(nameOf(b.dataset.plot))); } }).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }
  if (document.readyState === "complete") start(); else addEventListener("DOMContentLoaded", start);
})();
