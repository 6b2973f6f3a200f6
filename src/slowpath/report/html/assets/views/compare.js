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
    proven(compare.proof),
    el('h2', {}, 'Endpoints, p95 in ms'),
    el('div.table', {}, el('table', {}, heads('endpoint'), el('tbody', {}, compare.endpoints.map((one) => row(one, el('code.clip', {}, one.label)))))),
    el('p.soft', {}, 'Intervals come from resampling blocks of time, since what happens at one time is not independent.'),
    el('h2', {}, 'Findings'),
    list('New', compare.new), list('Gone', compare.gone), list('In both', compare.kept),
    compare.flame ? [el('h2', {}, 'Flame graph of the difference'), el('p.soft', {}, 'Orange: more time than before; blue: less. Width is the larger of the two.'), flameGraph(compare.flame)] : null,
  ];
}

// What the run before predicted for the cures that were made, beside what the run after measured.
function proven(proof) {
  if (!proof) return null;
  const link = (step) => [el('span.slug', {}, step.cause), ' ', el('code', {}, `${shortPath(step.path)}:${step.line}`)];
  const cumulative = proof.steps.filter((step) => step.p95_ms !== null).length > 1 || proof.predicted_p95_ms === null;
  const steps = proof.steps.map((step) => (cumulative && step.p95_ms !== null
    ? {what: link(step), p95_ms: step.p95_ms, rps: step.rps ?? undefined}
    : {what: [link(step), proof.steps.length > 1 ? el('div.soft', {}, 'alone') : null], p95_ms: step.alone, low: step.low, high: step.high}))
    .filter((step) => step.p95_ms !== null);
  return [
    el('h2', {}, 'Predicted and measured'),
    el('p', {}, proof.sentence),
    proof.note ? el('p.warn', {}, proof.note) : null,
    el('p.soft', {}, 'p95 as the run before predicted it for the cures that were made since', steps.length > 1 ? ', in the order of its plan' : '', '; the last bar is what the run after measured.'),
    staircase({what: 'before, as measured', p95_ms: proof.before_p95_ms}, [
      ...steps,
      {what: 'after, as measured', p95_ms: proof.measured_p95_ms, rps: proof.measured_rps, is: 'after'},
    ]),
  ];
}
