// Two runs beside each other: what changed for certain, what may be noise.

function compareView() {
  const {compare} = DATA;
  const verdicts = {better: 'good', worse: 'bad', unclear: 'soft', same: 'soft'};
  const figure = (one, value) => (value === null ? '–' : one.metric === 'errors' ? percent(value) : number(value));
  const row = (one, name) => el('tr', {},
    el('td.name', {}, name),
    el('td.right', {}, figure(one, one.before)),
    el('td.right', {}, figure(one, one.after)),
    el('td.right', {}, one.change === null ? '–' : el(`b.${verdicts[one.verdict]}`, {}, change(one.change))),
    el('td.right', {}, one.low === null ? '–' : `${change(one.low)} to ${change(one.high)}`),
    el('td', {}, el(`span.${verdicts[one.verdict]}`, {}, one.verdict)));
  const heads = (first) => el('thead', {}, el('tr', {}, [first, 'before', 'after', 'change', '95% interval', ''].map((title, i) => el(i && i < 5 ? 'th.right' : 'th', {scope: 'col'}, title))));
  const list = (title, findings) => findings.length ? [el('h3', {}, title), el('ul', {}, findings.map((one) => el('li', {}, el('span.slug', {}, one.cause), ' ', el('code', {}, `${shortPath(one.path)}:${one.line}`), ` ${one.message}`)))] : null;
  return [
    el('h1', {}, compare.verdict),
    el('p', {}, 'Before: ', el('code', {}, compare.before), '; after: ', el('code', {}, compare.after), '. The other views show the run after.'),
    compare.notes.map((note) => el('p.warn', {}, note)),
    el('h2', {}, 'The service'),
    el('div.table', {}, el('table', {}, heads(''), el('tbody', {}, compare.overall.map((one) => row(one, one.label))))),
    el('h2', {}, 'Endpoints, p95 in ms'),
    el('div.table', {}, el('table', {}, heads('endpoint'), el('tbody', {}, compare.endpoints.map((one) => row(one, el('code.clip', {}, one.label)))))),
    el('p.soft', {}, 'Intervals come from resampling blocks of time, since what happens at one time is not independent.'),
    el('h2', {}, 'Findings'),
    list('New', compare.new), list('Gone', compare.gone), list('In both', compare.kept),
    compare.flame ? [el('h2', {}, 'Flame graph of the difference'), el('p.soft', {}, 'Orange: more time than before; blue: less. Width is the larger of the two.'), flameGraph(compare.flame)] : null,
  ];
}
