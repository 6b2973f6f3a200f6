// The verdict, the plan, the findings, and what the run could not see.

function overview() {
  const {report} = DATA;
  return [
    el('h1', {}, report.verdict),
    loadTiles(report.load),
    report.hints.length ? [el('h2', {}, 'What may be wrong'), el('ul', {}, report.hints.map((hint) => el('li', {}, hint)))] : null,
    wholeRun('The verdict, the plan and the findings'),
    report.notes.length ? el('ul', {}, report.notes.map((note) => el('li', {}, note))) : null,
    plan(report),
    findingsList(report),
    inCode(),
    overviewBars(),
    blindList(report),
  ];
}

// Said of what cannot be told of a part of the run.
function wholeRun(what) {
  return chosen ? el('p.warn', {}, `${what} are of the whole run, whatever part of it is looked at.`) : null;
}

function loadTiles(load) {
  const tile = (name, value) => el('div', {}, el('dt', {}, name), el('dd', {}, value));
  return el(
    'dl.tiles',
    {},
    tile('requests', load.requests.toLocaleString('en-US')),
    tile('a second', number(load.rps)),
    load.users ? tile('users', load.users.toLocaleString('en-US')) : null,
    tile(`p50 (${load.seen_by})`, `${ms(load.p50_ms)} ms`),
    tile('p95', `${ms(load.p95_ms)} ms`),
    tile('p99', `${ms(load.p99_ms)} ms`),
    tile('failed', percent(load.errors)),
  );
}

// The steps of the cure plan, in the simulator's order; without one, each cure alone.
function plan(report) {
  const numbers = new Map(report.findings.map((finding) => [finding.number, finding]));
  const planned = ((report.simulation || {}).plan || [])
    .map((step) => ({...step, finding: numbers.get(step.finding ?? step.number)}))
    .filter((step) => step.finding && step.p95_ms !== undefined);
  const alone = report.findings
    .filter((finding) => finding.predicted && finding.predicted.p95_ms !== undefined)
    .map((finding) => ({...finding.predicted, finding}));
  const steps = planned.length ? planned : alone;
  const {replay_error: error = null, trusted = true, missing = [], sentence = '', measured = []} = report.simulation || {};
  // What was measured of cures that are no step of the plan has a bar of its own.
  const apart = measured.filter((row) => !row.steps);
  if (!(steps.length || apart.length) || !report.load.p95_ms) return null;
  const bounded = steps.some((step) => step.low !== undefined);
  return [
    el('h2', {}, 'The cure plan'),
    sentence ? el('p', {}, sentence) : null,
    el('p.soft', {},
      planned.length ? 'Predicted p95 after each step, the steps above it taken.' : 'Predicted p95 when this alone is cured.',
      bounded ? ' The thin line is the interval of the prediction.' : '',
      steps.some((step) => step.measured_p95_ms) ? ' The green mark is what a run with exactly these cures measured.' : '',
      error === null ? '' : ` The simulator replays this run as it was, ${percent(Math.abs(error))} off.`),
    trusted ? null : el('p.warn', {}, 'That is too far off to trust these predictions.', missing.length ? ` The simulator leaves out: ${missing.join(', ')}.` : ''),
    staircase(
      {what: 'as measured', p95_ms: report.load.p95_ms, rps: report.load.rps},
      [
        ...steps.map((step) => ({...step, what: findingLink(step.finding)})),
        ...apart.map((row) => ({...row, what: curesOf(row, numbers), is: 'after', said: 'measured ', guessed: row.predicted_p95_ms})),
      ],
    ),
  ];
}

// The cures that a run was made after, and the run.
function curesOf(row, numbers) {
  const cured = row.findings.map((number) => numbers.get(number)).filter(Boolean);
  return [
    el('div', {}, cured.length > 1 ? 'Measured with these cured, and no others' : 'Measured with this cured, and nothing else'),
    cured.map((finding) => el('div', {}, findingLink(finding))),
    el('div.soft', {}, 'run ', el('code', {}, row.run)),
  ];
}

