/* This page in other report versions, and which version this is. Data: versions.js. The versions lie beside the site, not in it: whether
   they are there is asked by loading a picture of nothing from among them, so that a copy of the site elsewhere has no dead links. */
(function () {
  "use strict";
  const page = document.body.dataset.page || "", root = document.body.dataset.root || "";
  let data = null, place = "";

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }
  function reachable(then) {
    if (!data.base) { then(false); return; }
    const mark = new Image();
    mark.addEventListener("load", () => then(true));
    mark.addEventListener("error", () => then(false));
    mark.src = place + "here.svg";
  }
  const way = (path) => place + path.split("/").map(encodeURIComponent).join("/");
  function having() {
    const other = data.others.find(([, pages]) => pages.includes(page));
    return (other ? other[0] : data.most).map((n) => data.all[n]).reverse();
  }
  function thisPage() {
    const box = document.querySelector(".in-versions"), held = having();
    if (!box || !data.all.length || !page) return;
    const list = el("ul", {}), about = el("p", { class: "small muted", role: "status" }, "looking for them …");
    const details = el("details", {}, el("summary", { class: "heading" }, "This page in version …"), about, list);
    details.addEventListener("toggle", () => {
      if (!details.open || list.children.length) return;
      reachable((there) => {
        if (!held.length) about.textContent = "No report version has this page.";
        else if (!there) about.textContent = "The report versions are not beside this copy of the site. These have the page:";
        else about.remove();
        list.replaceChildren(...held.map(([number, label, date, folder]) => {
          const text = number + ": " + label, title = "archived " + date;
          return el("li", { title: title }, there ? el("a", { href: way(folder + "/data/site/" + page) }, text) : text);
        }));
        list.append(el("li", {}, el("a", { href: root + "versions.html" }, "all versions")));
      });
    });
    box.append(details);
    box.hidden = false;
  }
  function links() {
    const places = document.querySelectorAll("[data-in-versions]");
    if (places.length) reachable((there) => {
      if (there) for (const p of places) p.replaceChildren(el("a", { href: way(p.dataset.inVersions) }, p.textContent));
    });
  }
  function banner() {
    const own = data.this, head = document.querySelector(".bd-article");
    if (!own || !head) return;
    head.prepend(el("p", { class: "notice notice-note archived-copy" }, "Report version " + own.number + " (" + own.label + "), archived " + own.date.slice(0, 10) + " by " + own.author + ": this page is as it was then."));
  }
  function start() {
    data = window.calbookVersions;
    if (!data) return;
    place = root + data.base;
    thisPage(); links(); banner();
  }
  if (document.readyState === "complete") start(); else addEventListener("DOMContentLoaded", start);
})();
