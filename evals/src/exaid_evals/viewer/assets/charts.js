// Drawing: coverage against the budget, intervals on a common scale, and bars.
function coverageChart(curves, budgets, primary) {
  const width = Math.max(320, Math.min(760, window.innerWidth - 56)), height = Math.max(270, width / 2), names = Object.keys(curves).map((id) => short(id).length);
  const box = { left: 40, right: width - Math.max(40, 14 + 8 * Math.max(0, ...names)), top: 12, bottom: height - 42 };
  const largest = Math.max(...Object.values(curves).map((curve) => curve.x.at(-1)));
  const x = (value) => box.left + (value / largest) * (box.right - box.left), y = (value) => box.bottom - value * (box.bottom - box.top);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", tabindex: 0,
    "aria-label": "Coverage against the reading budget, a line a variant; the table beside it has the numbers. Arrow keys read values off." });
  for (const value of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
    svg.append(shape("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) }),
      shape("text", { x: box.left - 8, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(1)));
  }
  for (const budget of [0, ...budgets]) {
    svg.append(shape("line", { class: "budget", x1: x(budget), x2: x(budget), y1: box.top, y2: box.bottom }),
      shape("text", { x: x(budget), y: box.bottom + 17, "text-anchor": "middle" }, whole(budget)));
  }
  svg.append(shape("text", { x: (box.left + box.right) / 2, y: height - 5, "text-anchor": "middle" }, width < 500 ? "Reading budget (CTU)" : "Reading budget (CTU of updates, 4 characters each)"));
  const order = Object.keys(curves).sort((one, other) => (one === primary) - (other === primary));
  const drawn = order.map((id) => ({ id, ...curves[id] })).filter((one) => one.mean.some((value) => value !== null));
  for (const one of drawn) {
    const points = one.x.map((value, index) => [value, one.low[index], one.high[index]]).filter((point) => point[1] !== null && point[2] !== null);
    const edge = [...points.map((point) => [point[0], point[2]]), ...points.reverse().map((point) => [point[0], point[1]])];
    if (edge.length) svg.append(shape("path", { class: `band ${lookOf(one.id)}`, d: `M${edge.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join("L")}Z` }));
  }
  for (const one of drawn) {
    const points = one.x.map((value, index) => [value, one.mean[index]]).filter((point) => point[1] !== null);
    svg.append(shape("path", { class: `curve ${lookOf(one.id)}${one.id === primary ? " primary" : ""}`, d: `M${points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join("L")}` }));
  }
  const ends = drawn.map((one) => ({ id: one.id, y: y(one.mean.at(-1) ?? 0) })).sort((one, other) => one.y - other.y);
  ends.forEach((one, index) => { if (index) one.y = Math.max(one.y, ends[index - 1].y + 15); });
  const over = ends.length ? Math.max(0, ends.at(-1).y - box.bottom) : 0;
  for (const one of ends) svg.append(shape("text", { class: `end ${lookOf(one.id)}`, x: box.right + 9, y: one.y - over + 4 }, short(one.id), shape("title", { text: one.id })));
  const cursor = shape("line", { class: "cursor", y1: box.top, y2: box.bottom, visibility: "hidden" });
  const readout = el("output", { class: "readout", "aria-live": "polite" }, "Point at the chart to read values.");
  const grid = drawn.length ? drawn[0].x : [0];
  let position = -1;
  const read = (index) => {
    position = Math.max(0, Math.min(grid.length - 1, index));
    for (const name of ["x1", "x2"]) cursor.setAttribute(name, x(grid[position]));
    cursor.setAttribute("visibility", "visible");
    readout.replaceChildren(el("b", {}, `${whole(grid[position])} CTU`),
      ...drawn.slice().sort((one, other) => variantIds().indexOf(one.id) - variantIds().indexOf(other.id))
        .map((one) => el("span", {}, el("i", { class: `swatch ${lookOf(one.id)}` }), `${one.id} ${shown(one.mean[position], 3)}`)));
  };
  svg.append(cursor);
  svg.addEventListener("pointermove", (event) => {
    const place = svg.getBoundingClientRect(), value = (((event.clientX - place.left) * width) / place.width - box.left) / (box.right - box.left) * largest;
    read(grid.reduce((best, one, index) => (Math.abs(one - value) < Math.abs(grid[best] - value) ? index : best), 0));
  });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    read(position + step);
  });
  return el("figure", {}, svg, readout);
}

// A mean and its interval on a scale that the rows of a group share; zero is marked where it lies within.
function interval(value, low, high, [from, to]) {
  const width = 150, x = (one) => 4 + ((one - from) / (to - from || 1)) * (width - 8);
  const svg = shape("svg", { class: "interval", viewBox: `0 0 ${width} 14`, width, height: 14, "aria-hidden": "true" });
  if (from <= 0 && to >= 0) svg.append(shape("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: 14 }));
  if (low !== null && high !== null) svg.append(shape("line", { class: "whisker", x1: x(low), x2: x(high), y1: 7, y2: 7 }));
  if (value !== null) svg.append(shape("circle", { class: "dot", cx: x(value), cy: 7, r: 3.2 }));
  return svg;
}

// A bar from zero to a value, to either side; the length alone says how much, the number beside it says what.
function bar(value, largest, signed, look = "") {
  const width = 180, middle = signed ? width / 2 : 0, length = largest ? (Math.abs(value) / largest) * (signed ? width / 2 : width) : 0;
  return shape("svg", { class: "stick", viewBox: `0 0 ${width} 10`, width, height: 10, "aria-hidden": "true" },
    signed && shape("line", { class: "zero", x1: middle, x2: middle, y1: 0, y2: 10 }),
    shape("rect", { class: `fill ${look}`, x: value < 0 ? middle - length : middle, y: 1, width: Math.max(length, 0.5), height: 8, rx: 1 }));
}