// Bars of p95 that lead down, the first of them what was measured before; steps are {what, p95_ms,
// rps, low, high, measured_p95_ms, measured_rps, guessed}, of which only the first two must be known;
// `guessed` is what was predicted of a step that was measured.
function staircase(first, steps) {
  const highs = steps.flatMap((step) => [step.p95_ms, step.high, step.measured_p95_ms]);
  const most = Math.max(first.p95_ms, ...highs.filter(Number.isFinite), 1e-9);
  const at = (value) => `${Math.max(0.3, (value / most) * 100)}%`;
  const row = (step, is) => {
    const bounded = Number.isFinite(step.low) && Number.isFinite(step.high);
    const measured = Number.isFinite(step.measured_p95_ms);
    return el(
      is ? `li.${is}` : 'li',
      {},
      el('div.what', {}, step.what),
      el(
        'div.step',
        {},
        styled(el('span.level', {}), {width: at(step.p95_ms)}),
        bounded ? styled(el('span.range', {}), {left: at(step.low), width: `${((step.high - step.low) / most) * 100}%`}) : null,
        measured ? styled(el('span.measured', {title: 'measured'}), {left: at(step.measured_p95_ms)}) : null,
      ),
      el(
        'div.words',
        {},
        step.said || '',
        `p95 ${ms(step.p95_ms)} ms`,
        bounded ? ` (${ms(step.low)} to ${ms(step.high)})` : '',
        Number.isFinite(step.rps) ? `, ${number(step.rps)}/s` : '',
        measured ? el('b.good', {}, `, measured ${ms(step.measured_p95_ms)} ms`, Number.isFinite(step.measured_rps) ? `, ${number(step.measured_rps)}/s` : '') : '',
        step.guessed === undefined ? '' : step.guessed === null ? ' (not predicted together)' : ` (predicted ${ms(step.guessed)} ms)`,
      ),
    );
  };
  return el('ol.stairs', {}, row(first, 'now'), steps.map((step) => row(step, step.is)));
}

function placeOf(finding) {
  return `#/${DATA.in_code.includes(finding) ? 'code' : 'finding'}/${finding.number}`;
}

function findingLink(finding) {
  return el('a', {href: placeOf(finding)}, el('span.slug', {}, finding.cause), ' ', el('code', {}, `${shortPath(finding.path)}:${finding.line}`));
}

function shortPath(path) {
  return path.replace(/^.*\/(?:site|dist)-packages\//, '');
}

function findingsList(report) {
  const {findings} = report;
  if (!findings.length) {
    return report.endpoints.length && report.looked_for.length
      ? [el('h2', {}, 'Findings'), el('p', {}, `None. Looked for ${report.looked_for.join(', ')}.`)]
      : null;
  }
  const most = Math.max(...findings.map((finding) => finding.share_of_p95 || 0), 1e-9);
  return [
    el('h2', {}, 'Findings'),
    el('p.soft', {}, 'Bars: the share of the slowest requests’ time that is charged to the line.'),
    el(
      'ol.stairs',
      {},
      findings.map((finding) =>
        el(
          'li',
          {},
          el('div.what', {}, `${finding.number}. `, findingLink(finding), el('div', {}, finding.message || finding.title)),
          el('div.step', {}, styled(el('span.level', {}), {width: `${((finding.share_of_p95 || 0) / most) * 100}%`})),
          el('div.words', {}, finding.share_of_p95 === null ? 'seen in the code; this run charges it nothing' :
            `${percent(finding.share_of_p95)} of the slowest requests’ time, ${ms(finding.charged_ms_per_request)} ms a request`,
            finding.predicted && finding.predicted.p95_ms !== undefined ? `; cured alone, p95 ${ms(finding.predicted.p95_ms)} ms` : ''),
        ),
      ),
    ),
  ];
}

// The mean request of each endpoint, all bars on one scale.
function overviewBars() {
  const list = endpointsInWindow().sort((a, b) => b.count * mean(b) - a.count * mean(a));
  if (!list.length) return null;
  const shown = list.slice(0, 12);
  const most = Math.max(...shown.map(mean), 1e-9);
  return [
    el('h2', {}, 'Where the time goes'),
    el(
      'div.table',
      {},
      el(
        'table.bars',
        {},
        el('tbody', {}, shown.map((endpoint) =>
          el('tr', {},
            el('td.name', {}, el('a.code', {href: `#/endpoint/${endpoint.index}`}, el('span.clip', {}, `${endpoint.method} ${endpoint.route}`))),
            el('td.right', {}, `${ms(mean(endpoint))} ms`),
            el('td.wide', {}, segmentBar(endpoint.segments, most)),
          ))),
      ),
    ),
    list.length > shown.length ? el('p', {}, el('a', {href: '#/endpoints'}, `All ${counted(list.length, 'endpoint')}`)) : null,
    legend(shown.flatMap((endpoint) => endpoint.segments.filter(([, time]) => time >= 0.01 * mean(endpoint)).map(([code]) => code))),
  ];
}

function mean(endpoint) {
  return endpoint.segments.reduce((sum, [, time]) => sum + time, 0);
}

function blindList(report) {
  const cost = report.probe.overhead_ms_per_request;
  return [
    el('h2', {}, 'What this run could not see'),
    report.blind.length
      ? el('ul', {}, report.blind.map((blind) => el('li', {}, blind.message)))
      : el('p', {}, 'Nothing that is known of: all hooks ran, nothing was dropped.'),
    cost !== null ? el('p.soft', {}, `The probe itself cost ${ms(cost)} ms a request, which is in these figures.`) : null,
  ];
}
