// One case: what was said beside what two variants stated, at a moment and within a reading budget.
function choice(label, id, options, value, onchange) {
  const select = el("select", { id, onchange: () => onchange(select.value) }, options.map(([key, words]) => el("option", { value: key }, words)));
  select.value = value;
  return el("label", { class: "choice", for: id }, el("span", {}, label), select);
}

function budgetControl(readings) {
  const largest = Math.max(data.budgets.at(-1), ...readings.map((reading) => Math.ceil((reading.length || 0) / CHARS_PER_CTU)));
  const top = Math.ceil(largest / 10) * 10 + 10;
  const set = (value) => change({ budget: value === "" || Number(value) >= top ? null : Math.max(0, Math.round(Number(value))) });
  const slider = el("input", { type: "range", id: "budget", min: 0, max: top, step: 10, "aria-label": "Reading budget in CTU", oninput: () => set(slider.value) });
  const exact = el("input", { type: "number", id: "exact", min: 0, step: 1, placeholder: "all", "aria-label": "Reading budget in CTU, exactly", oninput: () => set(exact.value) });
  const presets = el("span", { class: "presets" }, [...data.budgets, null].map((budget) => el("button", { type: "button", class: "plain", "data-budget": budget ?? "all", onclick: () => change({ budget }) }, budget === null ? "all" : whole(budget))));
  const update = (budget) => {
    slider.value = budget === Infinity ? top : budget;
    slider.setAttribute("aria-valuetext", budget === Infinity ? "all is read" : `${whole(budget)} CTU`);
    if (document.activeElement !== exact) exact.value = budget === Infinity ? "" : budget;
    for (const one of presets.children) one.setAttribute("aria-pressed", one.dataset.budget === (budget === Infinity ? "all" : String(budget)));
  };
  return { element: el("div", { class: "control" }, el("label", { for: "budget" }, "Read"), slider, exact, el("span", { class: "faint" }, "CTU"), presets), update };
}

function gauge(reading, side) {
  const number = el("output", { class: "coverage", "data-variant": reading.variant, "data-side": side }), words = el("span", { class: "faint" });
  const inner = el("i", { class: `fill ${lookOf(reading.variant)}` });
  const update = (view) => {
    const value = reading.coverage(view.budget, view.ms);
    number.dataset.value = value === null ? "" : String(value);
    number.textContent = shown(value, 3);
    inner.style.width = `${100 * (value || 0)}%`;
    const read = value === null ? 0 : Math.round(value * reading.said.size);
    words.textContent = value === null ? reading.problem || "no concept was said" : `${read} of ${plural(reading.said.size, "concept")}${view.ms < reading.end ? ` by ${clock(view.ms)}` : ""}`;
  };
  return { element: el("div", { class: "gauge" }, el("b", { class: lookOf(reading.variant), title: reading.variant }, reading.variant), number, el("span", { class: "rail", "aria-hidden": "true" }, inner), words), update };
}

function legend() {
  const list = (title, kinds) => el("div", {}, el("h3", {}, title), el("ul", {}, kinds.map((kind) => el("li", {}, el("span", {}, el("mark", { class: `m ${kind} last` }, "ataxia")), el("span", {}, KINDS[kind])))));
  return el("details", { class: "legend" }, el("summary", {}, "What the marks mean"), el("div", { class: "two" },
    list("In the conversation", ["both", "only-a", "only-b", "later", "never", "negated", "other"]), list("In the updates", ["said", "early", "unsupported", "negated"])));
}

