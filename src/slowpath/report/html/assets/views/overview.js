// The verdict, the plan, the findings, and what the run could not see.

function overview() {
  const {report} = DATA;
  return [
    el('h1', {}, report.verdict),
    loadTiles(report.load),
    report.hints.length ? [el('h2', {}, 'What may be wrong'), el('ul', {}, report.hints.map((hint) => el('li', {}, hint)))] : null,
    report.notes.length ? el('ul', {}, report.notes.map((note) => el('li', {}, note))) : null,
    plan(report),
    findingsList(report),
    inCode(report.in_code || []),
    overviewBars(),
    blindList(report),
  ];
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
  if (!steps.length || !report.load.p95_ms) return null;
  const now = report.load.p95_ms;
  const most = Math.max(now, ...steps.map((step) => step.high || step.p95_ms));
  const at = (value) => `${Math.max(0.3, (value / most) * 100)}%`;
  const row = (what, step, words, first) =>
    el(
      `li${first ? '.now' : ''}`,
      {},
      el('div.what', {}, what),
      el(
        'div.step',
        {},
        styled(el('span.level', {}), {width: at(step.p95_ms)}),
        step.low !== undefined && step.high !== undefined
          ? styled(el('span.range', {}), {left: at(step.low), width: `${((step.high - step.low) / most) * 100}%`})
          : null,
        step.measured_p95_ms !== undefined && step.measured_p95_ms !== null
          ? styled(el('span.measured', {title: 'measured'}), {left: at(step.measured_p95_ms)})
          : null,
      ),
      el('div.words', {}, words),
    );
  const words = (step) => [
    `p95 ${ms(step.p95_ms)} ms`,
    step.low !== undefined ? ` (${ms(step.low)} to ${ms(step.high)})` : '',
    step.rps !== undefined ? `, ${number(step.rps)}/s` : '',
    step.measured_p95_ms ? el('b.good', {}, ` measured: ${ms(step.measured_p95_ms)} ms`) : '',
  ];
  const {replay_error: error = null, trusted = true, missing = [], sentence = ''} = report.simulation || {};
  const bounded = steps.some((step) => step.low !== undefined);
  return [
    el('h2', {}, 'The cure plan'),
    sentence ? el('p', {}, sentence) : null,
    el('p.soft', {},
      planned.length ? 'Predicted p95 after each step, the steps above it taken.' : 'Predicted p95 when this alone is cured.',
      bounded ? ' The thin line is the interval of the prediction.' : '',
      error === null ? '' : ` The simulator replays this run as it was, ${percent(Math.abs(error))} off.`),
    trusted ? null : el('p.warn', {}, 'That is too far off to trust these predictions.', missing.length ? ` The simulator leaves out: ${missing.join(', ')}.` : ''),
    el(
      'ol.stairs',
      {},
      row('as measured', {p95_ms: now}, `p95 ${ms(now)} ms, ${number(report.load.rps)}/s`, true),
      steps.map((step) => row(findingLink(step.finding), step, words(step))),
    ),
  ];
}

function findingLink(finding) {
  return el('a', {href: `#/finding/${finding.number}`}, el('span.slug', {}, finding.cause), ' ', el('code', {}, `${shortPath(finding.path)}:${finding.line}`));
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

// What only a scan of the code saw.
function inCode(list) {
  if (!list.length) return null;
  return [
    el('h2', {}, 'Also in the code'),
    el('p.soft', {}, 'Seen by the scan; this run did not show what it costs.'),
    el('ul', {}, list.slice(0, 20).map((one) => el('li', {}, el('span.slug', {}, one.cause), ' ', el('code', {}, `${shortPath(one.path)}:${one.line}`), ` ${one.message || one.title}`))),
    list.length > 20 ? el('p.soft', {}, `${list.length - 20} more: slowpath scan.`) : null,
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
