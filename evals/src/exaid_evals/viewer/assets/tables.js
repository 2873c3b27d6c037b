// The overview: tables whose every number leads to the cases behind it.
const wordsOf = (id) => id.replace(/[^A-Za-z0-9_-]/g, "-");

function cellAddress(table, row, column) { return address("cell", [table.name, row.key, String(column)]); }

function dataTable(table, { compact = false } = {}) {
  const panels = [];
  table.columns.forEach((column, index) => {
    if (index && column.panel === table.columns[index - 1].panel) panels.at(-1).span += 1;
    else panels.push({ name: column.panel, span: 1, first: index });
  });
  const starts = new Set(panels.slice(1).map((panel) => panel.first));
  const head = el("thead", {},
    panels.some((panel) => panel.name) && el("tr", { class: "panels" }, el("td"),
      panels.map((panel) => el("th", { colspan: panel.span, scope: "colgroup", class: panel.first ? "first" : "" }, panel.name))),
    el("tr", {}, el("th", { scope: "col" }, table.heading),
      table.columns.map((column, index) => el("th", { scope: "col", class: `${column.left ? "" : "n"}${starts.has(index) ? " first" : ""}` },
        column.heading, column.unit && el("small", {}, column.unit)))));
  const rows = [];
  table.rows.forEach((row, number) => {
    if (row.group && row.group !== table.rows[number - 1]?.group) {
      rows.push(el("tr", { class: "group" }, el("th", { colspan: table.columns.length + 1, scope: "rowgroup" }, row.group)));
    }
    const isVariant = variantIds().includes(row.key);
    rows.push(el("tr", { class: row.primary ? "primary" : "" },
      el("th", { scope: "row" }, isVariant && el("i", { class: `swatch ${lookOf(row.key)}` }), row.label),
      row.cells.map((cell, index) => el("td", { class: `${table.columns[index].left ? "" : "n"}${starts.has(index) ? " first" : ""}` },
        cell && el("a", { href: cellAddress(table, row, index) }, cell.text, cell.below && el("small", {}, cell.below))))));
  });
  const caption = el("caption", { class: "hidden" }, table.title);
  return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": table.title },
    el("table", { class: `numbers${compact ? " compact" : ""}`, id: `table-${wordsOf(table.name)}` }, caption, head, el("tbody", {}, rows)));
}

// Differences with their intervals drawn on one scale a measure.
function comparisonTable(table) {
  const made = dataTable(table), body = made.querySelector("tbody");
  made.querySelector("thead tr:last-child").children[1].after(el("th", { scope: "col" }, el("span", { class: "hidden" }, "interval, drawn")));
  const scales = new Map();
  const numbers = table.rows.map((row) => numbersIn(row.cells[0]?.text || ""));
  table.rows.forEach((row, index) => {
    const old = scales.get(row.group) || [0, 0];
    scales.set(row.group, [Math.min(old[0], ...numbers[index]), Math.max(old[1], ...numbers[index])]);
  });
  let index = 0;
  for (const line of body.rows) {
    if (line.classList.contains("group")) { line.cells[0].colSpan += 1; continue; }
    const [value = null, low = null, high = null] = numbers[index];
    line.cells[1].after(el("td", {}, value === null ? null : interval(value, low, high, scales.get(table.rows[index].group))));
    index += 1;
  }
  return made;
}

const numbersIn = (text) => (text.match(/[−-]?[\d,]*\.?\d+/g) || []).map((one) => Number(one.replaceAll(",", "").replace("−", "-")));

function notes(lines) {
  return lines.length ? el("details", { class: "notes" }, el("summary", {}, "Notes"), lines.map((line) => el("p", {}, line))) : null;
}

function overview() {
  const tables = Object.fromEntries(data.tables.map((table) => [table.name, table]));
  const own = (table) => table.notes.filter((note) => note !== data.stub && !data.notes.includes(note));
  const section = (id, title, said, ...content) => el("section", { id: `s-${id}` }, el("h2", { id: `h-${id}` }, title), said && el("p", { class: "sub" }, said), content);
  const parts = [el("h1", {}, data.title),
    el("p", { class: "sub" }, data.notes.join(" ")),
    data.warnings.map((warning) => el("p", { class: "notice" }, `Since this was measured: ${warning}`)),
    data.stub && el("p", { class: "notice" }, data.stub)];
  if (tables.main) {
    parts.push(section("main", "Main results", "Mean over cases, with its 95 % bootstrap interval. Every number leads to the cases behind it and to where it comes from.",
      dataTable(tables.main), notes(own(tables.main)), variantList()));
  }
  if (Object.keys(data.curves).length) {
    const banded = Object.values(data.curves).every((curve) => curve.band);
    parts.push(section("coverage", "Coverage against reading budget", `The share of concepts that a clinician has read who stops after so much. ${banded ? "Bands hold the whole curve with 95 %." : "Bands are pointwise 95 % intervals."}`,
      el("div", { class: "beside" }, coverageChart(data.curves, data.budgets, data.primary), tables.coverage_at_budget && dataTable(tables.coverage_at_budget, { compact: true }))));
  }
  if (tables.comparisons) {
    parts.push(section("comparisons", "Differences between variants", "Mean paired difference over cases with its 95 % interval, drawn on one scale a measure; the line marks no difference.",
      comparisonTable(tables.comparisons), notes(own(tables.comparisons))));
  }
  else if (data.variants.length > 1) parts.push(section("comparisons", "Differences between variants", "No variant was compared with another: compute-metrics --against names the one to compare with."));
  if (tables.delays) parts.push(section("delays", "Delay", null, dataTable(tables.delays), notes(own(tables.delays))));
  if (tables.cost) parts.push(section("cost", "Cost", "Per case. A CTU is four characters, on both sides of the model.", dataTable(tables.cost), notes(own(tables.cost))));
  if (tables.data_set) parts.push(section("data", "Conversations", null, dataTable(tables.data_set, { compact: true }), notes(own(tables.data_set))));
  return el("div", { class: "page" }, parts);
}

function variantList() {
  const words = (parts) => Object.entries(parts || {}).map(([name, part]) => {
    if (part === null || typeof part !== "object") return `${name.replaceAll("_", " ")} ${part}`;
    const { kind, ...settings } = part;
    const set = Object.entries(settings).filter(([, value]) => value !== null).map(([key, value]) => `${key.replaceAll("_", " ")} ${Array.isArray(value) ? value.join(", ") : value}`);
    return `${name} ${String(kind).replaceAll("_", " ")}${set.length ? ` (${set.join("; ")})` : ""}`;
  }).join(" · ");
  return el("details", { class: "notes" }, el("summary", {}, "What the variants are"),
    el("dl", { class: "variants" }, data.variants.map((one) => [el("dt", {}, el("i", { class: `swatch ${lookOf(one.id)}` }), one.id),
      el("dd", {}, one.description && el("span", {}, `${one.description} `), el("span", { class: "faint" }, `${words(one.parts)} · ${one.llm}`))])));
}
