// The table, its filters, and what is chosen. Everything shown comes from the page's own data.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const MOST_DRAWN = 40, MOST_GROUPS = 30;
const state = { sort: null, descending: false, chosen: new Map(), cursor: null, chart: null };

// A setting may be called as a metric is (`lr`, which many log at each step): then both say which they are.
function labelled(name, kind) {
  const both = data.settings.includes(name) && data.metrics.some((metric) => metric.name === name);
  return both ? `${name} (${kind})` : name;
}

const columns = [
  { key: "name", label: "run", of: (run) => run.name, class: "name" },
  ...(data.grouped ? [{ key: "group", label: "group", of: (run) => data.groups[run.group].name }] : []),
  ...(data.runs.some((run) => run.seed !== null) ? [{ key: "seed", label: "seed", of: (run) => run.seed, number: true }] : []),
  ...data.metrics.map((metric, index) => ({
    key: `m${index}`, label: labelled(metric.name, "metric"), of: (run) => run.values[index], number: true, metric: true,
  })),
  { key: "grave", label: "anomalies", of: (run) => run.grave, number: true, bad: true },
  { key: "lost", label: "drops not recovered", of: (run) => run.lost, number: true, bad: true },
  ...data.settings.map((name, index) => ({ key: `s${index}`, label: labelled(name, "setting"), of: (run) => run.settings[index], setting: true })),
];

// Numbers within text count as numbers, decimals included, whatever the reader's language: lr0.01 before lr0.1, s9 before s10.
function byText(one, other) {
  const [a, b] = [one, other].map((text) => String(text).split(/(\d+(?:\.\d+)?)/));
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    if (a[at] === b[at]) continue;
    const order = at % 2 ? Number(a[at]) - Number(b[at]) : 0;
    return order || (a[at] < b[at] ? -1 : 1);
  }
  return a.length - b.length;
}

function compare(a, b, column, descending) {
  const one = column.of(a), other = column.of(b);
  const none = (value) => value === null || value === undefined || value === "absent";
  if (none(one) || none(other)) return none(one) - none(other);  // what is missing stands last either way
  const x = Number(one), y = Number(other);
  const order = Number.isNaN(x) || Number.isNaN(y) || one === "" || other === ""
    ? byText(one, other) : x - y;
  return descending ? -order : order;
}

