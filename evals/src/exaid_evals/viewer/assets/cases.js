// Cases in order of what they contribute to a number, and where the number comes from.
function caseLink(index, variant, other) {
  const settings = variant ? { a: variant, ...(other ? { b: other } : {}) } : {};
  return el("a", { href: address("case", [data.cases[index].id], settings) }, data.cases[index].id);
}

// Values: [{index, value}]; those that are defined come first, the largest on top, or the smallest.
function contributions(values, { signed, ascending }) {
  const size = (one) => (signed ? Math.abs(one.value) : one.value);
  return values.slice().sort((one, other) => (one.value === null) - (other.value === null) || (one.value === null ? 0 : (size(other) - size(one)) * (ascending ? -1 : 1)) || one.index - other.index);
}

function caseRows(values, measure, { signed, look, link, decimals }) {
  const defined = values.filter((one) => one.value !== null), largest = Math.max(0, ...defined.map((one) => Math.abs(one.value)));
  const { scale } = measureOf(measure), total = defined.reduce((sum, one) => sum + one.value, 0);
  return values.map((one) => el("tr", {}, el("th", { scope: "row" }, link(one.index)),
    el("td", { class: "n" }, one.value === null ? el("span", { class: "faint" }, one.why) : shown(one.value, decimals, scale)),
    el("td", {}, one.value === null ? null : bar(one.value, largest, signed, look)),
    el("td", { class: "n faint" }, one.value === null || !total || signed ? "" : percent(one.value / total))));
}

function orderControl(state) {
  const now = state.sort === "asc" ? "asc" : "desc";
  return el("div", { class: "choices", role: "group", "aria-label": "Order" }, [["desc", "Largest first"], ["asc", "Smallest first"]].map(([key, words]) =>
    el("button", { type: "button", "aria-pressed": key === now, onclick: () => change({ sort: key === "desc" ? null : key }) }, words)));
}

// Why a case has no value: a replay that failed, or a measure that is not defined for it.
const whyMissing = (one, variants) => variants.map((id) => one.status[id]).find((status) => status !== "ok")?.replaceAll("_", " ") || "undefined";

function valuesOf(measure, variant, against) {
  const mine = data.values[variant]?.[measure] || [], theirs = against ? data.values[against]?.[measure] || [] : [];
  return data.cases.map((one, index) => {
    const why = whyMissing(one, [variant, against].filter(Boolean));
    const value = mine[index] ?? null, other = against ? theirs[index] ?? null : 0;
    return { index, value: value === null || other === null ? null : value - other, why };
  });
}

function lineTable(numbers) {
  const rows = [];
  for (const number of numbers) {
    const [label, words] = data.lines[number];
    rows.push(el("tr", {}, label ? el("th", { scope: "row" }, label) : el("td"), el("td", { class: /^(>>>|\.\.\.)/.test(words) || /sha256:/.test(words) ? "code" : "" }, words)));
  }
  return el("table", { class: "lines" }, el("tbody", {}, rows));
}

function drawCell(state) {
  const [name, key, column] = state.parts, table = data.tables.find((one) => one.name === name), row = table?.rows.find((one) => one.key === key), cell = row?.cells[Number(column)];
  if (!cell) return missing(`There is no such number in this report.`);
  const variant = cell.variant || data.primary, signed = Boolean(cell.against), measure = measureOf(cell.measure), heading = table.columns[Number(column)].heading;
  const values = contributions(valuesOf(cell.measure, variant, cell.against), { signed, ascending: state.sort === "asc" });
  const decimals = measure.decimals + (signed && measure.decimals < 2 ? 1 : 0);
  const direction = { higher: "higher is better", lower: "lower is better" }[measure.better];
  const title = signed ? `${measureLabel(cell.measure)}: ${variant} − ${cell.against}` : `${measureLabel(cell.measure)} of ${cell.variant ? variant : "the conversations"}`;
  return { title, element: el("div", { class: "page cell" },
    el("p", { class: "breadcrumb" }, el("a", { href: "#/" }, "Overview"), ` › ${table.title}`),
    el("h1", {}, title),
    el("p", { class: "figure" }, el("b", {}, cell.text), cell.below && el("span", {}, cell.below), el("span", { class: "faint" }, [heading, direction].filter(Boolean).join(", "))),
    el("div", { class: "halves" },
      el("section", {}, el("h2", { id: "h-behind" }, `Cases behind it (${values.filter((one) => one.value !== null).length})`), orderControl(state),
        el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Cases behind the number" }, el("table", { class: "numbers compact" },
          el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Case"), el("th", { scope: "col", class: "n" }, signed ? "Difference" : measureLabel(cell.measure)), el("th", { scope: "col" }, el("span", { class: "hidden" }, "drawn")), signed ? el("td") : el("th", { scope: "col", class: "n" }, "Of the sum"))),
          el("tbody", {}, caseRows(values, cell.measure, { signed, look: signed ? "" : lookOf(variant), decimals, link: (index) => caseLink(index, variant, cell.against) }))))),
      el("section", {}, el("h2", { id: "h-from" }, "Where it comes from"), lineTable(cell.lines)))) };
}

function missing(words) {
  return { title: "Not here", element: el("div", { class: "page" }, el("h1", {}, "Not here"), el("p", {}, words, " ", el("a", { href: "#/" }, "Back to the overview."))) };
}

// Every case with one measure under all variants.
function drawCases(state) {
  const names = Object.keys(data.measures), measure = names.includes(state.m) ? state.m : "coverage", { decimals, scale } = measureOf(measure);
  const by = variantIds().includes(state.by) ? state.by : data.primary, sought = (state.q || "").toLowerCase();
  const all = contributions(valuesOf(measure, by), { signed: false, ascending: state.sort === "asc" }).filter((one) => data.cases[one.index].id.toLowerCase().includes(sought) || data.cases[one.index].said.some((number) => data.concepts[number].join(" ").toLowerCase().includes(sought)));
  const search = el("input", { type: "search", id: "q", value: state.q || "", autocomplete: "off", spellcheck: "false", placeholder: "case or concept", oninput: () => change({ q: search.value }) });
  const largest = Math.max(0, ...variantIds().flatMap((id) => (data.values[id][measure] || []).filter((value) => value !== null)));
  return { title: "Cases", keep: ["#q"], element: el("div", { class: "page" }, el("h1", {}, "Cases"),
    el("div", { class: "bar" }, choice("Measure", "m", names.map((name) => [name, measureLabel(name)]), measure, (m) => change({ m }, { step: true })), choice("In order of", "by", variantIds().map((id) => [id, id]), by, (id) => change({ by: id }, { step: true })),
      el("label", { class: "choice", for: "q" }, el("span", {}, "Search"), search), orderControl(state), el("span", { class: "faint" }, `${all.length} of ${plural(data.cases.length, "case")}`)),
    el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Cases" }, el("table", { class: "numbers compact" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Case"), el("th", { scope: "col", class: "n" }, "Concepts"), variantIds().map((id) => el("th", { scope: "col", class: "n" }, el("i", { class: `swatch ${lookOf(id)}` }), id)))),
      el("tbody", {}, all.map(({ index }) => el("tr", {}, el("th", { scope: "row" }, caseLink(index, by)), el("td", { class: "n" }, whole(data.cases[index].said.length)),
        variantIds().map((id) => { const value = data.values[id][measure]?.[index] ?? null; return value === null ? el("td", { class: "n faint" }, whyMissing(data.cases[index], [id])) : el("td", { class: "n meter" }, bar(value, largest, false, lookOf(id)), shown(value, decimals, scale)); })))))) ) };
}
