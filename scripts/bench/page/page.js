/* SPDX-License-Identifier: BSD-3-Clause */
// Lights the chosen ways up in every picture: [data-s] is a series in a picture or, on a button, the one that it stands
// for. Without this script the page shows the same, but nothing can be chosen.
(function () {
  "use strict";
  var chooser = document.querySelector(".chooser"), root = document.documentElement, chosen = {};
  if (!chooser) return;
  var buttons = chooser.querySelectorAll("button[data-s]"), only = document.getElementById("only");

  function each(series, visit) {
    document.querySelectorAll('svg [data-s="' + series + '"]').forEach(visit);
  }
  function light(series, name, on) {
    each(series, function (element) {
      element.classList.toggle(name, on);
      if (on) element.parentNode.appendChild(element);  // in front of the others
    });
  }
  function show() {
    root.classList.toggle("choosing", Object.keys(chosen).length > 0);
    root.classList.toggle("only", only.checked && Object.keys(chosen).length > 0);
  }
  function choose(button, on) {
    var series = button.dataset.s;
    button.setAttribute("aria-pressed", on);
    if (on) chosen[series] = true; else delete chosen[series];
    light(series, "lit", on);
    show();
  }
  buttons.forEach(function (button) {
    button.addEventListener("click", function () { choose(button, !chosen[button.dataset.s]); });
    button.addEventListener("mouseenter", function () { light(button.dataset.s, "near", true); });
    button.addEventListener("mouseleave", function () { light(button.dataset.s, "near", false); });
  });
  document.getElementById("none").addEventListener("click", function () {
    buttons.forEach(function (button) { choose(button, false); });
  });
  only.addEventListener("change", show);
  chooser.hidden = false;
  chooser.open = window.matchMedia("(min-width: 40rem)").matches;
})();
