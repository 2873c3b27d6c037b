// Elements, numbers and times. Text of others goes in as text, never as markup.
const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || (value === false && !name.startsWith("aria-"))) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const shape = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

// As the tables of the report show numbers: a true minus, commas between thousands, a dash for what is undefined.
const formats = [];  // by decimals: one for each call would take a third of a case's time
function shown(value, decimals = 2, scale = 1) {
  if (value === null || value === undefined) return "–";
  formats[decimals] ??= new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  const words = formats[decimals].format(value * scale);
  return (/^-[0.,]*$/.test(words) ? words.slice(1) : words).replace("-", "−");
}

const whole = (value) => shown(value, 0);
const percent = (value) => (value === null || value === undefined ? "–" : `${shown(value, 1, 100)} %`);

// Virtual time since the case began: 3:07.4
function clock(ms, tenths = true) {
  const all = Math.max(0, Math.round(ms / 100)), minutes = Math.floor(all / 600), rest = all - minutes * 600;
  const seconds = String(Math.floor(rest / 10)).padStart(2, "0");
  return tenths ? `${minutes}:${seconds}.${rest % 10}` : `${minutes}:${seconds}`;
}

const seconds = (ms) => `${shown(ms, ms < 9950 ? 2 : 1, 0.001)} s`;
const short = (name, most = 18) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
const plural = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;

function ticks(low, high, wanted) {
  const rough = (high - low || 1) / wanted, power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + step * 1e-9; number += 1) found.push(Number((number * step).toPrecision(12)));
  return found;
}

function timeTicks(end, wanted) {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].map((one) => one * 1000).find((one) => end / one <= wanted) || 7200000;
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, number) => number * step);
}

// Told to a screen reader, at most once a moment.
let announcing;
function tell(words) {
  clearTimeout(announcing);
  announcing = setTimeout(() => { at("said").textContent = words; }, 400);
}
