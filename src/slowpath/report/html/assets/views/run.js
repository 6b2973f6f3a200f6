// What was run, on what, and how the probe fared.

function runView() {
  const {report} = DATA;
  const {run, probe} = report;
  const traffic = run.traffic || {};
  const fact = (name, value) => (value === null || value === undefined || value === '' ? null : [el('dt', {}, name), el('dd', {}, value)]);
  return [
    el('h1', {}, 'The run'),
    el('dl.facts', {},
      fact('command', el('code', {}, (run.command || []).join(' '))),
      fact('began', run.started ? day(run.started) : ''),
      fact('measured', seconds(report.load.seconds * 1000)),
      fact('traffic', [traffic.kind, traffic.users ? counted(traffic.users, 'user') : '', traffic.rate ? `${number(traffic.rate)}/s asked for` : ''].filter(Boolean).join(', ')),
      fact('Python', run.python), fact('machine', run.platform), fact('cores', run.cpus ? String(run.cpus) : ''),
      fact('revision', run.git_revision ? el('code', {}, run.git_revision) : ''),
      fact('slowpath', DATA.slowpath),
    ),
    el('h2', {}, 'Answers by status'),
    el('dl.facts', {}, Object.entries(report.load.statuses).map(([status, count]) => fact(status === '0' ? 'no answer' : status, count.toLocaleString('en-US')))),
    el('h2', {}, 'Workers'),
    el('div.table', {}, el('table', {},
      el('thead', {}, el('tr', {}, ['process', 'Python', 'requests', 'dropped'].map((title) => el('th', {scope: 'col'}, title)))),
      el('tbody', {}, probe.processes.map((one) => el('tr', {}, el('td', {}, String(one.pid)), el('td', {}, one.python), el('td', {}, one.requests.toLocaleString('en-US')), el('td', {}, String(one.dropped))))))),
    el('h2', {}, 'Hooks'),
    el('dl.facts', {}, Object.entries(probe.hooks).map(([name, state]) => fact(name, state === 'on' ? 'on' : el('span.warn', {}, state)))),
    el('h2', {}, 'Colours'),
    legend(DATA.kinds.map((one, code) => (one.activity ? code : -1)).filter((code) => code >= 0)),
  ];
}
