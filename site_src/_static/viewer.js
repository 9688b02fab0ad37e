/* A viewer for frames and figures: zoom, pan, brightness, contrast, blink between two. Opens from a.frame, a.preview and a.full;
   without this script those are plain links to the image. Keys work only while the viewer is open. */
(function () {
  "use strict";
  const BLINK = 600;
  let dialog = null, parts = {}, items = [], at = 0, other = -1, timer = 0, scale = 1, x = 0, y = 0, back = null;

  const make = (tag, attributes, ...children) => { const n = document.createElement(tag); for (const [k, v] of Object.entries(attributes || {})) n.setAttribute(k, v); n.append(...children); return n; };
  const button = (label, title, action) => { const b = make("button", { type: "button", title: title }, label); b.addEventListener("click", () => action(b)); return b; };
  const slider = (label, value, low, high) => { const i = make("input", { type: "range", min: low, max: high, step: "0.02", value: value }); i.addEventListener("input", draw); return [make("label", {}, label, i), i]; };

  function build() {
    const [brightLabel, bright] = slider("Brightness", "1", "0.2", "4"), [contrastLabel, contrast] = slider("Contrast", "1", "0.2", "6");
    parts = { bright: bright, contrast: contrast, caption: make("div", { class: "viewer-caption", role: "status", "aria-live": "polite" }), stage: make("div", { class: "viewer-stage", tabindex: "0", "aria-label": "Image; drag to move, plus and minus to zoom" }), image: make("img", { alt: "" }), position: make("span", { class: "muted" }) };
    parts.invert = button("Invert", "Invert the scale (i)", () => { toggle(parts.invert); draw(); });
    parts.blink = button("Blink", "Blink with the marked image (b)", blink);
    parts.mark = button("Mark", "Mark this image to blink with (m)", mark);
    parts.scales = [brightLabel, contrastLabel, parts.invert];
    parts.many = [button("◂ Previous", "Previous image (,)", () => step(-1)), button("Next ▸", "Next image (.)", () => step(1)), parts.position, parts.mark, parts.blink];
    const close = button("Close", "Close (Escape)", () => dialog.close()); close.classList.add("close");
    const bar = make("div", { class: "viewer-bar" }, ...parts.many, button("−", "Zoom out (-)", () => zoom(1 / 1.4)), button("+", "Zoom in (+)", () => zoom(1.4)), button("Fit", "Fit (0)", fit), ...parts.scales, button("Reset", "Reset the scale", () => { bright.value = contrast.value = "1"; parts.invert.setAttribute("aria-pressed", "false"); draw(); }), close);
    parts.stage.append(parts.image);
    dialog = make("dialog", { class: "viewer", "aria-label": "Image viewer" }, bar, parts.stage, parts.caption);
    document.body.append(dialog);
    parts.image.addEventListener("load", () => { if (!timer) fit(); });
    parts.image.addEventListener("error", () => { parts.caption.textContent = "This image is not in the site."; });
    dialog.addEventListener("close", () => { stop(); if (back) back.focus(); });
    dialog.addEventListener("keydown", keys);
    dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
    parts.stage.addEventListener("wheel", (e) => { e.preventDefault(); zoom(e.deltaY < 0 ? 1.15 : 1 / 1.15, e); }, { passive: false });
    dragging();
  }
  function dragging() {
    const stage = parts.stage, points = new Map(); let gap = 0;
    stage.addEventListener("pointerdown", (e) => { points.set(e.pointerId, [e.clientX, e.clientY]); stage.setPointerCapture(e.pointerId); });
    stage.addEventListener("pointermove", (e) => {
      const from = points.get(e.pointerId); if (!from) return;
      if (points.size === 1) { x += e.clientX - from[0]; y += e.clientY - from[1]; draw(); }
      points.set(e.pointerId, [e.clientX, e.clientY]);
      if (points.size === 2) { const [a, b] = [...points.values()], now = Math.hypot(a[0] - b[0], a[1] - b[1]); if (gap) zoom(now / gap); gap = now; }
    });
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (e) => { points.delete(e.pointerId); gap = 0; });
  }
  function keys(event) {
    if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = { "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), "0": fit, ",": () => step(-1), ".": () => step(1), i: () => { toggle(parts.invert); draw(); }, b: blink, m: mark, ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60) };
    if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
  }
  function toggle(b) { b.setAttribute("aria-pressed", b.getAttribute("aria-pressed") === "true" ? "false" : "true"); }
  function pan(dx, dy) { x += dx; y += dy; draw(); }
  function draw() {
    const image = parts.image;
    image.style.transform = "translate(" + x + "px," + y + "px) scale(" + scale + ")";
    image.style.filter = "brightness(" + parts.bright.value + ") contrast(" + parts.contrast.value + ")" + (parts.invert.getAttribute("aria-pressed") === "true" ? " invert(1)" : "");
  }
  function fit() {
    const image = parts.image, stage = parts.stage, w = image.naturalWidth || image.width, h = image.naturalHeight || image.height;
    if (!w || !h) return;
    image.style.margin = "0"; image.style.width = w + "px"; image.style.height = h + "px";
    scale = Math.min(stage.clientWidth / w, stage.clientHeight / h) * 0.97;
    x = (stage.clientWidth - w * scale) / 2; y = (stage.clientHeight - h * scale) / 2;
    draw();
  }
  function zoom(factor, event) {
    const box = parts.stage.getBoundingClientRect(), px = event ? event.clientX - box.left : box.width / 2, py = event ? event.clientY - box.top : box.height / 2;
    const next = Math.min(60, Math.max(0.05, scale * factor)), ratio = next / scale;
    x = px - (px - x) * ratio; y = py - (py - y) * ratio; scale = next; draw();
  }
  function show() {
    const item = items[at];
    parts.image.src = item.href; parts.image.alt = item.caption; parts.caption.textContent = item.caption;
    parts.position.textContent = at + 1 + " of " + items.length;
    parts.mark.setAttribute("aria-pressed", String(other === at));
  }
  function step(by) { stop(); if (items.length > 1) { at = (at + by + items.length) % items.length; show(); } }
  function mark() { other = other === at ? -1 : at; show(); }
  function stop() { clearInterval(timer); timer = 0; if (parts.blink) parts.blink.setAttribute("aria-pressed", "false"); }
  function swap() { const was = at; at = other; other = was; show(); }
  function blink() {
    if (items.length < 2) return;
    if (timer) { stop(); return; }
    if (other < 0 || other === at) other = (at + 1) % items.length;
    swap();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return; /* then each press swaps once */
    parts.blink.setAttribute("aria-pressed", "true");
    timer = setInterval(swap, BLINK);
  }
  function open(link) {
    if (!dialog) build();
    const strip = link.closest(".strip, table.data"), plot = !strip;
    const dark = document.documentElement.dataset.theme === "dark";
    items = (strip ? [...strip.querySelectorAll("a.frame, tr:not([hidden]) a.preview")] : [link]).map((a) => {
      const shown = plot ? a.querySelector(dark ? "img.only-dark" : "img.only-light") || a.querySelector("img") : null;
      return { link: a, href: shown ? shown.src : a.href, caption: a.dataset.caption || (a.querySelector("img") || {}).alt || a.textContent.trim() };
    });
    at = Math.max(0, items.findIndex((i) => i.link === link)); other = -1; back = link;
    parts.many.forEach((n) => (n.hidden = items.length < 2)); parts.scales.forEach((n) => (n.hidden = plot));
    parts.stage.classList.toggle("is-plot", plot);
    parts.bright.value = parts.contrast.value = "1"; parts.invert.setAttribute("aria-pressed", "false");
    dialog.showModal(); show(); parts.stage.focus();
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a.frame, a.preview, figure.plot a.full");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || !HTMLDialogElement.prototype.showModal) return;
    event.preventDefault(); open(link);
  });
})();
