// One variant's updates as the clinician gets them: what is later than the moment or beyond the budget is greyed out.
const FIELDS = ["Status, action", "Key findings", "Differential", "Uncertainty", "Next step", "Agents"];

function reasons(filters) {
  return Object.entries(filters).filter(([, value]) => value !== null).map(([name, value]) => el("span", { class: value ? "yes" : "no" }, el("span", { class: "hidden" }, value ? "yes: " : "no: "), name));
}

function usageWords(usage) {
  if (!usage || !usage[0]) return null;
  const [calls, prompt, completion, promptTokens, completionTokens] = usage, cost = costOf(usage);
  const tokens = promptTokens === null && completionTokens === null ? "" : ` (${whole(promptTokens)} + ${whole(completionTokens)} tokens)`;
  return `${calls > 1 ? `${calls} calls, ` : ""}${whole(prompt)} + ${whole(completion)} CTU${tokens}${cost === null ? "" : `, ${cost.toFixed(5)}`}`;
}

// How an update came about: what the gate let go and why, what the trigger decided, what the writing took.
function making(reading, update) {
  const flushes = update.flushes.map((index) => reading.flushes[index]), last = flushes.at(-1);
  const decided = reading.decisions.filter((one) => update.flushes.includes(one.flush)).at(-1), lines = [];
  if (last) lines.push(el("span", {}, `${clock(last.t)} ${flushes.length > 1 ? `${flushes.length} flushes, ` : ""}${[...new Set(flushes.map((one) => one.reason.replaceAll("_", " ")))].join(", ")}`));
  if (decided && (decided.latency || decided.usage)) lines.push(el("span", {}, reasons(decided.filters), seconds(decided.latency)));
  if (update.latency || update.usage) lines.push(el("span", {}, `written in ${seconds(update.latency)}`));
  const usage = [decided?.usage, update.usage].filter((one) => one && one[0]);
  if (usage.length) lines.push(el("span", { title: "prompts + answers of the language model" }, usage.map(usageWords).join(" and ")));
  if (update.history.length) lines.push(el("span", {}, `in view of ${update.history.map((one) => one + 1).join(", ")}`));
  return el("p", { class: "making" }, lines);
}

function updateColumn(reading, side) {
  const record = reading.conversation.record, items = [], list = el("ol", { class: "updates" });
  const kindOf = (mark) => (mark.kind === AFFIRMED ? mark.support : mark.kind === NEGATED ? "negated" : "other");
  const fieldsOf = (update) => {
    if (!update.fields) return [{ label: "", from: 0, to: update.text.length }];
    let from = 0;
    return update.fields.map((length, index) => { const field = { label: FIELDS[index], from, to: from + length }; from += length + 1; return field; });
  };
  const events = [...reading.updates.map((update) => ({ t: update.t, update })),
    ...reading.decisions.filter((one) => one.decision !== "summarize").map((held) => ({ t: held.t, held }))].sort((one, other) => one.t - other.t || (one.held ? -1 : 1));
  for (const { update, held } of events) {
    if (held) {
      const flush = reading.flushes[held.flush];
      const item = el("li", { class: "held" }, el("span", { class: "when" }, clock(held.t)), `${held.decision === "hold" ? "held" : held.decision} `, reasons(held.filters),
        el("span", { class: "faint" }, ` ${flush.reason.replaceAll("_", " ")}, ${plural(flush.words, "word")}`));
      list.append(item);
      items.push({ t: held.t, item });
      continue;
    }
    const name = `${side}${update.index + 1}`, words = el("div", { class: "words" });
    const item = el("li", { class: "update", id: `u-${name}` },
      el("header", {}, el("button", { type: "button", class: "plain name", "aria-label": `Update ${update.index + 1}: show what it covers`, onclick: () => change({ u: now.u === name ? null : name }, { step: true }) }, `${update.index + 1}`),
        el("span", { class: "when" }, clock(update.t)), el("span", { class: "faint" }, `${whole(Math.ceil(update.text.length / CHARS_PER_CTU))} CTU, ${whole(Math.ceil((update.start + update.text.length) / CHARS_PER_CTU))} in all`)),
      update.error && el("p", { class: "notice" }, `Broke the schema: ${update.error}`), words, making(reading, update));
    list.append(item);
    items.push({ t: update.t, item, words, update, fields: fieldsOf(update), name, key: "" });
  }
  list.addEventListener("click", (event) => {
    const mark = event.target.closest("mark");
    if (mark) change({ c: record.concepts[Number(mark.dataset.concept)] }, { step: true });
  });
  const update = (view) => {
    for (const one of items) {
      one.item.classList.toggle("later", one.t > view.ms);
      if (!one.update) continue;
      one.item.classList.toggle("chosen", view.name === one.name);
      one.item.querySelector(".name").setAttribute("aria-pressed", view.name === one.name);
      const unread = reading.readUpTo(one.update, view.budget, data.policy), key = JSON.stringify([unread, view.q, view.focus]);
      one.item.classList.toggle("beyond", unread < one.update.text.length && unread === 0);
      if (key === one.key) continue;
      one.key = key;
      one.words.replaceChildren(...one.fields.filter((field) => field.to > field.from).map((field) => {
        const inside = (from, to) => [Math.max(0, from - field.from), Math.min(field.to, to) - field.from];
        const text = new Text(one.update.text.slice(field.from, field.to));
        const marks = one.update.marks.filter((mark) => mark.from < field.to && mark.to > field.from).map((mark) => { const [from, to] = inside(mark.from, mark.to); return { ...mark, from, to }; });
        const nothing = text.words === "None stated.";
        return el("p", { class: nothing ? "nothing" : "" }, field.label && el("b", { class: "field" }, field.label),
          el("span", {}, written(text, { marks, unread: Math.max(0, Math.min(text.length, unread - field.from)), found: view.q ? text.find(view.q) : [] }, markOf(record, kindOf, view.focus))));
      }));
    }
  };
  const scrollTo = (name) => { const found = items.find((one) => one.name === name); if (found) into(list, found.item); };
  if (!reading.ok) list.append(el("li", { class: "empty" }, el("b", {}, reading.run.status === "failed" ? "The replay of this case failed." : "The case has no conversation."), reading.run.reason && el("p", {}, reading.run.reason), el("p", { class: "faint" }, `${reading.variant} is left out of this case's numbers, and the case out of its means.`)));
  else if (!events.length) list.append(el("li", { class: "empty" }, "No update was written."));
  return { list, update, scrollTo };
}
