"use strict";
(function () {
  const root = document.documentElement;
  const all = (what, where) => Array.from((where || document).querySelectorAll(what));
  const one = (what) => document.querySelector(what);
  root.classList.remove("plain");

  /* light and dark */
  const theme = one("#theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () =>
    root.classList.contains("dark") || (system.matches && !root.classList.contains("light"));
  const label = () => (theme.textContent = isDark() ? "light" : "dark");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const dark = isDark();
    root.classList.toggle("light", dark);
    root.classList.toggle("dark", !dark);
    label();
    draw();
  });
  system.addEventListener("change", () => { label(); draw(); });

  /* tabs: arrows, Home and End move; without this script all parts are shown */
  const bar = one(".tabs");
  const tabs = all("[role=tab]");
  bar.hidden = tabs.length < 2;
  function open(tab, focus) {
    tabs.forEach((each) => {
      const mine = each === tab;
      each.setAttribute("aria-selected", mine);
      each.tabIndex = mine ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = !mine;
    });
    if (focus) tab.focus();
    if (history.replaceState) history.replaceState(null, "", "#" + tab.dataset.name);
    draw();
  }
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      open(tabs[(to + tabs.length) % tabs.length], true);
    });
  });

  /* the labelled frames */
  const data = JSON.parse(one("#data").textContent);
  const frames = data.frames;
  const canvas = one("#canvas");
  const list = one("#frame");
  const story = one("#story");
  const hint = one("#hint");
  const dots = {};
  all(".pick").forEach((dot) => (dots[dot.dataset.frame] = dot));
  let present = -1;
  let atoms = null;

  function bytes(text) {
    const raw = atob(text);
    const made = new Uint8Array(raw.length);
    for (let n = 0; n < raw.length; n++) made[n] = raw.charCodeAt(n);
    return made;
  }
  function unpack(stored) {
    if (!stored) return null;
    const view = new DataView(bytes(stored.p).buffer);
    const numbers = bytes(stored.z);
    const places = [];
    for (let n = 0; n < numbers.length; n++) {
      places.push([0, 1, 2].map((k) => view.getInt16(6 * n + 2 * k, true) * stored.u));
    }
    return { numbers: numbers, places: places, cell: stored.c, origin: stored.o, left: stored.l };
  }
  function show(number) {
    if (!frames.length) return;
    if (dots[present]) dots[present].classList.remove("on");
    present = (number + frames.length) % frames.length;
    const frame = frames[present];
    if (dots[present]) {
      dots[present].classList.add("on");
      dots[present].parentNode.appendChild(dots[present]);
    }
    list.value = String(present);
    story.textContent = "";
    const rows = frame.s.concat(data.shared[frame.i] || []);
    rows.forEach((row) => {
      ["dt", "dd"].forEach((tag, n) => {
        const part = document.createElement(tag);
        part.textContent = row[n];
        story.appendChild(part);
      });
    });
    atoms = unpack(frame.a);
    const left = atoms && atoms.left ? " " + atoms.left + " atoms beyond these are not drawn." : "";
    hint.textContent = atoms
      ? "Drag or use the arrow keys to turn, + and − to zoom, 0 to begin again." + left
      : "The page does not hold the structure of this frame.";
    draw();
  }
  if (list) {
    frames.forEach((frame, n) => list.appendChild(new Option(frame.t, String(n))));
    list.addEventListener("change", () => show(Number(list.value)));
    one("#before").addEventListener("click", () => show(present - 1));
    one("#after").addEventListener("click", () => show(present + 1));
    one("#worst").addEventListener("click", () => show(data.worst));
    all(".pick").forEach((dot) => dot.addEventListener("click", () => show(Number(dot.dataset.frame))));
  }

  /* the structure: balls in the order of their depth, and the cell */
  let turn = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  let zoom = 1;
  const times = (a, b) => a.map((row) => [0, 1, 2].map((k) => row[0] * b[0][k] + row[1] * b[1][k] + row[2] * b[2][k]));
  const apply = (m, v) => m.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
  function rotate(x, y) {
    const a = [[1, 0, 0], [0, Math.cos(y), -Math.sin(y)], [0, Math.sin(y), Math.cos(y)]];
    const b = [[Math.cos(x), 0, Math.sin(x)], [0, 1, 0], [-Math.sin(x), 0, Math.cos(x)]];
    turn = times(times(a, b), turn);
    draw();
  }
  function begin() {
    turn = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    zoom = 1;
    rotate(-0.5, 0.35);
  }
  function corners(cell) {
    const found = [];
    for (let n = 0; n < 8; n++) {
      found.push([0, 1, 2].map((k) => [0, 1, 2].reduce((sum, v) => sum + (n >> v & 1) * cell[3 * v + k], 0)));
    }
    return found;
  }
  const shades = {};
  function ball(number, size) {
    const key = number + " " + size;
    if (shades[key]) return shades[key];
    const made = document.createElement("canvas");
    made.width = made.height = 2 * size + 2;
    const pen = made.getContext("2d");
    const light = pen.createRadialGradient(0.7 * size, 0.7 * size, 0.1 * size, size + 1, size + 1, size);
    const [red, green, blue] = (data.elements[number] || ["", [128, 128, 128], 1])[1];
    const mix = (to, part) => "rgb(" + [red, green, blue].map((c) => Math.round(c + (to - c) * part)).join(",") + ")";
    light.addColorStop(0, mix(255, 0.75));
    light.addColorStop(0.55, mix(255, 0));
    light.addColorStop(1, mix(0, 0.45));
    pen.fillStyle = light;
    pen.beginPath();
    pen.arc(size + 1, size + 1, size, 0, 7);
    pen.fill();
    return (shades[key] = made);
  }
  function draw() {
    if (!canvas || !canvas.clientWidth) return;
    const ratio = window.devicePixelRatio || 1;
    const size = Math.round(canvas.clientWidth * ratio);
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, size, size);
    if (!atoms) return;
    const edges = corners(atoms.cell).map((v) => v.map((c, k) => c + atoms.origin[k]));
    const reach = Math.max(1, ...atoms.places.concat(edges).map((v) => Math.hypot(v[0], v[1], v[2])));
    const scale = (0.46 * size * zoom) / (reach + 1);
    const put = (v) => {
      const w = apply(turn, v);
      return [size / 2 + scale * w[0], size / 2 - scale * w[1], w[2]];
    };
    pen.strokeStyle = getComputedStyle(root).getPropertyValue("--grey");
    pen.lineWidth = ratio;
    const spots = edges.map(put);
    for (let n = 0; n < 8; n++) {
      [1, 2, 4].filter((bit) => !(n & bit)).forEach((bit) => {
        pen.beginPath();
        pen.moveTo(spots[n][0], spots[n][1]);
        pen.lineTo(spots[n | bit][0], spots[n | bit][1]);
        pen.stroke();
      });
    }
    atoms.places
      .map((v, n) => [put(v), atoms.numbers[n]])
      .sort((a, b) => a[0][2] - b[0][2])
      .forEach(([spot, number]) => {
        const radius = (data.elements[number] || [0, 0, 1])[2];
        const wide = Math.max(2, Math.round(0.62 * radius * scale));
        pen.drawImage(ball(number, wide), spot[0] - wide - 1, spot[1] - wide - 1);
      });
  }
  if (canvas) {
    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      held = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!held) return;
      rotate((event.clientX - held[0]) / 120, (event.clientY - held[1]) / 120);
      held = [event.clientX, event.clientY];
    });
    ["pointerup", "pointercancel"].forEach((name) => canvas.addEventListener(name, () => (held = null)));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom = Math.min(8, Math.max(0.3, zoom * (event.deltaY < 0 ? 1.1 : 0.9)));
      draw();
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] };
      if (steps[event.key]) rotate(...steps[event.key]);
      else if (event.key === "+" || event.key === "=") zoom = Math.min(8, zoom * 1.15);
      else if (event.key === "-") zoom = Math.max(0.3, zoom / 1.15);
      else if (event.key === "0") begin();
      else if (event.key === "PageDown") show(present + 1);
      else if (event.key === "PageUp") show(present - 1);
      else return;
      event.preventDefault();
      draw();
    });
    begin();
  }
  window.addEventListener("resize", draw);
  label();
  const named = tabs.find((tab) => "#" + tab.dataset.name === location.hash);
  if (tabs.length) open(named || tabs[0]);
  if (frames.length) show(data.worst);
})();
