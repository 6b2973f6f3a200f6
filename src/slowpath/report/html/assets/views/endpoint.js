// One endpoint: how slow, what makes the slow ones slow, its queries and calls, whole requests.

function endpointView(index) {
  const found = endpointsInWindow().find((endpoint) => endpoint.index === index);
  const known = DATA.report.endpoints[index];
  if (!known) return [el('h1', {}, 'There is no such endpoint in this run')];
  const head = el('h1', {}, el('code.clip', {}, `${known.method} ${known.route}`));
  if (!found) return [head, el('p', {}, 'No request to it began in this part of the run.')];
  const cells = DATA.cells[index];
  const tile = (name, value) => el('div', {}, el('dt', {}, name), el('dd', {}, value));
  return [
    head,
    el(
      'dl.tiles',
      {},
      tile('requests', found.count.toLocaleString('en-US')),
      found.rate === null ? null : tile('a second', number(found.rate)),
      tile('p50', `${ms(found.p50_ms)} ms`),
      tile('p95', `${ms(found.p95_ms)} ms`),
      tile('p99', `${ms(found.p99_ms)} ms`),
      tile('failed', percent(found.errors)),
      found.explained === null ? null : tile('explained', percent(found.explained)),
    ),
    chosen === null && known.accept_wait_ms > 0.05 * mean(found)
      ? el('p', {}, `Before that, a request lay in the socket for ${ms(known.accept_wait_ms)} ms on average while the loop was held.`) : null,
    cells ? [latencyCharts(cells), groups(cells)] : el('p', {}, 'The recording of this run is gone; only its report is left.'),
    endpointFindings(known),
    callTable('Queries', callsInWindow(index).filter((call) => call.kind === 'sql'), found.count),
    callTable('Other calls and connections', callsInWindow(index).filter((call) => call.kind !== 'sql'), found.count),
    wholeRequests(index),
  ];
}

function latencyCharts(cells) {
  const buckets = distribution(cells);
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  // Wider bars than buckets: 1.04⁶ is a quarter.
  const wide = new Map();
  for (const [bucket, count] of buckets) {
    const at = Math.floor(bucket / 6) * 6;
    wide.set(at, (wide.get(at) || 0) + count);
  }
  const first = Math.min(...wide.keys()) - 6;
  const last = Math.max(...wide.keys()) + 6;
  const x = [];
  const y = [];
  for (let at = first; at <= last + 6; at += 6) {
    x.push(bucketMs(at));
    y.push(wide.get(at) || 0);
  }
  const q = [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.999, 1]
    .filter((share) => total * (1 - share) >= 0.5 || share <= 0.99);
  return el(
    'div.two',
    {},
    chart({
      title: 'Latencies: requests by ms', xLabel: 'ms', log: true, x,
      summary: `Median ${ms(quantile(buckets, 0.5))} ms, p95 ${ms(quantile(buckets, 0.95))} ms.`,
      series: [{label: 'requests', values: y, fill: true, steps: true}],
    }),
    chart({
      title: 'Percentiles: ms by share of requests (%)', xLabel: '%', x: q.map((share) => share * 100),
      summary: `From ${ms(quantile(buckets, 0))} to ${ms(quantile(buckets, 1))} ms.`,
      series: [{label: 'ms', values: q.map((share) => quantile(buckets, share)), colour: RED}],
    }),
  );
}

function groups(cells) {
  const usual = segmentsOf(cells, [1]);
  const slow = segmentsOf(cells, [2]);
  if (!usual.count || !slow.count) return null;
  const sum = (group) => group.segments.reduce((all, [, time]) => all + time, 0);
  const most = Math.max(sum(usual), sum(slow), 1e-9);
  const before = new Map(usual.segments);
  const codes = [...new Set([...usual.segments, ...slow.segments].map(([code]) => code))];
  const after = new Map(slow.segments);
  const rowsOf = codes
    .map((code) => [code, before.get(code) || 0, after.get(code) || 0])
    .sort((a, b) => b[2] - b[1] - (a[2] - a[1]))
    .filter(([, a, b]) => Math.max(a, b) >= 0.005 * most);
  const gained = rowsOf[0] && rowsOf[0][2] > rowsOf[0][1] ? rowsOf[0] : null;
  return [
    el('h2', {}, 'What makes the slow ones slow'),
    gained ? el('p', {}, `The slowest twentieth take ${ms(sum(slow) - sum(usual))} ms longer than those near the median; ${ms(gained[2] - gained[1])} ms of it is ${kind(gained[0]).name} (${kind(gained[0]).meaning}).`) : null,
    el(
      'div.table',
      {},
      el('table.bars', {}, el('tbody', {},
        [['near the median', usual], ['the slowest twentieth', slow]].map(([name, group]) =>
          el('tr', {}, el('td.name', {}, `${name}, ${counted(group.count, 'request')}`), el('td.right', {}, `${ms(sum(group))} ms`), el('td.wide', {}, segmentBar(group.segments, most)))))),
    ),
    el('details', {}, el('summary', {}, 'In figures'),
      el('div.table', {}, el('table', {},
        el('thead', {}, el('tr', {}, ['kind', 'near the median', 'slowest', 'difference'].map((title, i) => el(i ? 'th.right' : 'th', {scope: 'col'}, title)))),
        el('tbody', {}, rowsOf.map(([code, a, b]) => el('tr', {}, el('td', {}, kind(code).name), el('td.right', {}, ms(a)), el('td.right', {}, ms(b)), el('td.right', {}, `${b < a ? '−' : '+'}${ms(Math.abs(b - a))}`))))))),
    legend(rowsOf.map(([code]) => code)),
  ];
}

