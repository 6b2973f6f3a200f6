// One finding: the line, the proof, what it costs whom, what to do, and what to take away.

function findingView(numbered) {
  const at = DATA.report.findings.findIndex((finding) => finding.number === numbered);
  if (at < 0) return [el('h1', {}, 'There is no such finding in this run')];
  return oneFinding(DATA.report.findings[at], DATA.texts[at]);
}

function placeView(numbered) {
  const finding = DATA.in_code[numbered - 1];
  if (!finding) return [el('h1', {}, 'There is no such place in the code')];
  return oneFinding(finding, DATA.in_code_texts[numbered - 1]);
}

function oneFinding(finding, texts) {
  const {evidence = []} = texts || {};
  return [
    el('h1', {}, finding.title),
    el('p', {}, el('a', {href: `#/cause/${finding.cause}`}, el('span.slug', {}, finding.cause)), ' at ', el('code', {}, `${shortPath(finding.path)}:${finding.line}`), ` ${finding.function}`),
    el('p', {}, finding.message),
    finding.endpoints.length ? wholeRun('These figures') : null,
    sourceOf(finding),
    facts(finding),
    chainOf(finding),
    finding.endpoints.length ? [el('h2', {}, 'Whom it costs time'), hurtTable(finding)] : null,
    evidence.length ? [el('h2', {}, 'Evidence'), evidenceList(evidence)] : null,
    el('h2', {}, 'What to do'),
    finding.advice ? el('p', {}, prose(finding.advice)) : null,
    el('p.soft', {}, finding.fix ? '' : SAFETY[finding.cure] || ''),
    cureOf(finding),
    copies(finding, texts),
    causePage(finding.cause),
  ];
}

// Of the change of code that the cause's page describes.
const SAFETY = {
  safe: 'Such a change keeps behaviour.',
  unsafe: 'Such a change alters behaviour in corner cases: read it before you keep it.',
  none: 'It needs a reader’s eye.',
};

function sourceOf(finding) {
  const {source} = finding;
  if (!source) return el('p.soft', {}, 'The source of this line is not at hand.');
  return [
    sourceLines(finding),
    source.changed ? el('p.warn', {}, 'The file was changed after the run; the line may have moved.') : null,
  ];
}

function sourceLines({path, line: first, end_line: last, source}) {
  return source && el('div.source', {tabindex: '0', role: 'group', 'aria-label': `Source of ${path}`}, source.lines.map((line, i) => {
    const at = source.first_line + i;
    const guilty = first <= at && at <= last;
    return el(`div${guilty ? '.guilty' : ''}`, {}, el('span.no', {}, String(at)), guilty ? el('span.unseen', {}, 'guilty: ') : '', line || ' ');
  }));
}

