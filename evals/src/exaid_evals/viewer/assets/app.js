// Which view the address asks for, and the keys.
let current = null;
let asked = 0;

async function show() {
  const state = now, number = (asked += 1), pair = pairOf(state), index = caseIndex(state.parts[0]);
  const key = state.view === "case" ? `case/${state.parts[0]}/${pair}` : null;
  if (!(current && key && current.key === key)) {
    const from = performance.now();
    const made = state.view !== "case" ? views(state) : index < 0 ? missing("There is no such case in this report.") : drawCase(await openCase(index), index, pair);
    if (number !== asked) return;  // another address was asked for meanwhile
    place({ ...made, key }, state);
    document.body.dataset.took = String(Math.round(performance.now() - from));
  }
  current.update?.(now);
}

function views(state) {
  if (state.view === "cell") return drawCell(state);
  if (state.view === "cases") return drawCases(state);
  if (state.view === "compare") return drawCompare(state);
  return state.view === "overview" ? { title: "Overview", element: overview() } : missing("There is no such view.");
}

// What is typed into a field of a view that is drawn anew stays in the field.
function place(made, state) {
  const active = document.activeElement, kept = made.keep?.includes(`#${active?.id}`) ? { id: active.id, at: active.selectionStart } : null;
  const same = current && current.view === state.view, scroll = kept || same ? window.scrollY : 0;
  at("view").replaceChildren(made.element);
  current = { ...made, view: state.view };
  document.title = `${made.title} · exaid-evals`;
  for (const link of at("views").children) {
    const own = { "#/": ["overview", "cell"], "#/cases": ["cases", "case"], "#/compare": ["compare"] }[link.getAttribute("href")];
    if (own.includes(state.view)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (kept) {
    at(kept.id).focus({ preventScroll: true });
    at(kept.id).setSelectionRange(kept.at, kept.at);
  }
  window.scrollTo({ top: scroll, behavior: "instant" });
}

function turnTheme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
}

const KEYS = { o: () => go("#/"), c: () => go("#/cases"), m: () => go("#/compare"), t: turnTheme, "?": () => at("help").showModal(),
  "/": () => at("q")?.focus(), Escape: () => { if (current?.view === "case") change({ u: null, c: null, q: null }); } };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || at("help").open) return;
  const field = event.target.closest?.("input, select, textarea");
  if (field && !(event.key === "Escape" && field.type === "search")) return;
  if (field) field.blur();
  const act = current?.keys?.[event.key] || KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

unpack(0).then((overviewRecord) => {
  data = overviewRecord;
  data.names = new Map(data.concepts);
  at("theme").addEventListener("click", turnTheme);
  at("keys").addEventListener("click", () => at("help").showModal());
  const follow = () => {
    now = parse(location.hash);
    return show();
  };
  window.addEventListener("hashchange", follow);
  return follow();
}).then(() => {
  performance.mark("drawn");
  document.body.dataset.ready = "yes";
});
