"use strict";
(() => {
  const P = JSON.parse(document.getElementById("player-data").textContent);
  const $ = (id) => document.getElementById(id);
  const [, T, F, ...X] = P.truth.shape, size = X.reduce((a, b) => a * b, 1);
  const top = 2 ** P.bits - 2, ratio = Math.min(window.devicePixelRatio || 1, 2);
  const decode = (a) => {
    const bytes = Uint8Array.from(atob(a.base64), (c) => c.charCodeAt(0));
    return P.bits === 16 ? new Uint16Array(bytes.buffer) : bytes;
  };
  const names = ["given", "truth", "prediction", "error"].filter((n) => P[n]);
  const arrays = Object.fromEntries(names.map((n) => [n, decode(P[n])]));
  const fieldsOf = (n) => P[n].shape[2];
  const frame = (n, t) => {
    const f = Math.min(field, fieldsOf(n) - 1), start = ((group * T + t) * fieldsOf(n) + f) * size;
    return arrays[n].subarray(start, start + size);
  };
  const range = (n) => {
    // (low, high) by group, frame (one for all frames of a rollout) and field.
    const s = { given: P.given_scale, error: P.error_scale }[n] || P.scale;
    return s.map((ends) => { const row = ends[group][Math.min(now, ends[group].length - 1)]; return row[Math.min(field, row.length - 1)]; });
  };
  let group = 0, field = 0, now = 0, timer = null;

  // Colours: viridis for fields, blue to red for errors; eight anchors each.
  const maps = {
    field: ["440154", "46327e", "365c8d", "277f8e", "1fa187", "4ac16d", "a0da39", "fde725"],
    error: ["16397f", "3f74b5", "8db6d8", "e6eaec", "ece6e3", "e09e84", "be5248", "7c1229"],
  };
  const table = (hexes) => Array.from({ length: 256 }, (_, i) => {
    const x = (i / 255) * (hexes.length - 1), j = Math.min(Math.floor(x), hexes.length - 2), w = x - j;
    const part = (h, k) => parseInt(h.slice(2 * k, 2 * k + 2), 16);
    return [0, 1, 2].map((k) => Math.round((1 - w) * part(hexes[j], k) + w * part(hexes[j + 1], k)));
  });
  const tables = { field: table(maps.field), error: table(maps.error) };
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (v) => (v === 0 ? "0" : Math.abs(v) >= 1e-2 && Math.abs(v) < 1e4 ? String(+v.toPrecision(3)) : v.toExponential(1));

  const picture = (rows, cols, value, kind) => {
    const c = document.createElement("canvas");
    c.width = cols; c.height = rows;
    const pixels = c.getContext("2d").createImageData(cols, rows), lut = tables[kind];
    for (let i = 0; i < rows * cols; i++) {
      const v = value(i), [r, g, b] = v > top ? [128, 128, 128] : lut[Math.round((v / top) * 255)];
      pixels.data.set([r, g, b, P.blank && v > top ? 0 : 255], 4 * i);
    }
    c.getContext("2d").putImageData(pixels, 0, 0);
    return c;
  };
  const fit = (c, aspect) => {
    const w = c.clientWidth, h = Math.round(w * aspect);
    c.style.height = h + "px";
    if (c.width !== Math.round(w * ratio) || c.height !== Math.round(h * ratio)) { c.width = Math.round(w * ratio); c.height = Math.round(h * ratio); }
    const g = c.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0); g.clearRect(0, 0, w, h);
    return [g, w, h];
  };
  const ticks = (a, b, most) => {
    const raw = (b - a) / most, base = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * base).find((s) => s >= raw), out = [];
    for (let v = Math.ceil(a / step - 1e-9) * step; v <= b + 1e-9 * step; v += step) out.push(Math.abs(v) < 1e-9 * step ? 0 : v);
    return out;
  };

  // A line plot: curves are [name, colour, width].
  const lines = (canvas, curves, aspect) => {
    const [g, w, h] = fit(canvas, aspect), [lo, hi] = range(curves[0][0]), pad = 0.06 * (hi - lo) || 1;
    const a = lo - pad, b = hi + pad, left = 52, right = 6, under = 18, above = 6;
    const x0 = P.origin[0], x1 = x0 + P.lengths[0], px = (i) => left + ((w - left - right) * i) / X[0];
    const py = (v) => above + (h - above - under) * (1 - (v - a) / (b - a));
    g.font = "11.5px system-ui, sans-serif"; g.fillStyle = css("--soft"); g.strokeStyle = css("--rule"); g.lineWidth = 1;
    g.textAlign = "right"; g.textBaseline = "middle";
    for (const v of ticks(a, b, h < 120 ? 2 : 5)) { g.beginPath(); g.moveTo(left, py(v)); g.lineTo(w - right, py(v)); g.stroke(); g.fillText(short(v), left - 6, py(v)); }
    g.textAlign = "center"; g.textBaseline = "top";
    for (const v of ticks(x0, x1, 6)) g.fillText(short(v), left + ((w - left - right) * (v - x0)) / (x1 - x0), h - under + 4);
    for (const [name, colour, width] of curves) {
      const u = frame(name, now), [low, high] = range(name);
      g.strokeStyle = css(colour); g.lineWidth = width; g.lineJoin = "round"; g.beginPath();
      let pen = false;
      for (let i = 0; i < X[0]; i++) {
        if (u[i] > top) { pen = false; continue; }
        const y = py(low + ((high - low) * u[i]) / top);
        if (pen) g.lineTo(px(i), y); else g.moveTo(px(i), y);
        pen = true;
      }
      g.stroke();
    }
  };
  // x across, time down: one picture for all frames, a line where we are.
  const strips = {};
  const strip = (canvas, name) => {
    const key = [name, group, field].join();
    const rows = strips[key] ||= picture(T, X[0], (i) => frame(name, Math.floor(i / X[0]))[i % X[0]], name === "error" ? "error" : "field");
    const [g, w, h] = fit(canvas, 0.29);
    g.imageSmoothingEnabled = false; g.drawImage(rows, 0, 0, w, h);
    const y = ((now + 0.5) / T) * h;
    g.strokeStyle = "#fff"; g.lineWidth = 3; g.beginPath(); g.moveTo(0, y); g.lineTo(w, y); g.stroke();
    g.strokeStyle = "#000"; g.lineWidth = 1; g.beginPath(); g.moveTo(0, y); g.lineTo(w, y); g.stroke();
  };
  // First axis to the right, second one up.
  const image = (canvas, name) => {
    const u = frame(name, now), [n, m] = X, [g, w, h] = fit(canvas, P.lengths[1] / P.lengths[0]);
    const drawn = picture(m, n, (i) => u[(i % n) * m + (m - 1 - Math.floor(i / n))], name === "error" ? "error" : "field");
    g.imageSmoothingEnabled = false; g.drawImage(drawn, 0, 0, w, h);
  };
  const bars = () => document.querySelectorAll(".scale").forEach((box) => {
    const name = box.dataset.of, [lo, hi] = range(name), c = box.querySelector("canvas");
    box.firstElementChild.textContent = short(lo); box.lastElementChild.textContent = short(hi);
    c.width = 256; c.height = 1;
    c.getContext("2d").drawImage(picture(1, 256, (i) => (i / 255) * top, name === "error" ? "error" : "field"), 0, 0);
  });

  const draw = () => {
    const error = P.errors[group][now];
    $("player-label").textContent = P.labels[group][now] + "   ·   relative L2 error " + (error === null ? "not finite" : short(100 * error) + " %");
    for (const c of document.querySelectorAll("canvas[data-plot]")) {
      const [kind, name] = c.dataset.plot.split(" ");
      if (kind === "image") image(c, name);
      else if (kind === "strip") strip(c, name);
      else if (name === "both") lines(c, [["truth", "--truth", 4.5], ["prediction", "--c0", 1.6]], 0.5);
      else lines(c, [[name, name === "error" ? "--c3" : "--c4", 1.6]], name === "given" ? 0.5 : P.given ? 0.17 : 0.3);
    }
  };
  const go = (t) => { now = t; $("player-slider").value = t; bars(); draw(); };
  const stop = () => { clearInterval(timer); timer = null; $("player-play").textContent = "▶ play"; };
  $("player-slider").max = T - 1;
  $("player-slider").addEventListener("input", (e) => { stop(); go(+e.target.value); });
  $("player-play").addEventListener("click", () => {
    if (timer) return stop();
    $("player-play").textContent = "❚❚ pause";
    timer = setInterval(() => go((now + 1) % T), Math.max(60, Math.min(400, 6000 / T)));
  });
  for (const [id, set] of [["player-group", (v) => { group = v; }], ["player-field", (v) => { field = v; }]])
    if ($(id)) $(id).addEventListener("change", (e) => { set(+e.target.value); go(now); });
  addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  go(Math.floor((T - 1) / 2));
})();
