// What had been said, and what a clinician had read: the measures' own definitions, over one case and one variant.
const CHARS_PER_CTU = 4;
const AFFIRMED = 0, NEGATED = 1;

// Offsets count code points; JavaScript counts UTF-16 units. Nearly every text has no character where these differ.
class Text {
  constructor(words) {
    this.words = words;
    this.points = /[\ud800-\udfff]/.test(words) ? Array.from(words) : null;
    this.length = this.points ? this.points.length : words.length;
  }
  slice(from, to) { return this.points ? this.points.slice(from, to).join("") : this.words.slice(from, to); }
  // Where a text occurs, regardless of case, as pairs of offsets.
  find(sought) {
    const found = [], here = this.words.toLowerCase(), word = sought.toLowerCase();
    if (!word || here.length !== this.words.length) return found;
    for (let index = here.indexOf(word); index >= 0; index = here.indexOf(word, index + word.length)) {
      found.push(this.points ? [Array.from(this.words.slice(0, index)).length, Array.from(this.words.slice(0, index + word.length)).length] : [index, index + word.length]);
    }
    return found;
  }
}

const sums = (steps) => { let sum = 0; return steps.map((step) => (sum += step)); };

// A message's arrival: start and end in ms, or the recorded chunks.
class Arrival {
  constructor([start, end, times, ends], length) {
    this.start = start;
    this.end = end;
    this.length = length;
    this.times = times ? sums(times) : null;
    this.ends = ends ? sums(ends) : null;
  }
  charsAt(ms) {
    if (ms >= this.end) return this.length;
    if (ms < this.start) return 0;
    if (!this.ends) return Math.floor(((ms - this.start) * this.length) / (this.end - this.start));
    let low = 0, high = this.times.length;
    while (low < high) { const middle = (low + high) >> 1; if (this.times[middle] <= ms) low = middle + 1; else high = middle; }
    return low ? this.ends[low - 1] : 0;
  }
}

class Conversation {
  constructor(record) {
    this.record = record;
    this.messages = record.messages.map((message, seq) => ({ ...message, seq, text: new Text(message.text) }));
    this.heard = record.heard.map((heard) => ({
      end: heard.end, said: new Map(Object.entries(heard.said).map(([concept, ms]) => [Number(concept), ms])),
      arrivals: heard.arrivals.map((arrival, seq) => new Arrival(arrival, this.messages[seq].text.length)),
    }));
  }
}

