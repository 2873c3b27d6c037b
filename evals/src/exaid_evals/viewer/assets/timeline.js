// The time axis that conversation and updates share, with what happened on it; the slider below it moves the moment.
function timeline(conversation, readings, end) {
  const names = readings.map((reading) => short(reading.variant)), longest = Math.max(...names.map((name) => name.length));
  const width = Math.max(460, Math.min(1200, window.innerWidth - 60)), left = Math.max(58, 18 + 7 * longest), right = width - 12, lane = 20, top = 4;
  const x = (ms) => left + (ms / (end || 1)) * (right - left);
  const agents = [...new Set(conversation.messages.map((message) => message.agent))];
  const height = top + lane * (1 + readings.length) + 20;
  const svg = shape("svg", { class: "timeline", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `The conversation of ${plural(conversation.messages.length, "message")} over ${clock(end, false)} minutes, and below it when each variant's updates came; the slider beneath moves the moment.` });
  for (const ms of timeTicks(end, width / 100)) {
    svg.append(shape("line", { class: "grid", x1: x(ms), x2: x(ms), y1: top, y2: height - 16 }), shape("text", { x: x(ms), y: height - 4, "text-anchor": "middle" }, clock(ms, false)));
  }
  svg.append(shape("text", { class: "lane", x: left - 10, y: top + 14, "text-anchor": "end" }, "said"));
  const heard = readings.find((reading) => reading.ok)?.heard;
  heard?.arrivals.forEach((arrival, seq) => {
    const message = conversation.messages[seq];
    svg.append(shape("rect", { class: `turn a${agents.indexOf(message.agent) % 4}`, x: x(arrival.start), y: top + 3, width: Math.max(1.5, x(arrival.end) - x(arrival.start) - 1), height: lane - 6, rx: 2 },
      shape("title", { text: `${message.agent}, ${clock(arrival.start)} to ${clock(arrival.end)}` })));
  });
  readings.forEach((reading, number) => {
    const middle = top + lane * (number + 1) + lane / 2;
    svg.append(shape("text", { class: `lane ${lookOf(reading.variant)}`, x: left - 10, y: middle + 4, "text-anchor": "end" }, names[number], shape("title", { text: reading.variant })),
      shape("line", { class: "grid", x1: left, x2: right, y1: middle, y2: middle }));
    for (const decision of reading.decisions) {
      if (decision.decision === "summarize") continue;
      svg.append(shape("path", { class: "held", d: `M${x(decision.t) - 2.5},${middle - 2.5}l5,5m0,-5l-5,5` }, shape("title", { text: `${clock(decision.t)}: ${decision.decision}` })));
    }
    for (const update of reading.updates) {
      svg.append(shape("rect", { class: `tick ${lookOf(reading.variant)}${update.error ? " failed" : ""}`, x: x(update.t) - 1.75, y: middle - 7, width: 3.5, height: 14, rx: 1 },
        shape("title", { text: `update ${update.index + 1}, ${clock(update.t)}` })));
    }
  });
  const shade = shape("rect", { class: "shade", y: top, height: height - 20 }), hand = shape("line", { class: "hand", y1: 0, y2: height - 16 });
  svg.append(shade, hand);
  const msOf = (event) => {
    const place = svg.getBoundingClientRect();
    return Math.round(Math.max(0, Math.min(end, ((((event.clientX - place.left) * width) / place.width - left) / (right - left)) * end)) / 100) * 100;
  };
  svg.addEventListener("pointerdown", (event) => {
    svg.setPointerCapture(event.pointerId);
    change({ t: msOf(event) });
  });
  svg.addEventListener("pointermove", (event) => { if (event.buttons & 1) change({ t: msOf(event) }); });
  const slider = el("input", { type: "range", id: "time", min: 0, max: Math.ceil(end / 100) * 100, step: 100, "aria-label": "Moment of the conversation",
    oninput: () => change({ t: Number(slider.value) >= end ? null : slider.value }) });
  const out = el("output", { for: "time", class: "value" });
  const update = (ms) => {
    const place = x(Math.min(ms, end));
    hand.setAttribute("x1", place);
    hand.setAttribute("x2", place);
    shade.setAttribute("x", place);
    shade.setAttribute("width", Math.max(0, right - place));
    slider.value = Math.min(ms, Number(slider.max));
    slider.setAttribute("aria-valuetext", clock(Math.min(ms, end)));
    out.textContent = ms >= end ? `the end, ${clock(end)}` : clock(ms);
  };
  const controls = el("div", { class: "control" }, el("label", { for: "time" }, "Time"), slider, out,
    el("button", { type: "button", class: "plain", onclick: () => change({ t: null }) }, "To the end"));
  return { elements: [svg, controls], update };
}
