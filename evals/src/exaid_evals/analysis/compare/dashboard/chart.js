// Drawing: axes, lines and intervals as SVG. Text goes in as text, never as markup.
const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, words) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (words !== undefined) element.textContent = words;
  return element;
}

function short(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(4)));
}

function ticks(low, high, wanted) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / wanted;
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) {
    found.push(Number((at * step).toPrecision(12)));
  }
  return found;
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const factor of [1, 2, 5]) {
      const value = factor * Math.pow(10, power);
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found.length > 8 ? found.filter((value) => /^1(e|0*$|$)/.test(String(Number(value.toPrecision(3)))) || Math.log10(value) % 1 === 0) : found;
}

function scaleOf(low, high, from, to, log) {
  const f = log ? Math.log10 : (value) => value;
  const a = f(low), b = f(high);
  return (value) => from + ((f(value) - a) / (b - a || 1)) * (to - from);
}

// Lines: [{name, steps, values, look, ended}], a line that ended early with how; marks: [{step, label}]. Returns {steps, at(step)} for the cursor.
function drawLines(svg, lines, marks, log) {
  const width = Math.max(280, svg.parentNode.clientWidth - 40), height = Math.round(Math.min(420, Math.max(240, width * 0.42)));
  const box = { left: 54, right: width - 10, top: 12, bottom: height - 30 };
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  const positive = (value) => !log || value > 0;
  let xs = [Infinity, -Infinity], ys = [Infinity, -Infinity];
  for (const line of lines) {
    line.steps.forEach((step, at) => {
      if (!positive(line.values[at])) return;
      xs = [Math.min(xs[0], step), Math.max(xs[1], step)];
      ys = [Math.min(ys[0], line.values[at]), Math.max(ys[1], line.values[at])];
    });
  }
  if (!(xs[1] >= xs[0])) {
    const words = lines.length ? "no positive value to draw on a logarithmic axis" : "choose runs in the table to draw their histories";
    svg.append(shape("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, words));
    return null;
  }
  if (log) ys = [ys[0] / 1.1, ys[1] * 1.1];
  else {
    const room = (ys[1] - ys[0]) * 0.05 || Math.abs(ys[0]) * 0.05 || 0.5;
    ys = [ys[0] - room, ys[1] + room];
  }
  const x = scaleOf(xs[0], xs[1], box.left, box.right, false), y = scaleOf(ys[0], ys[1], box.bottom, box.top, log);
  for (const value of log ? logTicks(ys[0], ys[1]) : ticks(ys[0], ys[1], 5)) {
    svg.append(shape("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) }));
    svg.append(shape("text", { x: box.left - 8, y: y(value) + 4, "text-anchor": "end" }, short(value)));
  }
  for (const value of ticks(xs[0], xs[1], width < 500 ? 4 : 8)) {
    svg.append(shape("text", { x: x(value), y: box.bottom + 17, "text-anchor": "middle" }, short(value)));
  }
  svg.append(shape("text", { x: box.right, y: height - 1, "text-anchor": "end" }, "step"));
  const numbered = marks.map((one, index) => ({ ...one, number: index + 1 })).filter((one) => one.step >= xs[0] && one.step <= xs[1]);
  const taken = new Map();
  for (const mark of numbered) {
    const line = shape("line", { class: "divergence", x1: x(mark.step), x2: x(mark.step), y1: box.top, y2: box.bottom });
    line.append(shape("title", {}, mark.label));
    svg.append(line);
    // Lines of one step, or of neighbouring ones, share a place: their numbers stand below each other.
    const place = Math.round(x(mark.step) / 14), row = taken.get(place) ?? 0;
    taken.set(place, row + 1);
    if (marks.length > 1) svg.append(shape("text", { class: "mark", x: x(mark.step) + 3, y: box.top + 10 + 12 * row }, String(mark.number)));
  }
  for (const line of lines) {
    const points = line.steps.map((step, at) => [step, line.values[at]]).filter((point) => positive(point[1]));
    if (points.length === 1) {
      svg.append(shape("circle", { class: line.look, cx: x(points[0][0]), cy: y(points[0][1]), r: 3, fill: "none" }));
      continue;
    }
    const d = points.map((point, at) => `${at ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)}`).join("");
    const path = shape("path", { class: `line ${line.look}`, d });
    path.append(shape("title", {}, line.name));
    svg.append(path);
    if (line.ended && points.length) {
      const [cx, cy] = [x(points.at(-1)[0]), y(points.at(-1)[1])], d = `M${cx - 4} ${cy - 4}l8 8m0 -8l-8 8`;
      const cross = shape("path", { class: `end ${line.look.split(" ")[0]}`, d });
      cross.append(shape("title", {}, `${line.name} ${line.ended}`));
      svg.append(cross);
    }
  }
  const cursor = shape("line", { class: "cursor", y1: box.top, y2: box.bottom, visibility: "hidden" });
  svg.append(cursor);
  const steps = [...new Set(lines.flatMap((line) => line.steps))].sort((a, b) => a - b);
  return {
    steps,
    nearest(clientX) {
      const frame = svg.getBoundingClientRect();
      const inside = ((clientX - frame.left) / frame.width) * width;
      const wanted = xs[0] + ((inside - box.left) / (box.right - box.left)) * (xs[1] - xs[0]);
      return steps.reduce((best, step, at) => (Math.abs(step - wanted) < Math.abs(steps[best] - wanted) ? at : best), 0);
    },
    show(at) {
      cursor.setAttribute("x1", x(steps[at]));
      cursor.setAttribute("x2", x(steps[at]));
      cursor.setAttribute("visibility", "visible");
    },
  };
}

// Groups: [{name, value, low, high, basis, n}], in order.
function drawIntervals(svg, groups) {
  const width = Math.max(280, svg.parentNode.clientWidth - 40), narrow = width < 560;
  // Where there is little room, a name stands above its interval.
  const row = narrow ? 38 : 24, top = 6, left = narrow ? 12 : 290, shownName = narrow ? 44 : 42;
  const height = top + groups.length * row + 30;
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  const all = groups.flatMap((one) => [one.value, one.low ?? one.value, one.high ?? one.value]);
  if (!all.length) return;
  let low = Math.min(...all), high = Math.max(...all);
  const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 0.5;
  low -= room;
  high += room;
  const x = scaleOf(low, high, left, width - 14, false);
  for (const value of ticks(low, high, narrow ? 4 : 6)) {
    svg.append(shape("line", { class: "grid", x1: x(value), x2: x(value), y1: top, y2: height - 26 }));
    svg.append(shape("text", { x: x(value), y: height - 10, "text-anchor": "middle" }, short(value)));
  }
  groups.forEach((one, at) => {
    const y = top + at * row + (narrow ? 28 : row / 2), weak = one.basis === "within_run" || one.basis === "none" ? " weak" : "";
    const name = one.name.length > shownName ? `${one.name.slice(0, shownName - 1)}…` : one.name;
    const place = narrow ? { x: 2, y: y - 11 } : { x: left - 12, y: y + 4, "text-anchor": "end" };
    const label = shape("text", { class: at ? "" : "title", ...place }, name);
    const title = `${one.name}: ${short(one.value)} [${short(one.low)}, ${short(one.high)}], n = ${one.n}, ${one.basis.replace("_", " ")}`;
    label.append(shape("title", {}, title));
    svg.append(label);
    if (one.low !== null) {
      svg.append(shape("line", { class: `whisker${weak}`, x1: x(one.low), x2: x(one.high), y1: y, y2: y }));
    }
    const dot = shape("circle", { class: `dot${weak}`, cx: x(one.value), cy: y, r: 4 });
    dot.append(shape("title", {}, title));
    svg.append(dot);
  });
}
