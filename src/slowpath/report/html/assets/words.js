// Numbers as a person reads them, by the rules of the terminal's report (`report/words.py`).

function number(value) {
  const size = Math.abs(value);
  if (size >= 9.95 || Number.isInteger(value)) return Math.round(value).toLocaleString('en-US');
  if (size >= 0.995) return value.toFixed(1);
  if (size >= 0.0995) return value.toFixed(2);
  return String(Number(value.toPrecision(2)));
}

function ms(value) {
  if (value === null || value === undefined) return '–';
  return Math.abs(value) < 0.005 ? '0' : number(value);
}

function percent(share) {
  const value = share * 100;
  if (value === 0 || value >= 100) return `${value.toFixed(0)}%`;
  if (value < 0.1) return '<0.1%';
  if (value < 9.95) return `${value.toFixed(1)}%`;
  if (value < 98.95) return `${value.toFixed(0)}%`;
  return `${Math.min(value, 99.9).toFixed(1)}%`;
}

function change(share) {
  const value = share * 100;
  return `${value > 0 ? '+' : value < 0 ? '−' : '±'}${number(Math.abs(Number(value.toPrecision(3))))}%`;
}

function size(bytes) {
  for (const [unit, factor] of [['GB', 1e9], ['MB', 1e6], ['kB', 1e3]]) {
    if (Math.abs(bytes) >= factor) return `${number(bytes / factor)} ${unit}`;
  }
  return `${number(Math.round(bytes))} B`;
}

function cut(text, most) {
  return text.length > most ? `${text.slice(0, Math.max(0, most - 1))}…` : text;
}

function counted(count, one, many) {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many || `${one}s`}`;
}

function seconds(milliseconds) {
  return `${number(Math.round(milliseconds) / 1000)} s`;
}

function day(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? text : at.toISOString().slice(0, 16).replace('T', ' ') + ' UTC';
}
