// What the page shows, and sums of it over the part of the run that is looked at.

let DATA = JSON.parse(document.getElementById('data').textContent);
// Bins [from, to) of `DATA.grid`; null: the whole run.
let chosen = null;

function* rows(flat, width) {
  for (let i = 0; i + width <= flat.length; i += width) yield flat.slice(i, i + width);
}

function inside(bin) {
  return chosen === null || (bin >= chosen[0] && bin < chosen[1]);
}

function binMs() {
  return DATA.grid.length_ms / DATA.grid.bins;
}

function windowMs() {
  return chosen === null ? [0, DATA.grid.length_ms] : [chosen[0] * binMs(), chosen[1] * binMs()];
}

function windowSeconds() {
  const [from, to] = windowMs();
  return Math.max(1e-9, (to - from) / 1000);
}

// Narrow the page to a time; too short a time means the whole run.
function choose(fromMs, toMs) {
  const low = Math.max(0, Math.round(Math.min(fromMs, toMs) / binMs()));
  const high = Math.min(DATA.grid.bins, Math.round(Math.max(fromMs, toMs) / binMs()));
  chosen = high <= low || high - low >= DATA.grid.bins ? null : [low, high];
}

function kind(code) {
  return DATA.kinds[code] || {activity: '', letter: '+', name: 'other', meaning: 'of a newer kind', colour: '#bbbbbb', wait: false, rank: 99};
}

function place(number) {
  const [path, line, name, installed] = DATA.places[number] || ['', 0, '', false];
  return {path, line, name, installed, where: path ? `${path}:${line}` : 'unknown line'};
}

function endpointName(index) {
  const endpoint = DATA.report.endpoints[index];
  return endpoint ? `${endpoint.method} ${endpoint.route}` : 'background work';
}

// A latency distribution as sorted [bucket, count].
function distribution(cells) {
  const counts = new Map();
  for (const [bin, bucket, count] of rows(cells.latency, 3)) {
    if (inside(bin)) counts.set(bucket, (counts.get(bucket) || 0) + count);
  }
  return [...counts].sort((a, b) => a[0] - b[0]);
}

function bucketMs(bucket) {
  const [smallest, ratio] = DATA.buckets;
  return smallest * ratio ** bucket;
}

// Within a bucket the requests count as spread evenly: right to about 2 %.
function quantile(buckets, q) {
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  if (!total) return null;
  let left = q * total;
  for (const [bucket, count] of buckets) {
    if (left <= count) {
      return bucketMs(bucket) * (bucketMs(bucket + 1) / bucketMs(bucket)) ** (left / count);
    }
    left -= count;
  }
  return bucketMs(buckets[buckets.length - 1][0] + 1);
}

// The segments of some of an endpoint's requests, mean ms by activity.
function segmentsOf(cells, groups) {
  const wanted = (group) => !groups || groups.includes(group);
  let count = 0;
  for (const [group, bin, requests] of rows(cells.groups, 3)) {
    if (wanted(group) && inside(bin)) count += requests;
  }
  const sums = new Map();
  for (const [activity, group, bin, time] of rows(cells.segments, 4)) {
    if (wanted(group) && inside(bin)) sums.set(activity, (sums.get(activity) || 0) + time);
  }
  const means = [...sums].map(([activity, time]) => [activity, time / Math.max(1, count)]);
  return {count, segments: means.sort((a, b) => order(a[0]) - order(b[0]))};
}

// Bars go by the order of the terminal's: the loop, waits, the database, others, responses.
function order(code) {
  return kind(code).rank;
}

function endpointsInWindow() {
  const span = windowSeconds();
  return DATA.report.endpoints
    .map((endpoint, index) => {
      const cells = DATA.cells[index];
      if (!cells) return {...endpoint, index, segments: codesOf(endpoint.segments), rate: null, bytes: null};
      const buckets = distribution(cells);
      const {count, segments} = segmentsOf(cells);
      const total = (list) => list.reduce((sum, value, bin) => sum + (inside(bin) ? value : 0), 0);
      const exact = chosen === null ? endpoint : {
        p50_ms: quantile(buckets, 0.5),
        p95_ms: quantile(buckets, 0.95),
        p99_ms: quantile(buckets, 0.99),
      };
      const spent = segments.reduce((sum, [, time]) => sum + time, 0);
      const unknown = segments.find(([activity]) => kind(activity).activity === 'unattributed');
      return {
        index,
        method: endpoint.method,
        route: endpoint.route,
        count,
        rate: count / span,
        p50_ms: exact.p50_ms,
        p95_ms: exact.p95_ms,
        p99_ms: exact.p99_ms,
        client: chosen === null ? endpoint.client : null,
        errors: total(cells.errors) / Math.max(1, count),
        bytes: total(cells.bytes) / Math.max(1, count),
        segments,
        explained: spent ? 1 - (unknown ? unknown[1] : 0) / spent : null,
      };
    })
    .filter((endpoint) => endpoint.count > 0);
}

// Segments by name, as in the report, to segments by code.
function codesOf(segments) {
  const known = new Map(DATA.kinds.map((one, code) => [one.activity, code]));
  return Object.entries(segments)
    .map(([name, time]) => [known.get(name) ?? -1, time])
    .sort((a, b) => order(a[0]) - order(b[0]));
}

function callsInWindow(index) {
  return DATA.calls
    .filter((call) => index === null || call.endpoint === index)
    .map((call) => {
      const sum = {...call, count: 0, ms: 0, amount: 0, known: 0};
      for (const [bin, count, time, amount, known] of rows(call.cells, 5)) {
        if (!inside(bin)) continue;
        sum.count += count;
        sum.ms += time;
        sum.amount += amount;
        sum.known += known;
      }
      return sum;
    })
    .filter((call) => call.count > 0)
    .sort((a, b) => b.ms - a.ms);
}

// ms by culprit and victim, and the victims' numbers of requests.
function culpritsInWindow() {
  const sums = DATA.culprits.lines.map(() => new Map());
  for (const [culprit, victim, bin, time] of rows(DATA.culprits.cells, 4)) {
    if (inside(bin)) sums[culprit].set(victim, (sums[culprit].get(victim) || 0) + time);
  }
  return DATA.culprits.lines
    .map(([site, activity, endpoint], number) => ({
      number, site, activity, endpoint, victims: sums[number],
      total: [...sums[number].values()].reduce((sum, time) => sum + time, 0),
    }))
    .filter((culprit) => culprit.total > 0)
    .sort((a, b) => b.total - a.total);
}

function requestsInWindow(index) {
  const [from, to] = windowMs();
  return DATA.requests.filter(
    (request) => request.endpoint === index && (chosen === null || (request.start >= from && request.start < to)),
  );
}

// The finding at a line, if there is one.
function findingAt(site) {
  const {path, line} = place(site);
  return DATA.report.findings.find(
    (finding) => finding.line <= line && line <= finding.end_line &&
      (finding.path === path || finding.path.endsWith(`/${path}`)),
  );
}
