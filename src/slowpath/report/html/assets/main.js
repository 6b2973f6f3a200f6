// Views by the address's hash, the part of the run that is looked at, themes, and the live page.

const VIEWS = [
  ['compare', 'Compared', compareView, () => DATA.compare],
  ['', 'Overview', overview, () => true],
  ['endpoints', 'Endpoints', endpointsView, () => true],
  ['blame', 'Who blocked whom', blameView, () => DATA.culprits.lines.length],
  ['time', 'Over time', timeView, () => DATA.resources.rate.length],
  ['flame', 'Flame graph', flamesView, () => DATA.cells.length],
  ['code', 'In the code', codeView, () => DATA.in_code.length],
  ['run', 'The run', runView, () => true],
];
const INNER = {
  endpoint: [(at) => endpointView(Number(at)), 'endpoints'],
  finding: [(at) => findingView(Number(at)), ''],
  code: [(at) => (at ? placeView(Number(at)) : codeView()), 'code'],
  cause: [(slug) => causeView(slug), ''],
};

function route() {
  const [name, argument] = location.hash.replace(/^#\/?/, '').split('/');
  if (name in INNER) return {key: INNER[name][1], draw: () => INNER[name][0](decodeURIComponent(argument || ''))};
  if (!name && DATA.compare) return {key: 'compare', draw: compareView};
  const view = VIEWS.find(([key]) => key === (name === 'overview' ? '' : name)) || VIEWS[1];
  return {key: view[0], draw: view[2]};
}

function show() {
  const {key, draw} = route();
  const focused = document.activeElement?.dataset?.key;
  tip.hide();
  const nav = document.getElementById('nav');
  replace(nav, VIEWS.filter(([, , , there]) => there()).map(([name, title]) =>
    el('a', {href: `#/${name || 'overview'}`, 'aria-current': name === key ? 'page' : null}, title)));
  // On a narrow screen it scrolls sideways: where one is should be seen.
  const here = nav.querySelector('[aria-current]');
  if (here) nav.scrollLeft = here.offsetLeft - nav.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2;
  replace(document.getElementById('main'), draw());
  drawWindow();
  drawCharts();
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
}

function drawHead() {
  const {run, load} = DATA.report;
  const words = (run.command || []).map((word, i) => (i ? word : String(word).split('/').pop()));
  document.title = `${DATA.name} · slowpath`;
  replace(
    document.getElementById('head'),
    el('span.brand', {}, 'slowpath'),
    el('code.command', {title: words.join(' ')}, words.join(' ') || DATA.name),
    el('span.soft', {}, run.started ? day(run.started) : '', load.seconds ? `, ${seconds(load.seconds * 1000)}` : ''),
    DATA.live ? el('span.good', {id: 'live', role: 'status'}, 'live') : null,
    el('button', {onclick: turnTheme, title: 'Light or dark'}, 'Theme'),
  );
  replace(document.getElementById('foot'), `slowpath ${DATA.slowpath}. Times are milliseconds. Everything is in this file; nothing was loaded from elsewhere.`);
}

function isDarkTheme() {
  const set = document.documentElement.dataset.theme;
  return set ? set === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

function turnTheme() {
  document.documentElement.dataset.theme = isDarkTheme() ? 'light' : 'dark';
  drawAgain();
  drawChartsAgain();
}

// A thin strip of the run above all views: rate, stalls, and what part is looked at.
function drawWindow() {
  const node = document.getElementById('window');
  const {resources, grid} = DATA;
  if (!resources.rate.length || grid.length_ms <= 0 || !DATA.cells.length) {
    replace(node);
    return;
  }
  const height = 34;
  const points = resources.rate.length;
  const most = Math.max(...resources.rate, 1e-9);
  const drawing = svg('svg', {class: 'strip', viewBox: `0 0 ${points} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': 'Request rate over the run; drag over a part to narrow the page to it'});
  const line = resources.rate.map((rate, i) => `${i} ${height - (rate / most) * (height - 6)} H${i + 1}`);
  drawing.append(svg('path', {class: 'area', d: `M0 ${height} L${line.join(' L')} V${height} Z`}));
  for (const [at] of rows(resources.stalls, 4)) {
    const x = (at / grid.length_ms) * points;
    drawing.append(svg('line', {class: 'stall', x1: x, x2: x, y1: 0, y2: 5, 'vector-effect': 'non-scaling-stroke'}));
  }
  const veil = svg('rect', {class: 'brush', y: 0, height, 'vector-effect': 'non-scaling-stroke'});
  const [from, to] = windowMs();
  const place = (low, high) => {
    veil.setAttribute('x', (low / grid.length_ms) * points);
    veil.setAttribute('width', ((high - low) / grid.length_ms) * points);
  };
  if (chosen) {
    place(from, to);
    drawing.append(veil);
  }
  let start = null;
  const time = (event) => {
    const box = drawing.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * grid.length_ms;
  };
  drawing.addEventListener('pointerdown', (event) => {
    start = time(event);
    drawing.setPointerCapture(event.pointerId);
  });
  drawing.addEventListener('pointermove', (event) => {
    if (start === null) return;
    drawing.append(veil);
    place(Math.min(start, time(event)), Math.max(start, time(event)));
  });
  drawing.addEventListener('pointerup', (event) => {
    if (start !== null) choose(start, time(event));
    start = null;
    show();
  });
  drawing.addEventListener('pointercancel', show);
  const edge = (name, value, set) =>
    el('label', {}, `${name} `, el('input', {type: 'number', step: 'any', min: '0', value: Number((value / 1000).toFixed(2)), 'aria-label': `${name}, seconds`, 'data-key': `window-${name}`, onchange: (event) => set(Number(event.target.value) * 1000)}));
  const count = endpointsInWindow().reduce((sum, endpoint) => sum + endpoint.count, 0);
  replace(
    node,
    drawing,
    el(chosen ? 'div.told.part' : 'div.told', {},
      el('span.soft', {}, chosen ? `A part of the run: ${counted(count, 'request')} that began in` : `The whole run, ${counted(count, 'request')}.`),
      edge('from', from, (value) => { choose(value, windowMs()[1]); show(); }),
      edge('to', to, (value) => { choose(windowMs()[0], value); show(); }),
      el('span.soft', {}, 's'),
      chosen ? el('button', {'data-key': 'window-all', onclick: () => { chosen = null; show(); }}, 'The whole run') : null),
  );
}

// The live page asks its own server for what is new, and keeps what the reader looks at.
async function follow() {
  const token = new URLSearchParams(location.search).get('token') || '';
  let known = DATA.revision || '';
  for (;;) {
    await new Promise((resume) => setTimeout(resume, 1500));
    if (document.hidden) continue;
    const state = document.getElementById('live');
    try {
      const answer = await fetch(`data?token=${encodeURIComponent(token)}&known=${encodeURIComponent(known)}`, {cache: 'no-store'});
      if (!answer.ok) throw new Error(String(answer.status));
      if (answer.status === 200) {
        const part = chosen && windowMs();
        DATA = await answer.json();
        known = DATA.revision || '';
        chosen = null;
        if (part) choose(...part);
        drawHead();
        show();
      }
    } catch {
      if (state) replace(state, 'the server is gone');
    }
  }
}

addEventListener('hashchange', () => {
  show();
  scrollTo(0, 0);
  document.getElementById('main').focus({preventScroll: true});
});
addEventListener('resize', drawCharts);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawChartsAgain);
// Paper is light. What the reader opened, zoomed and typed stays as it is.
addEventListener('beforeprint', () => {
  const {dataset} = document.documentElement;
  dataset.before = dataset.theme || '';
  dataset.theme = 'light';
  printing = true;
  drawAgain();
  drawChartsAgain();
});
addEventListener('afterprint', () => {
  const {dataset} = document.documentElement;
  if (dataset.before) dataset.theme = dataset.before;
  else delete dataset.theme;
  delete dataset.before;
  printing = false;
  drawAgain();
  drawChartsAgain();
});
drawHead();
show();
if (DATA.live) follow();