function facts(finding) {
  const list = [];
  if (finding.share_of_p95 !== null) {
    list.push(['charged', finding.requests
      ? `${percent(finding.share_of_p95)} of the slowest requests’ time; ${ms(finding.charged_ms_per_request)} ms a request over the whole run, borne by ${counted(finding.requests, 'request')}`
      : 'nothing by this run, but it limits what the app can bear']);
  }
  const gain = finding.predicted;
  if (gain && gain.p95_ms !== undefined) {
    list.push(['predicted', [
      `p95 ${ms(gain.p95_ms)} ms`,
      gain.low !== undefined ? ` (${ms(gain.low)} to ${ms(gain.high)})` : '',
      ` instead of ${ms(DATA.report.load.p95_ms)} ms`,
      gain.rps !== undefined ? `; ${number(gain.rps)} requests/s instead of ${number(DATA.report.load.rps)}` : '',
    ].join('')]);
  }
  const since = ((DATA.report.simulation || {}).measured || []).find(({findings}) => findings.length === 1 && findings[0] === finding.number && DATA.report.findings.includes(finding));
  if (since) list.push(['measured', el('b.good', {}, `p95 ${ms(since.p95_ms)} ms; ${number(since.rps)} requests/s, in a run with this cured: `, el('code', {}, since.run))]);
  list.push(['seen by', finding.seen_by.join(' and ')]);
  if (finding.confidence) list.push(['confidence', finding.confidence]);
  if (finding.culprit) list.push(['culprit', el('code', {}, finding.culprit)]);
  return el('dl.facts', {}, list.map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

function chainOf(finding) {
  const hops = [...finding.chain];
  const {entry} = finding;
  if (entry && !(hops[0] && hops[0].path === entry.path && hops[0].line === entry.line)) hops.unshift(entry);
  if (!hops.length) return null;
  return [
    el('h2', {}, 'How it is reached'),
    el('ol.chain', {},
      hops.map((hop, i) => el('li', {}, i === 0 && entry ? `${entry.kind} ` : '', el('code', {}, `${shortPath(hop.path)}:${hop.line}`), ` ${hop.function}`)),
      finding.culprit ? el('li', {}, el('code', {}, finding.culprit)) : null),
  ];
}

function hurtTable(finding) {
  const indices = new Map(DATA.report.endpoints.map((endpoint, i) => [`${endpoint.method} ${endpoint.route}`, i]));
  const most = Math.max(...finding.endpoints.map((one) => one.charged_ms_per_request), 1e-9);
  return el('div.table', {}, el('table', {},
    el('thead', {}, el('tr', {}, ['endpoint', 'ms a request', 'of its time', ''].map((title, i) => el(i === 1 || i === 2 ? 'th.right' : 'th', {scope: 'col'}, title)))),
    el('tbody', {}, finding.endpoints.map((one) => {
      const name = `${one.method} ${one.route}`;
      const words = el('code.clip', {}, name);
      const bar = styled(el('span', {}), {width: `${(one.charged_ms_per_request / most) * 100}%`, 'background-color': 'var(--own)'});
      return el('tr', {},
        el('td.name', {}, indices.has(name) ? el('a', {href: `#/endpoint/${indices.get(name)}`}, words) : words),
        el('td.right', {}, ms(one.charged_ms_per_request)),
        el('td.right', {}, percent(one.share)),
        el('td.wide', {}, el('div.bar', {}, bar)));
    }))));
}

function evidenceList(evidence) {
  return el('dl.facts', {}, evidence.map(([name, lines]) => [
    el('dt', {}, name),
    el('dd', {}, lines.map((line) => el('div.clip', {title: line}, line))),
  ]));
}

const SIGNS = {'+': 'added', '-': 'removed'};

function diffLine(sign, line) {
  return el(SIGNS[sign] ? `div.${SIGNS[sign]}` : 'div', {}, el('span.sign', {}, sign), line || ' ');
}

// The change of the user's own lines where there is one; else the example of the cause's page.
function cureOf(finding) {
  const {fix} = finding;
  if (fix && fix.diff) return ownCure(finding, fix);
  return [fix && fix.why ? el('p.soft', {}, prose(fix.why)) : null, exampleOf(finding)];
}

function ownCure(finding, fix) {
  // The names of the file stand in the caption.
  const lines = fix.diff.filter((line) => !/^(---|\+\+\+) /.test(line));
  return el('figure.cure', {},
    el('figcaption', {}, 'The cure of your own lines, ', el('code', {}, shortPath(fix.changes)), ': ', prose(fix.title)),
    el('div.source', {tabindex: '0', role: 'group', 'aria-label': 'The cure as a diff: minus goes, plus comes'},
      lines.map((line) => {
        const part = /^@@ -(\d+)/.exec(line);
        return part ? el('div.soft', {}, el('span.sign', {}, '…'), `line ${part[1]}`) : diffLine(line.charAt(0), line.slice(1));
      })),
    fix.cut ? el('p.soft', {}, `${counted(fix.cut, 'line')} more: slowpath fix shows them.`) : null,
    fix.look ? el('p.warn', {}, 'Look at it first. ', prose(fix.look)) : el('p.soft', {}, 'Safe.'));
}

// The example as a diff, beside the line: what to change in its manner.
function exampleOf(finding) {
  const {example} = DATA.causes[finding.cause] || {};
  if (!example) return null;
  const lines = example.lines.map(([sign, line]) => diffLine(sign, line));
  return el('div.two.beside', {},
    finding.source ? el('figure', {}, el('figcaption', {}, 'Your code, ', el('code', {}, `${shortPath(finding.path)}:${finding.line}`)), sourceLines(finding)) : null,
    el('figure', {}, el('figcaption', {}, 'An example of the cure, not your code: from the page of this cause'),
      el('div.source', {tabindex: '0', role: 'group', 'aria-label': 'Example of the cure as a diff: minus goes, plus comes'}, lines)));
}

function copies(finding, texts) {
  if (!texts) return null;
  const [before, after] = texts.prompt;
  const known = (DATA.causes[finding.cause] || {}).page || `${finding.why} ${finding.advice}`;
  const prompt = `${before}${known}${after}`;
  const area = el('textarea.copy', {readonly: true, 'aria-label': 'What was copied', hidden: true});
  const copy = (name, text) => async () => {
    area.value = text;
    area.hidden = false;
    try {
      await navigator.clipboard.writeText(text);
      say(`${name} copied`);
      replace(told, `${name} copied.`);
    } catch {
      // Not every browser lets a file on disk use the clipboard.
      area.focus();
      area.select();
      replace(told, `Press Ctrl-C to copy the ${name.toLowerCase()}.`);
    }
  };
  const told = el('span.soft', {role: 'status'});
  return el('section.take', {},
    el('h2', {}, 'Take it along'),
    finding.fix && finding.fix.diff ? el('p.soft', {}, 'The command makes the change: ', el('code', {}, texts.command)) : null,
    el('div.tools', {},
      el('button', {'data-key': 'copy-command', onclick: copy('Command', texts.command)}, 'Copy command'),
      el('button', {'data-key': 'copy-issue', onclick: copy('Issue', texts.issue)}, 'Copy as issue'),
      el('button', {'data-key': 'copy-prompt', onclick: copy('Prompt', prompt)}, 'Copy as prompt for an AI assistant'),
      told),
    area);
}

function causePage(slug) {
  const template = document.getElementById(`cause-${slug}`);
  if (!template || !template.content.textContent.trim()) return null;
  return [el('h2', {}, 'About this cause'), el('div.page', {}, template.content.cloneNode(true))];
}

function causeView(slug) {
  const list = [...DATA.report.findings, ...DATA.in_code].filter((finding) => finding.cause === slug);
  const page = causePage(slug);
  if (!page && !list.length) return [el('h1', {}, 'There is no such cause on this page')];
  return [
    el('h1', {}, slug),
    list.length ? el('ul', {}, list.map((finding) => el('li', {}, findingLink(finding)))) : null,
    page,
  ];
}
