"use strict";
(function () {
  var steps = Array.prototype.slice.call(document.querySelectorAll("details.step"));
  function setAll(open) { steps.forEach(function (s) { if (!s.hidden) s.open = open; }); }
  // A printed page has no one to open its steps.
  var before = null;
  addEventListener("beforeprint", function () {
    before = steps.map(function (s) { return s.open; });
    steps.forEach(function (s) { s.open = true; });
  });
  // What a link leads into is opened.
  function follow() {
    var to = location.hash && document.getElementById(location.hash.slice(1));
    if (to && to.firstElementChild.tagName === "DETAILS") to.firstElementChild.open = true;
  }
  addEventListener("hashchange", follow);
  follow();
  addEventListener("afterprint", function () {
    if (before) steps.forEach(function (s, i) { s.open = before[i]; });
  });
  var form = document.getElementById("filter");
  if (!form) return;
  var words = document.getElementById("words"), only = document.getElementById("only"), shown = document.getElementById("shown");
  var texts = steps.map(function (s) { return s.querySelector("summary .what").textContent.toLowerCase(); });
  function apply() {
    var want = words.value.toLowerCase().split(/\s+/), n = 0;
    steps.forEach(function (s, i) {
      var fits = want.every(function (w) { return texts[i].indexOf(w) >= 0; }) &&
        (only.value === "" || (only.value === "said" ? s.hasAttribute("data-said") : s.getAttribute("data-state") === only.value));
      s.hidden = !fits;
      if (fits) n++;
    });
    shown.textContent = n + " of " + steps.length;
  }
  form.addEventListener("submit", function (e) { e.preventDefault(); });
  words.addEventListener("input", apply);
  only.addEventListener("change", apply);
  document.getElementById("openall").addEventListener("click", function () { setAll(true); });
  document.getElementById("closeall").addEventListener("click", function () { setAll(false); });
  form.hidden = false;
})();