function endpointFindings(endpoint) {
  const list = DATA.report.findings
    .map((finding) => [finding, finding.endpoints.find((one) => one.method === endpoint.method && one.route === endpoint.route)])
    .filter(([, charged]) => charged)
    .sort((a, b) => b[1].share - a[1].share);
  if (!list.length) return null;
  return [
    el('h2', {}, 'Findings that cost it time'),
    el('ul', {}, list.map(([finding, charged]) => el('li', {}, findingLink(finding), ` ${ms(charged.charged_ms_per_request)} ms a request, ${percent(charged.share)} of its time`))),
  ];
}

function callTable(title, calls, requests) {
  if (!calls.length) return null;
  const unit = calls.some((call) => call.kind === 'sql') ? 'rows' : 'bytes';
  return [
    el('h2', {}, title),
    el('div.table', {}, el('table', {},
      el('thead', {}, el('tr', {}, ['what', 'a request', 'ms each', 'ms a request', `${unit} each`, 'sent by'].map((name, i) => el(i && i < 5 ? 'th.right' : 'th', {scope: 'col'}, name)))),
      el('tbody', {}, calls.map((call) =>
        el('tr', {},
          el('td.name', {}, el('code.clip', {title: DATA.words[call.text]}, DATA.words[call.text] || call.kind)),
          el('td.right', {}, number(call.count / requests)),
          el('td.right', {}, ms(call.ms / call.count)),
          el('td.right', {}, ms(call.ms / requests)),
          el('td.right', {}, !call.known ? '–' : unit === 'rows' ? number(call.amount / call.known) : size(call.amount / call.known)),
          el('td.name', {}, lineOf(call.site)),
        ))),
    )),
  ];
}

function lineOf(site) {
  if (!site) return el('span.soft', {}, 'unknown line');
  const {where, name} = place(site);
  const finding = findingAt(site);
  const words = [el('code', {}, where), ' ', el('span.soft', {}, name)];
  return finding ? el('a', {href: `#/finding/${finding.number}`, title: finding.title}, words) : el('span', {}, words);
}

function wholeRequests(index) {
  const list = requestsInWindow(index);
  if (!list.length) {
    const any = DATA.requests.some((request) => request.endpoint === index);
    return [el('h2', {}, 'Whole requests'), el('p.soft', {}, any ? 'None of those kept whole began in this part of the run.' : 'None was kept: the page keeps those of the endpoints that take the most time.')];
  }
  const body = el('div', {});
  const buttons = list.map((request, i) =>
    el('button', {'aria-pressed': String(i === 0), 'data-key': `request-${i}`, onclick: () => open(i)}, `${request.why.join(', ')}: ${ms(request.latency)} ms`));
  function open(i) {
    buttons.forEach((button, at) => button.setAttribute('aria-pressed', String(at === i)));
    replace(body, oneRequest(list[i]));
  }
  open(0);
  return [el('h2', {}, 'Whole requests'), el('div.tools', {}, buttons), body];
}

function oneRequest(request) {
  const waits = request.holders.map((holder) =>
    el('li', {},
      `${ms(holder.ms)} ms: `,
      holder.request >= 0 ? el('a', {href: `#/endpoint/${holder.endpoint}`}, el('code', {}, endpointName(holder.endpoint))) : 'background work',
      ' in ', kind(holder.activity).name, ' at ', lineOf(holder.site)));
  return [
    el('p', {}, `Status ${request.status || 'none'}, ${size(request.bytes)}, began ${seconds(request.start)} into the run, worker ${request.worker}. Answered after ${ms(request.latency)} ms`,
      request.wall - request.latency > 0.5 ? `; the app was done after ${ms(request.wall)} ms.` : '.'),
    waterfall(request),
    request.left_out ? el('p.soft', {}, `${counted(request.left_out, 'of its shortest spans is', 'of its shortest spans are')} not drawn.`) : null,
    legend([...rows(request.strip, 5)].map(([code]) => code)),
    waits.length ? [el('h3', {}, 'It waited for what these held'), el('ul', {}, waits)] : null,
    el('details', {}, el('summary', {}, 'Its ledger as a table'), ledgerTable(request)),
  ];
}

function ledgerTable(request) {
  const list = [...rows(request.strip, 5)].sort((a, b) => b[2] - a[2]).slice(0, 100).sort((a, b) => a[1] - b[1]);
  return el('div.table', {}, el('table', {},
    el('thead', {}, el('tr', {}, ['from ms', 'ms', 'kind', 'what', 'line'].map((title, i) => el(i < 2 ? 'th.right' : 'th', {scope: 'col'}, title)))),
    el('tbody', {}, list.map(([code, start, length, site, text]) =>
      el('tr', {}, el('td.right', {}, ms(start / 1000)), el('td.right', {}, ms(length / 1000)), el('td', {}, kind(code).name), el('td.name', {}, el('code.clip', {}, DATA.words[text] || '')), el('td.name', {}, lineOf(site)))))));
}
