// A campaign while it runs: asked for every other second.
const STAGES = { "make-traces": "Stage 01: freezing conversations", "run-variants": "Stage 02: replaying the variants", "compute-metrics": "Stage 02 is done; the metrics are still to come", done: "Done" };
const EVERY_MS = 2000;

function span(all) {
  if (all === null) return "–";
  const total = Math.round(all), hours = Math.floor(total / 3600), minutes = Math.floor((total % 3600) / 60);
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${total % 60} s` : `${total} s`;
}

function draw(progress) {
  const sum = (name) => progress.variants.reduce((all, one) => all + (one[name] || 0), 0), priced = progress.variants.some((one) => one.cost !== null);
  const quiet = progress.last_at === null ? null : Date.now() / 1000 - progress.last_at;
  const slow = progress.stage === "run-variants" && quiet !== null && quiet > Math.max(60, 10 * (progress.seconds_a_run || 0));
  at("stage").textContent = `${STAGES[progress.stage] || progress.stage}.${slow ? ` Nothing has been finished for ${span(quiet)}: it may have stopped.` : ""}`;
  const facts = [["Conversations", progress.cases === null ? `${whole(progress.traces)} so far` : whole(progress.cases)], ["Runs", `${whole(sum("done"))} of ${whole(sum("of"))}`], ["Failed", whole(sum("failed"))],
    ["LLM calls so far", whole(sum("calls"))], ["Cost so far", priced ? shown(sum("cost"), 4) : `${whole(sum("prompt_ctu") + sum("completion_ctu"))} CTU`],
    ["A run takes", progress.seconds_a_run === null ? "–" : `${shown(progress.seconds_a_run, 2)} s`], ["To the last run", span(progress.seconds_left)]];
  at("facts").replaceChildren(...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  if (progress.report) at("facts").append(el("div", {}, el("dt", {}, "Report"), el("dd", {}, el("a", { href: "/report.html" }, "Open it"))));
  at("variants").replaceChildren(...progress.variants.map((one) => el("tr", {}, el("th", { scope: "row" }, one.variant),
    el("td", {}, el("progress", { max: Math.max(1, one.of), value: one.done, "aria-label": `${one.variant}: ${one.done} of ${one.of}` })),
    el("td", { class: "n" }, `${whole(one.done)} of ${whole(one.of)}`), el("td", { class: `n${one.failed ? " bad" : ""}` }, whole(one.failed)), el("td", { class: "n" }, whole(one.calls)),
    el("td", { class: "n" }, whole(one.prompt_ctu)), el("td", { class: "n" }, whole(one.completion_ctu)), el("td", { class: "n" }, one.cost === null ? "–" : shown(one.cost, 4)))));
  at("failures").hidden = !progress.failures.length;
  at("failed").replaceChildren(...progress.failures.map((one) => el("tr", {}, one.map((words) => el("td", {}, words)))));
}

async function look() {
  try {
    const answer = await fetch("/status", { cache: "no-store" });
    if (!answer.ok) throw new Error(await answer.text());
    draw(await answer.json());
    at("said").textContent = "";
    document.body.dataset.ready = "yes";
  } catch (error) {
    at("said").textContent = `No answer from the server: ${error.message}`;
  }
  setTimeout(look, EVERY_MS);
}

at("theme").addEventListener("click", () => {
  const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
look();
