// All that a view shows stands in the address: a link leads to any state, and Back to the one before.
let data;

function parse(fragment) {
  const [path, query = ""] = fragment.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  return { view: parts[0] || "overview", parts: parts.slice(1), ...Object.fromEntries(new URLSearchParams(query)) };
}

function address(view, parts, settings) {
  const kept = Object.entries(settings || {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  const path = [view === "overview" ? "" : view, ...(parts || []).map(encodeURIComponent)].join("/");
  return `#/${path}${query ? `?${query}` : ""}`;
}

const settingsOf = ({ view, parts, ...settings }) => settings;

// What is shown now. The address follows it: at once for a step of its own, which Back undoes, and after a moment for
// one of many, as of a slider, since browsers refuse addresses that change more often.
let now = { view: "overview", parts: [] };
let following;

function change(changes, { step = false } = {}) {
  const next = address(now.view, now.parts, { ...settingsOf(now), ...changes });
  if (step) { go(next); return; }
  now = parse(next);
  clearTimeout(following);
  following = setTimeout(() => history.replaceState(null, "", next), 200);
  show();
}

function go(hash) {
  clearTimeout(following);
  location.hash = hash;
}

const variantIds = () => data.variants.map((one) => one.id);
const variantOf = (id) => data.variants.find((one) => one.id === id);
const lookOf = (id) => `v${variantOf(id)?.look ?? 0}`;
const caseIndex = (id) => data.cases.findIndex((one) => one.id === id);
const measureOf = (name) => data.measures[name] || { heading: name, unit: "", decimals: 3, scale: 1, better: "neither" };

function measured(name, value) {
  const measure = measureOf(name);
  return shown(value, measure.decimals, measure.scale);
}

function measureLabel(name) {
  const measure = measureOf(name);
  return `${measure.heading === name ? name.replaceAll("_", " ") : measure.heading}${measure.unit ? ` (${measure.unit})` : ""}`;
}

// The pair that is compared: what the address names, else the primary variant beside another.
function pairOf(state) {
  const ids = variantIds(), a = ids.includes(state.a) ? state.a : data.primary;
  const other = ids.filter((id) => id !== a);
  const b = ids.includes(state.b) ? state.b : other.find((id) => id !== "V0") || other[0] || a;
  return [a, b];
}
