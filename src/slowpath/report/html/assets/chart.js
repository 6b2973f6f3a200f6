// Charts over time and of latencies, drawn by uPlot.

const charts = new Set();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Okabe and Ito's; on a dark ground the lighter of their blues.
const RED = 1;
const PURPLE = 3;
const LINES = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'];
const LIGHTER = ['#56b4e9', '#ee8a3c', '#2fc297', '#cc79a7'];

function lineColour(number) {
  return (isDarkTheme() ? LIGHTER : LINES)[number];
}

// series: [{label, values, colour, fill, dash, grey, steps}]; `x` are the abscissas.
function chart({title, summary, x, xLabel, series, height, onBrush, log, marks, write}) {
  const box = el('div', {role: 'img', 'aria-label': `${title}. ${summary || ''}`});
  const figure = el('figure.chart', {}, el('figcaption', {}, title), box);
  const told = write || ((value) => (value === null || value === undefined ? '–' : number(value)));
  const axis = (more) => ({
    stroke: colour('--soft'),
    grid: {stroke: colour('--line'), width: 1},
    ticks: {stroke: colour('--line'), width: 1},
    ...more,
  });
  // Made when it is drawn: its colours are those of the theme then.
  const options = () => ({
    width: 300,
    height: height || 150,
    cursor: {drag: {x: Boolean(onBrush), y: false, setScale: false}, sync: onBrush && {key: 'time'}, y: false},
    legend: {live: true},
    scales: {x: {time: false, distr: log ? 3 : 1}, y: {range: (u, low, high) => [Math.min(0, low), high > 0 ? high * 1.05 : 1]}},
    axes: [
      axis({values: (u, splits) => splits.map((value) => (value === null ? '' : number(value)))}),
      axis({size: 56, values: (u, splits) => splits.map((value) => number(value))}),
    ],
    series: [
      {label: xLabel, value: (u, value) => (value === null ? '–' : number(value))},
      ...series.map((one, i) => ({
        label: one.label,
        stroke: one.grey ? '#8a8f98' : lineColour(one.colour ?? i),
        width: 1.5,
        dash: one.dash,
        fill: one.fill ? `${lineColour(one.colour ?? i)}33` : undefined,
        points: {show: false},
        paths: one.steps ? uPlot.paths.stepped({align: 1}) : undefined,
        value: (u, value) => told(value, one),
      })),
    ],
    hooks: {
      drawClear: [(u) => onBrush && chosen && drawChosen(u)],
      draw: [(u) => marks && drawMarks(u, marks)],
      setSelect: [
        (u) => {
          if (!onBrush || u.select.width < 3) return;
          const [from, to] = [u.select.left, u.select.left + u.select.width].map((at) => u.posToVal(at, 'x'));
          u.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
          onBrush(from, to);
        },
      ],
    },
  });
  const entry = {box, make: () => new uPlot(options(), [x, ...series.map((one) => one.values)], box), plot: null};
  charts.add(entry);
  return figure;
}

// The part of the run that is looked at, of which the abscissas are seconds.
function drawChosen(u) {
  const [from, to] = windowMs().map((at) => u.valToPos(at / 1000, 'x', true));
  u.ctx.save();
  u.ctx.fillStyle = colour('--brush');
  u.ctx.fillRect(from, u.bbox.top, to - from, u.bbox.height);
  u.ctx.restore();
}

// Ticks at the top: moments that are worth a look.
function drawMarks(u, marks) {
  const context = u.ctx;
  context.save();
  context.strokeStyle = '#d55e00';
  context.lineWidth = Math.max(1, devicePixelRatio);
  context.beginPath();
  for (const at of marks) {
    const left = u.valToPos(at, 'x', true);
    if (left < u.bbox.left || left > u.bbox.left + u.bbox.width) continue;
    context.moveTo(left, u.bbox.top);
    context.lineTo(left, u.bbox.top + 6 * devicePixelRatio);
  }
  context.stroke();
  context.restore();
}

// uPlot needs the width of its box, which is known once it is in the document.
function drawCharts() {
  for (const entry of charts) {
    if (!entry.box.isConnected) {
      if (entry.plot) entry.plot.destroy();
      charts.delete(entry);
      continue;
    }
    const width = printing ? Math.floor(PAPER / 2) - 20 : Math.floor(entry.box.clientWidth);
    if (!entry.plot) entry.plot = entry.make();
    if (width > 0) entry.plot.setSize({width, height: entry.plot.height});
  }
}

// Colours are taken when a plot is made.
function drawChartsAgain() {
  for (const entry of charts) {
    if (entry.plot) entry.plot.destroy();
    entry.plot = null;
  }
  drawCharts();
}

// A stacked bar of segments [[activity, ms]], with its letters.
function segmentBar(segments, scale) {
  const total = segments.reduce((sum, [, time]) => sum + time, 0);
  const all = scale || total || 1;
  const words = segments
    .filter(([, time]) => time >= 0.01 * total)
    .map(([code, time]) => `${kind(code).name} ${ms(time)} ms`)
    .join(', ');
  return el(
    'div.bar',
    {role: 'img', 'aria-label': words || 'nothing'},
    segments.map(([code, time]) => {
      const one = kind(code);
      const share = time / all;
      const node = el(
        `span${one.wait ? '.hatched' : ''}${isDark(one.colour) ? '.dark' : ''}`,
        {title: `${one.name}: ${ms(time)} ms, ${percent(time / (total || 1))}; ${one.meaning}`},
        share > 0.04 ? one.letter : '',
      );
      return styled(node, {width: `${share * 100}%`, 'background-color': one.colour});
    }),
  );
}

function isDark(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b < 118;
}

function legend(codes) {
  const list = [...new Set(codes)].sort((a, b) => order(a) - order(b));
  return el(
    'ul.legend',
    {},
    list.map((code) => {
      const one = kind(code);
      const key = el(`span.key${one.wait ? '.hatched' : ''}${isDark(one.colour) ? '.dark' : ''}`, {}, one.letter);
      return el('li', {}, styled(key, {'background-color': one.colour}), `${one.name}: ${one.meaning}`);
    }),
  );
}
