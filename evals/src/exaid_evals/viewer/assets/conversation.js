// The conversation, its concepts marked by what became of them under the two variants that are shown.
const KINDS = {
  both: "read under both", "only-a": "read under the first alone", "only-b": "read under the second alone",
  later: "stated later, or beyond the budget", never: "never stated", negated: "denied: not counted", other: "of another person: not counted",
  said: "stated after it was said", early: "stated before anyone said it", unsupported: "never said: made up",
};
const WEIGHT = ["never", "only-a", "only-b", "later", "both", "unsupported", "early", "said", "negated", "other"];

function conceptName(record, number) {
  const id = record.concepts[number];
  return [id, data.names.get(id) || id];
}

// A mark whose kind is a class; the kind stands in its title, and in words where it is not what one expects.
function markOf(record, kindOf, focus) {
  return (within, node, last) => {
    const kinds = within.map(kindOf), kind = WEIGHT.find((one) => kinds.includes(one)) || kinds[0];
    const title = within.map((mark, index) => { const [id, name] = conceptName(record, mark.concept); return `${name} (${id}): ${KINDS[kinds[index]]}`; }).join("\n");
    const focused = focus !== null && within.some((mark) => mark.concept === focus);
    const silent = kind === "both" || kind === "said";
    return el("mark", { class: `m ${kind}${focused ? " focus" : ""}${last ? " last" : ""}`, title, "data-concept": within[0].concept }, node,
      last && !silent && el("span", { class: "hidden" }, ` (${KINDS[kind]})`));
  };
}

function conversationColumn(conversation, readings) {
  const record = conversation.record, [first, second] = readings;
  const list = el("ol", { class: "messages" }), texts = [];
  const agents = [...new Set(conversation.messages.map((message) => message.agent))];
  conversation.messages.forEach((message) => {
    const text = el("p", { class: "words" }), when = el("span", { class: "when" });
    const arrival = (first.ok ? first : second).heard?.arrivals[message.seq];
    when.textContent = arrival ? clock(arrival.start) : "";
    const item = el("li", { id: `m-${message.seq}` }, el("header", {}, el("i", { class: `agent a${agents.indexOf(message.agent) % 4}` }), el("b", {}, message.agent), when), text);
    list.append(item);
    texts.push({ message, text, item, arrival, key: "" });
  });
  list.addEventListener("click", (event) => {
    const mark = event.target.closest("mark");
    if (mark) change({ c: record.concepts[Number(mark.dataset.concept)] }, { step: true });
  });
  const update = (view) => {
    const kinds = new Map();
    const kindOf = (mark) => {
      if (mark.kind !== AFFIRMED) return mark.kind === NEGATED ? "negated" : "other";
      if (!kinds.has(mark.concept)) {
        const a = first.statusOf(mark.concept, view.budget, view.ms), b = second.statusOf(mark.concept, view.budget, view.ms);
        kinds.set(mark.concept, a === 2 && b === 2 ? "both" : a === 2 ? "only-a" : b === 2 ? "only-b" : a || b ? "later" : "never");
      }
      return kinds.get(mark.concept);
    };
    const chosen = view.update && view.update.flushes.map((index) => view.reading.flushes[index]);
    for (const one of texts) {
      const { message, arrival } = one, length = message.text.length;
      const later = arrival ? arrival.charsAt(view.ms) : length;
      const spans = (chosen || []).filter((flush) => flush.seq <= message.seq && message.seq <= flush.endSeq)
        .map((flush) => ({ from: flush.seq === message.seq ? flush.char : 0, to: flush.endSeq === message.seq ? flush.endChar : length, class: "window" }));
      const marks = message.marks.map(([from, to, concept, kind]) => ({ from, to, concept, kind }));
      const key = JSON.stringify([later, spans, view.q, view.focus, marks.map(kindOf)]);
      if (key === one.key) continue;
      one.key = key;
      one.text.replaceChildren(...written(message.text, { marks, later, spans, found: view.q ? message.text.find(view.q) : [] }, markOf(record, kindOf, view.focus)));
      one.item.classList.toggle("silent", Boolean(arrival) && later === 0 && length > 0);
    }
  };
  const scrollTo = (view) => {
    const seq = view.update ? view.reading.flushes[view.update.flushes[0]]?.seq : undefined;
    const target = list.querySelector(".window") || (seq === undefined ? null : list.querySelector(`#m-${seq}`));
    if (target) into(list, target);
  };
  return { element: el("section", { class: "column conversation", "aria-label": "Conversation" }, el("h2", {}, "Conversation"), scrolling(list, "The conversation, message by message")), update, scrollTo, list };
}

const scrolling = (content, label) => el("div", { class: "body", tabindex: 0, role: "group", "aria-label": label }, content);

// Scrolls the column alone, so that the page stays where it is.
function into(list, target) {
  const body = list.closest(".body");
  body.scrollTo({ top: body.scrollTop + target.getBoundingClientRect().top - body.getBoundingClientRect().top - 40, behavior: "instant" });
}
