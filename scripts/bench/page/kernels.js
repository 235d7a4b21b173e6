/* SPDX-License-Identifier: BSD-3-Clause */
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("data").textContent), rows = data.rows;
  var detail = document.getElementById("detail"), body = document.querySelector("#rows tbody");
  var words = document.getElementById("words"), size = document.getElementById("size"), more = document.getElementById("more");
  var heads = document.querySelectorAll("#rows th"), shown = 100, column = 5, down = true;

  function duration(ns) {
    var unit = ns >= 1e9 ? [1e9, " s"] : ns >= 1e6 ? [1e6, " ms"] : [1e3, " µs"], v = ns / unit[0];
    return (v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2)) + unit[1];
  }
  function ratio(v) { return v >= 10 ? v.toFixed(0) : v.toFixed(2); }
  function number(n) { return n.toLocaleString("en-GB"); }
  function show(cell) {
    if (cell.dataset.why) { detail.textContent = cell.dataset.why; return; }
    var r = rows[cell.dataset.i], how = data.how[r[9]];
    detail.textContent = r[0] + " " + r[1] + ", " + number(r[2]) + " elements: numd " + duration(r[3]) + " (" +
      duration(r[6][0]) + " to " + duration(r[6][1]) + "), NumPy " + duration(r[4]) + " (" + duration(r[7][0]) +
      " to " + duration(r[7][1]) + "), ratio " + ratio(r[5]) + ". " + how[0] + " against " + how[1] +
      (how[2] ? " (" + how[2] + ")" : "");
  }
  ["click", "mouseover"].forEach(function (kind) {
    document.querySelector(".maps").addEventListener(kind, function (event) {
      var cell = event.target.closest("td");
      if (cell && (cell.dataset.i || cell.dataset.why)) show(cell);
    });
  });

  function draw() {
    var wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    var found = rows.filter(function (r) {
      var text = (r[0] + " " + r[1] + " " + r[8]).toLowerCase();
      return (!size.value || r[10] === +size.value) && wanted.every(function (w) { return text.indexOf(w) >= 0; });
    });
    found.sort(function (a, b) {
      var order = a[column] < b[column] ? -1 : a[column] > b[column] ? 1 : 0;
      return down ? -order : order;
    });
    body.textContent = "";
    found.slice(0, shown).forEach(function (r) {
      var line = body.insertRow();
      [r[0], r[1], number(r[2]), duration(r[3]), duration(r[4])].forEach(function (text) {
        line.insertCell().textContent = text;
      });
      var mark = document.createElement("span");
      mark.className = data.bins.find(function (bin) { return r[5] <= bin[0]; })[1];
      mark.textContent = ratio(r[5]);
      line.insertCell().appendChild(mark);
    });
    document.getElementById("count").textContent = Math.min(shown, found.length) + " of " + found.length + " shown";
    more.hidden = found.length <= shown;
    heads.forEach(function (head, i) {
      if (i === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }
  heads.forEach(function (head, i) {
    head.addEventListener("click", function () {
      down = i === column ? !down : i > 2;
      column = i;
      draw();
    });
  });
  words.addEventListener("input", draw);
  size.addEventListener("change", draw);
  more.addEventListener("click", function () { shown = Infinity; draw(); });
  draw();
})();