class Reading {
  constructor(conversation, variant, policy) {
    const run = conversation.record.runs[variant];
    Object.assign(this, { conversation, variant, run, ok: run.status === "ok", updates: [], flushes: [], decisions: [], said: new Map() });
    if (!this.ok) return;
    this.heard = conversation.heard[run.heard];
    this.said = this.heard.said;
    this.flushes = run.flushes.map(([t, seq, char, endSeq, endChar, ctu, words, reason], index) => ({ index, t, seq, char, endSeq, endChar, ctu, words, reason }));
    this.decisions = run.decisions.map(([flush, t, decision, filters, latency, usage]) => ({ flush, t, decision, filters, latency, usage }));
    let start = 0;
    this.stated = new Map();     // concept → the first update that states it after it was said
    this.completed = new Map();  // concept → code points of the output to read until it counts
    this.everStated = new Set();
    run.updates.forEach((update, index) => {
      const text = update.message === undefined ? new Text(update.text) : conversation.messages[update.message].text;
      const made = { ...update, index, text, start, marks: update.marks.map(([from, to, concept, kind]) => ({ from, to, concept, kind })) };
      for (const mark of made.marks) {
        if (mark.kind !== AFFIRMED) continue;
        this.everStated.add(mark.concept);
        mark.support = this.wasSaid(mark.concept, update.t) ? "said" : this.said.has(mark.concept) ? "early" : "unsupported";
        if (mark.support !== "said") continue;
        if (!this.stated.has(mark.concept)) this.stated.set(mark.concept, made);
        const offset = start + (policy === "whole_updates" ? text.length : mark.to);
        this.completed.set(mark.concept, Math.min(this.completed.get(mark.concept) ?? Infinity, offset));
      }
      start += text.length;
      this.updates.push(made);
    });
    this.length = start;
  }
  // Why there is nothing to show; empty where there is.
  get problem() { return this.ok ? "" : this.run.status === "failed" ? "the replay failed" : this.run.status === "skipped_failed_trace" ? "no conversation" : this.run.status.replaceAll("_", " "); }
  wasSaid(concept, ms) { return this.said.has(concept) && this.said.get(concept) <= ms; }
  // The share of what was said in the whole conversation that is read within a budget and by a time; null where nothing was said.
  coverage(budget = Infinity, ms = Infinity) {
    if (!this.ok || !this.said.size) return null;
    let reached = 0;
    for (const concept of this.said.keys()) reached += this.isRead(concept, budget, ms);
    return reached / this.said.size;
  }
  isRead(concept, budget, ms) {
    const offset = this.completed.get(concept);
    if (offset === undefined || offset > CHARS_PER_CTU * budget) return false;
    // Updates follow one another in time as in reading, so the first that states it is the first that was there.
    return this.stated.get(concept).t <= ms;
  }
  // 2: read by now and within the budget; 1: only later or beyond it; 0: never stated.
  statusOf(concept, budget, ms) { return !this.ok || !this.completed.has(concept) ? 0 : this.isRead(concept, budget, ms) ? 2 : 1; }
  // How much of an update is read within a budget, in code points.
  readUpTo(update, budget, policy) {
    const room = CHARS_PER_CTU * budget - update.start;
    if (policy === "whole_updates") return room >= update.text.length ? update.text.length : 0;
    return Math.max(0, Math.min(update.text.length, room));
  }
  get end() { return Math.max(this.heard?.end || 0, ...this.updates.map((update) => update.t)); }
  calls() {
    const all = [...this.decisions.map((one) => ({ ...one, what: one.decision === "summarize" ? "decided to summarize" : one.decision === "hold" ? "decided to hold" : `decided to ${one.decision}`, t: one.t })),
      ...this.updates.map((one) => ({ ...one, what: one.error ? "update that failed" : `update ${one.index + 1}` }))];
    return all.filter((one) => one.usage && one.usage[0]).sort((one, other) => one.t - other.t);
  }
}

// Cost of a call: money where prices are known, by the provider's tokens where it reported them, else by CTU.
function costOf(usage) {
  if (!usage || !data.prices) return null;
  const [, prompt, completion, promptTokens, completionTokens] = usage;
  return ((promptTokens ?? prompt ?? 0) * data.prices[0] + (completionTokens ?? completion ?? 0) * data.prices[1]) / 1e6;
}

// A text with its marks, cut where reading or time ends. Parts: [{from, to, class}], all in code points.
function written(text, { marks = [], later = text.length, unread = text.length, spans = [], found = [] }, markOf) {
  const edges = new Set([0, text.length, later, unread]);
  for (const one of [...marks, ...spans]) edges.add(one.from).add(one.to);
  for (const [from, to] of found) edges.add(from).add(to);
  const places = [...edges].filter((place) => place >= 0 && place <= text.length).sort((a, b) => a - b), nodes = [];
  for (let index = 0; index + 1 < places.length; index += 1) {
    const [from, to] = [places[index], places[index + 1]];
    const within = marks.filter((mark) => mark.from <= from && to <= mark.to);
    let node = document.createTextNode(text.slice(from, to));
    if (within.length) node = markOf(within, node, within.some((mark) => mark.to === to));
    if (found.some(([low, high]) => low <= from && to <= high)) node = el("span", { class: "hit" }, node);
    const classes = spans.filter((span) => span.from <= from && to <= span.to).map((span) => span.class);
    if (from >= later) classes.push("later");
    if (from >= unread) classes.push("unread");
    nodes.push(classes.length ? el("span", { class: [...new Set(classes)].join(" ") }, node) : node);
  }
  return nodes;
}