function conceptTable(conversation, readings) {
  const record = conversation.record, body = el("tbody");
  const numbers = record.concepts.map((_, number) => number).filter((number) => readings.some((reading) => reading.said.has(number) || reading.everStated?.has(number)));
  const saidAt = (number) => readings.find((reading) => reading.said.has(number))?.said.get(number) ?? Infinity;
  numbers.sort((one, other) => saidAt(one) - saidAt(other) || one - other);
  const rows = numbers.map((number) => {
    const [id, name] = conceptName(record, number), said = saidAt(number);
    const cells = readings.map((reading) => {
      const first = reading.stated?.get(number);
      const words = !reading.ok ? "–" : first ? clock(first.t) : reading.everStated.has(number) ? (said === Infinity ? "made up" : "only before it was said") : "never";
      return el("td", { class: `n${first ? "" : " bad"}` }, words, first && el("small", {}, `+${seconds(first.t - said)}, update ${first.index + 1}`));
    });
    const row = el("tr", { "data-concept": id }, el("th", { scope: "row" }, el("button", { type: "button", class: "plain", onclick: () => change({ c: now.c === id ? null : id }, { step: true }) }, name), el("small", {}, id)),
      el("td", { class: "n" }, said === Infinity ? "never said" : clock(said)), cells);
    body.append(row);
    return { number, row };
  });
  const update = (view) => { for (const one of rows) one.row.classList.toggle("chosen", one.number === view.focus); };
  const table = el("table", { class: "numbers concepts" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Concept"), el("th", { scope: "col", class: "n" }, "Said"), readings.map((reading) => el("th", { scope: "col", class: "n" }, `${reading.variant} states it`)))), body);
  return { element: el("section", {}, el("h2", { id: "h-concepts" }, `Concepts (${numbers.length})`), el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Concepts" }, table)), update };
}

function callTable(reading) {
  const calls = reading.calls(), sum = (index) => calls.reduce((all, one) => all + (one.usage[index] || 0), 0);
  const latency = calls.reduce((all, one) => all + one.latency, 0), cost = calls.reduce((all, one) => all + (costOf(one.usage) || 0), 0);
  const tokens = calls.some((one) => one.usage[3] !== null || one.usage[4] !== null);
  const head = ["When", "What", "Waited", "Prompt", "Answer", ...(tokens ? ["Tokens"] : []), ...(data.prices ? ["Cost"] : [])];
  const calling = calls.length ? `${plural(sum(0), "call")}, ${whole(sum(1))} + ${whole(sum(2))} CTU, ${seconds(latency)} waited${data.prices ? `, ${cost.toFixed(4)}` : ""}` : "no call of a language model";
  const table = (heads, body, label) => el("div", { class: "scroll short", tabindex: 0, role: "group", "aria-label": label }, el("table", { class: "numbers compact" }, el("thead", {}, el("tr", {}, heads.map((one) => el("th", { scope: "col" }, one)))), el("tbody", {}, body)));
  // Hundreds of rows that few readers want: they are made when the list is opened.
  const lists = () => {
    const rows = calls.map((one) => el("tr", {}, el("td", {}, clock(one.t)), el("td", {}, one.what, one.filters && el("span", { class: "making" }, " ", reasons(one.filters))),
      el("td", { class: "n" }, seconds(one.latency)), el("td", { class: "n" }, whole(one.usage[1])), el("td", { class: "n" }, whole(one.usage[2])),
      tokens && el("td", { class: "n" }, `${whole(one.usage[3])} + ${whole(one.usage[4])}`), data.prices && el("td", { class: "n" }, costOf(one.usage).toFixed(5))));
    const flushes = reading.flushes.map((flush) => el("tr", {}, el("td", {}, clock(flush.t)), el("td", {}, flush.reason.replaceAll("_", " ")), el("td", { class: "n" }, whole(flush.words)), el("td", { class: "n" }, whole(flush.ctu)),
      el("td", {}, reading.decisions.filter((one) => one.flush === flush.index).map((one) => one.decision).join(", ") || "–")));
    return [calls.length > 0 && table(head, rows, `Calls of ${reading.variant}`), flushes.length > 0 && table(["Left the gate", "Why", "Words", "CTU", "Trigger"], flushes, `Flushes of ${reading.variant}`)];
  };
  const details = el("details", { class: "calls" }, el("summary", {}, el("b", { class: lookOf(reading.variant) }, reading.variant), ` ${calling}; ${plural(reading.flushes.length, "flush", "flushes")}`));
  details.addEventListener("toggle", () => { if (details.children.length === 1) details.append(...lists().filter(Boolean)); });
  return details;
}

function drawCase(record, index, pair) {
  const conversation = new Conversation(record), readings = pair.map((variant) => new Reading(conversation, variant, data.policy));
  const end = Math.max(...readings.map((reading) => reading.end), 1), [a, b] = pair, neighbour = (step) => data.cases[(index + step + data.cases.length) % data.cases.length].id;
  const to = (id) => { const { c, u, t, ...kept } = settingsOf(now); return address("case", [id], kept); };
  const axis = timeline(conversation, readings, end), budget = budgetControl(readings), gauges = readings.map((reading, side) => gauge(reading, "ab"[side]));
  const said = conversationColumn(conversation, readings), columns = readings.map((reading, side) => updateColumn(reading, "ab"[side]));
  const concepts = conceptTable(conversation, readings);
  const search = el("input", { type: "search", id: "q", autocomplete: "off", spellcheck: "false", placeholder: "in this case", oninput: () => change({ q: search.value }) });
  const hits = el("span", { class: "faint", "aria-live": "polite" });
  const ids = variantIds().map((id) => [id, id]);
  const previous = el("a", { class: "step", href: to(neighbour(-1)), "aria-label": "The case before" }, "←"), next = el("a", { class: "step", href: to(neighbour(1)), "aria-label": "The case after" }, "→");
  const element = el("div", { class: "case" },
    el("div", { class: "bar" }, el("h1", {}, record.id), el("span", { class: "faint" }, `${index + 1} of ${data.cases.length}`), previous, next,
      choice("Case", "pick", data.cases.map((one) => [one.id, one.id]), record.id, (id) => go(to(id))),
      choice("First", "a", ids, a, (id) => change({ a: id, b: id === b ? a : b, u: null }, { step: true })), choice("Second", "b", ids, b, (id) => change({ b: id, a: id === a ? b : a, u: null }, { step: true })),
      el("label", { class: "choice", for: "q" }, el("span", {}, "Search"), search), hits),
    record.failed && el("p", { class: "notice" }, `The case has no conversation: ${record.failed}`),
    el("div", { class: "axis" }, axis.elements, el("div", { class: "measured" }, budget.element, el("div", { class: "gauges" }, gauges.map((one) => one.element)))),
    legend(),
    el("div", { class: "columns" }, said.element, columns.map((one, side) => el("section", { class: `column side-${"ab"[side]} ${lookOf(pair[side])}`, "aria-label": `Updates of ${pair[side]}` },
      el("h2", {}, pair[side], el("small", {}, readings[side].problem || `${plural(readings[side].updates.length, "update")}, ${whole(readings[side].updates.reduce((sum, one) => sum + Math.ceil(one.text.length / CHARS_PER_CTU), 0))} CTU`)), scrolling(one.list, `Updates of ${pair[side]}, one after the other`)))),
    el("div", { class: "below" }, concepts.element, el("section", {}, el("h2", { id: "h-calls" }, "Calls, decisions and flushes"), readings.map(callTable))));
  let shownUpdate = null;
  const update = (state) => {
    const ms = state.t === undefined || Number.isNaN(Number(state.t)) ? Infinity : Number(state.t), wanted = state.budget === undefined || Number.isNaN(Number(state.budget)) ? Infinity : Number(state.budget);
    const side = /^[ab]\d+$/.test(state.u || "") ? "ab".indexOf(state.u[0]) : -1, reading = side < 0 ? null : readings[side];
    const focus = state.c === undefined ? null : record.concepts.indexOf(state.c);
    const view = { ms, budget: wanted, q: state.q || "", focus: focus < 0 ? null : focus, name: state.u, reading, update: reading?.updates[Number(state.u.slice(1)) - 1] };
    for (const one of [said, ...columns, ...gauges, concepts]) one.update(view);
    axis.update(Math.min(ms, end));
    budget.update(wanted);
    if (search.value !== view.q) search.value = view.q;
    hits.textContent = view.q ? plural(element.querySelectorAll(".columns .hit").length, "place") : "";
    previous.href = to(neighbour(-1));
    next.href = to(neighbour(1));
    if (view.update && view.name !== shownUpdate) {
      columns[side].scrollTo(view.name);
      said.scrollTo(view);
    }
    if (focus !== null && focus >= 0 && focus !== update.focus) for (const list of [said.list, ...columns.map((one) => one.list)]) { const mark = list.querySelector("mark.focus"); if (mark) into(list, mark); }
    update.focus = focus;
    shownUpdate = view.name;
    tell(gauges.map((one) => one.element.textContent).join("; "));
  };
  const move = (by, side) => {
    const was = now.u || "", letter = "ab"[side], all = readings[side].updates.length;
    const from = was[0] === letter ? Number(was.slice(1)) : by > 0 ? 0 : all + 1;
    if (all) change({ u: `${letter}${Math.max(1, Math.min(all, from + by))}` });
  };
  return { element, update, keys: { ArrowLeft: () => go(to(neighbour(-1))), ArrowRight: () => go(to(neighbour(1))), j: () => move(1, 0), k: () => move(-1, 0), J: () => move(1, 1), K: () => move(-1, 1) }, title: record.id };
}
