// Two variants over all cases: where they differ most, and which concepts one of them states and the other does not.
function conceptDifferences(a, b) {
  const found = data.concepts.map(([id, name], number) => ({ number, id, name, said: 0, a: [], b: [] }));
  data.cases.forEach((one, index) => {
    const mine = one.stated[a], theirs = one.stated[b];
    if (mine === undefined || theirs === undefined) return;
    one.said.forEach((number, place) => {
      found[number].said += 1;
      if (mine[place] === "1" && theirs[place] === "0") found[number].a.push(index);
      if (mine[place] === "0" && theirs[place] === "1") found[number].b.push(index);
    });
  });
  return found.filter((one) => one.a.length || one.b.length).sort((one, other) => Math.max(other.a.length, other.b.length) - Math.max(one.a.length, one.b.length) || one.name.localeCompare(other.name, "en"));
}

function drawCompare(state) {
  const [a, b] = pairOf(state), names = Object.keys(data.measures), measure = names.includes(state.m) ? state.m : "coverage";
  const ids = variantIds().map((id) => [id, id]), values = contributions(valuesOf(measure, a, b), { signed: true, ascending: false }), { decimals } = measureOf(measure);
  const defined = values.filter((one) => one.value !== null), mean = defined.length ? defined.reduce((sum, one) => sum + one.value, 0) / defined.length : null;
  const more = defined.filter((one) => one.value > 0).length, fewer = defined.filter((one) => one.value < 0).length;
  const digits = decimals + (decimals < 2 ? 1 : 0), concepts = conceptDifferences(a, b), sought = (state.q || "").toLowerCase();
  const kept = concepts.filter((one) => `${one.name} ${one.id}`.toLowerCase().includes(sought));
  const search = el("input", { type: "search", id: "q", value: state.q || "", autocomplete: "off", spellcheck: "false", placeholder: "concept", oninput: () => change({ q: search.value }) });
  const links = (indices, id) => el("td", { class: "cases" }, indices.length > 0 && el("b", {}, whole(indices.length)), indices.slice(0, 3).map((index) => el("a", { href: address("case", [data.cases[index].id], { a, b, c: id }) }, data.cases[index].id)), indices.length > 3 && el("span", { class: "faint" }, ` and ${indices.length - 3} more`));
  const count = (side) => concepts.reduce((sum, one) => sum + one[side].length, 0);
  return { title: `${a} and ${b}`, keep: ["#q"], element: el("div", { class: "page" }, el("h1", {}, `${a} and ${b}`),
    el("div", { class: "bar" }, choice("First", "a", ids, a, (id) => change({ a: id, b: id === b ? a : b }, { step: true })), choice("Second", "b", ids, b, (id) => change({ b: id, a: id === a ? b : a }, { step: true })),
      choice("Measure", "m", names.map((name) => [name, measureLabel(name)]), measure, (m) => change({ m }, { step: true })), el("label", { class: "choice", for: "q" }, el("span", {}, "Search"), search)),
    el("div", { class: "halves" },
      el("section", {}, el("h2", { id: "h-differ" }, "Where they differ most"),
        el("p", { class: "sub" }, `${measureLabel(measure)}, ${a} − ${b}: mean ${shown(mean, digits, measureOf(measure).scale)} over ${plural(defined.length, "case")}; ${a} higher in ${more}, lower in ${fewer}.`),
        el("div", { class: "scroll tall", tabindex: 0, role: "group", "aria-label": "Cases by difference" }, el("table", { class: "numbers compact" },
          el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Case"), el("th", { scope: "col", class: "n" }, "Difference"), el("th", { scope: "col", colspan: 2 }, el("span", { class: "hidden" }, "drawn")))),
          el("tbody", {}, caseRows(values, measure, { signed: true, look: "", decimals: digits, link: (index) => caseLink(index, a, b) }))))),
      el("section", {}, el("h2", { id: "h-only" }, "Concepts that one states and the other does not"),
        el("p", { class: "sub" }, `Over all cases, ${a} alone states ${whole(count("a"))}, ${b} alone ${whole(count("b"))}.`),
        el("div", { class: "scroll tall", tabindex: 0, role: "group", "aria-label": "Concepts by difference" }, el("table", { class: "numbers compact" },
          el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Concept"), el("th", { scope: "col", class: "n" }, "Said in", el("small", {}, "cases")), el("th", { scope: "col" }, `${a} alone`), el("th", { scope: "col" }, `${b} alone`))),
          el("tbody", {}, kept.map((one) => el("tr", {}, el("th", { scope: "row" }, one.name, el("small", {}, one.id)), el("td", { class: "n" }, whole(one.said)), links(one.a, one.id), links(one.b, one.id))))))))) };
}