function shownRuns() {
  const words = at("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const setting = at("setting").value, value = at("value").value;
  const metric = at("metric").value;
  const [low, high] = [at("low"), at("high")].map((field) => (field.value.trim() === "" ? null : Number(field.value)));
  const kept = data.runs.filter((run) => {
    if (!words.every((word) => run.words.includes(word))) return false;
    if (setting !== "" && value !== "" && run.settings[setting] !== data.choices[setting][value]) return false;
    if (low === null && high === null) return true;
    const number = run.values[metric];
    return number !== null && (low === null || number >= low) && (high === null || number <= high);
  });
  const column = columns.find((one) => one.key === state.sort);
  if (column) kept.sort((a, b) => compare(a, b, column, state.descending) || a.index - b.index);
  return kept;
}

function cell(run, column) {
  const element = document.createElement("td"), value = column.of(run);
  const words = column.metric ? short(value) : value === null || value === undefined ? "–" : String(value);
  element.textContent = words;
  if (column.class) element.classList.add(column.class);
  if (column.number) element.classList.add("n");
  if (column.bad && value > 0) element.classList.add("bad");
  if (words === "–" || words === "absent" || (column.bad && value === 0)) element.classList.add("none");
  if (words.length > 16) element.title = words;
  return element;
}

function drawTable() {
  const kept = shownRuns();
  const rows = kept.map((run) => {
    const row = document.createElement("tr"), pick = document.createElement("td"), box = document.createElement("input");
    box.type = "checkbox";
    box.checked = state.chosen.has(run.index);
    box.setAttribute("aria-label", `draw ${run.name}`);
    box.addEventListener("change", () => {
      choose(run.index, box.checked);
      row.classList.toggle("on", box.checked);
      drawChart();
    });
    pick.className = "pick";
    pick.append(box);
    row.classList.toggle("on", box.checked);
    row.dataset.run = run.index;
    row.append(pick, ...columns.map((column) => cell(run, column)));
    return row;
  });
  at("rows").replaceChildren(...rows);
  at("count").textContent = `${kept.length} of ${data.runs.length} runs`;
  const frame = at("rows").closest(".scroll");
  at("wide").hidden = frame.scrollWidth <= frame.clientWidth + 1;
  for (const head of at("heads").querySelectorAll("th[data-key]")) {
    head.setAttribute("aria-sort", head.dataset.key !== state.sort ? "none" : state.descending ? "descending" : "ascending");
  }
}

function choose(index, wanted) {
  if (!wanted) {
    state.chosen.delete(index);
  } else if (!state.chosen.has(index)) {
    const used = new Set(state.chosen.values());
    let look = 0;
    while (used.has(look)) look += 1;
    state.chosen.set(index, look);
  }
}

const lookOf = (number) => `c${number % 8} d${Math.floor(number / 8) % 4}`;

function drawChart() {
  const metric = at("drawn").value;
  const having = [...state.chosen].filter(([index]) => data.runs[index].series[metric]);
  const drawn = having.slice(0, MOST_DRAWN).map(([index, look]) => {
    const run = data.runs[index], [steps, values] = run.series[metric];
    return { index, name: run.name, steps, values, look: lookOf(look), ended: "" };
  });
  const ends = drawn.map((line) => line.steps.at(-1)), from = Math.min(...drawn.map((line) => line.steps[0])), to = Math.max(...ends);
  for (const line of drawn) {
    const last = line.steps.at(-1);
    if (data.runs[line.index].undefined.includes(Number(metric))) line.ended = `is NaN or infinite after step ${short(last)}`;
    else if (to - last > 0.05 * (to - from)) line.ended = `ends at step ${short(last)}`;
    const first = to - Number(at("part").value) * (to - from);
    const kept = line.steps.map((step, number) => number).filter((number) => line.steps[number] >= first);
    [line.steps, line.values] = [kept.map((number) => line.steps[number]), kept.map((number) => line.values[number])];
  }
  const groups = new Set(drawn.map((line) => data.runs[line.index].group));
  const marks = data.divergence_points.filter((one) => String(one.metric) === metric && groups.has(one.first) && groups.has(one.second))
    .map((one) => ({ step: one.step, label: `${data.groups[one.first].name} and ${data.groups[one.second].name} part at step ${short(one.step)}` }));
  state.chart = drawLines(at("chart"), drawn, marks, at("log").checked);
  state.cursor = null;
  state.lines = drawn;
  const more = [...state.chosen].length - drawn.length;
  at("chart").setAttribute("aria-label", `${data.metrics[metric].name} of ${drawn.length} runs over their steps`);
  const named = marks.map((mark, number) => `${marks.length > 1 ? `${number + 1}: ` : ""}${mark.label}`).join("; ");
  const parted = marks.length ? `Dashed: where histories part (${named}). ` : "";
  at("readout").textContent = `${parted}${more ? `${more} chosen runs are not drawn: they lack the metric, or more than ${MOST_DRAWN} are chosen. ` : ""}`
    + (drawn.length ? "Point at the chart, or focus it and use the arrow keys, to read values." : "");
  at("legend").replaceChildren(...drawn.map((line) => {
    const item = document.createElement("li"), button = document.createElement("button"), sample = shape("svg", { viewBox: "0 0 20 8", "aria-hidden": "true" });
    sample.append(shape("path", { class: `line ${line.look}`, d: "M1 4L19 4" }));
    const name = document.createElement("span");
    name.textContent = line.ended ? `${line.name} (${line.ended})` : line.name;
    button.type = "button";
    button.title = `${line.name}: take out of the chart`;
    button.append(sample, name);
    button.addEventListener("click", () => { choose(line.index, false); drawTable(); drawChart(); });
    item.append(button);
    return item;
  }));
}

function read(position) {
  if (!state.chart) return;
  state.cursor = Math.max(0, Math.min(state.chart.steps.length - 1, position));
  state.chart.show(state.cursor);
  const step = state.chart.steps[state.cursor], out = at("readout");
  const head = document.createElement("b");
  head.textContent = `step ${short(step)}`;
  // Histories are thinned each by itself, and may be logged at other steps: each line says its nearest point.
  const parts = state.lines.filter((line) => line.steps.length).map((line) => {
    if (step > line.steps.at(-1)) return `${line.name} ${line.ended || `has no value after step ${short(line.steps.at(-1))}`}`;
    const found = line.steps.reduce((best, one, number) => (Math.abs(one - step) < Math.abs(line.steps[best] - step) ? number : best), 0);
    const where = line.steps[found] === step ? "" : ` (at ${short(line.steps[found])})`;
    return `${line.name} ${short(line.values[found])}${where}`;
  });
  out.replaceChildren(head, `  ${parts.join("  ·  ")}`);
}

function drawForest() {
  const metric = at("ranked").value, way = data.metrics[metric].direction;
  const groups = data.groups.map((group) => ({ ...group.of[metric], name: group.name })).filter((one) => one.value !== undefined);
  if (way) groups.sort((a, b) => (way === "lower" ? a.value - b.value : b.value - a.value));
  drawIntervals(at("forest"), groups.slice(0, MOST_GROUPS));
  at("verdict").textContent = data.metrics[metric].verdict
    + (groups.length > MOST_GROUPS ? ` Shown are the first ${MOST_GROUPS} of ${groups.length}.` : "");
}

function options(id, labels, first) {
  const made = labels.map((label, index) => new Option(label, index));
  at(id).replaceChildren(...(first === undefined ? [] : [new Option(first, "")]), ...made);
}

function start() {
  data.runs.forEach((run, index) => {
    run.index = index;
    const settings = data.settings.map((name, number) => `${name}=${run.settings[number]}`);
    run.words = [run.name, data.groups[run.group].name, run.source, `seed=${run.seed}`, ...settings].join(" ").toLowerCase();
  });
  data.choices = data.settings.map((_, number) => [...new Set(data.runs.map((run) => run.settings[number]))]
    .sort(byText));
  const heads = columns.map((column) => {
    const head = document.createElement("th"), button = document.createElement("button");
    button.type = "button";
    button.textContent = column.label.length > 28 ? `${column.label.slice(0, 27)}…` : column.label;
    button.title = `sort by ${column.label}`;
    head.dataset.key = column.key;
    head.scope = "col";
    if (column.class) head.classList.add(column.class);
    if (column.number) head.classList.add("n");
    button.addEventListener("click", () => {
      state.descending = state.sort === column.key ? !state.descending : Boolean(column.metric && data.metrics[column.key.slice(1)].direction === "higher");
      state.sort = column.key;
      drawTable();
    });
    head.append(button);
    return head;
  });
  at("heads").append(...heads);
  const names = data.metrics.map((metric) => metric.name);
  for (const id of ["metric", "drawn", "ranked"]) options(id, names);
  options("setting", data.settings, "any");
  options("value", [], "any");
  at("setting").addEventListener("change", () => {
    const number = at("setting").value;
    options("value", number === "" ? [] : data.choices[number], "any");
    drawTable();
  });
  for (const id of ["text", "low", "high"]) at(id).addEventListener("input", drawTable);
  for (const id of ["value", "metric"]) at(id).addEventListener("change", drawTable);
  for (const id of ["drawn", "log", "part"]) at(id).addEventListener("change", drawChart);
  at("ranked").addEventListener("change", drawForest);
  at("reset").addEventListener("click", () => {
    for (const id of ["text", "low", "high", "setting"]) at(id).value = "";
    options("value", [], "any");
    drawTable();
  });
  at("all").addEventListener("click", () => { shownRuns().forEach((run) => choose(run.index, true)); drawTable(); drawChart(); });
  at("clear").addEventListener("click", () => { state.chosen.clear(); drawTable(); drawChart(); });
  const chart = at("chart");
  chart.addEventListener("pointermove", (event) => { if (state.chart) read(state.chart.nearest(event.clientX)); });
  chart.addEventListener("keydown", (event) => {
    if (!state.chart) return;
    const last = state.chart.steps.length - 1, now = state.cursor ?? 0;
    const moves = { ArrowLeft: now - 1, ArrowRight: state.cursor === null ? 0 : now + 1, PageUp: now - 10, PageDown: now + 10, Home: 0, End: last };
    if (event.key in moves) { event.preventDefault(); read(moves[event.key]); }
  });
  if (data.primary !== null) {
    state.sort = `m${data.primary}`;
    state.descending = data.metrics[data.primary].direction === "higher";
  }
  data.chosen.forEach((index) => choose(index, true));
  drawTable();
  drawChart();
  drawForest();
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth !== width) { width = window.innerWidth; drawChart(); drawForest(); }
  });
}

start();
