// Resources over time. Dragging over a part narrows the whole page to it.

function timeView() {
  const {resources, grid} = DATA;
  const x = resources.rate.map((_, i) => ((i + 0.5) * grid.length_ms) / grid.points / 1000);
  const brush = (from, to) => {
    choose(from * 1000, to * 1000);
    show();
  };
  const stalls = [...rows(resources.stalls, 4)];
  const many = (title, series, more) =>
    series.some((one) => one.values.length && one.values.some((value) => value > 0))
      ? chart({title, x, xLabel: 's', series: series.filter((one) => one.values.length), onBrush: brush, summary: series.map((one) => `${one.label}: ${summary(one.values)}`).join('; '), ...more})
      : null;
  return [
    el('h1', {}, 'Over time'),
    el('p.soft', {}, 'Drag over a part of a chart to narrow the page to it. Marks at the top are stalls: slices of 10 ms and over.'),
    el('div.two', {},
      many('Requests a second, and how many at once', [{label: 'a second', values: resources.rate, fill: true}, {label: 'at once', values: resources.in_flight}]),
      many('Event loop: share of time it was held', [{label: 'busy', values: resources.loop_busy, fill: true}], {marks: stalls.map(([at]) => at / 1000), write: (value) => (value === null ? '–' : percent(value))}),
      many('Event loop: longest slice, ms', [{label: 'ms', values: resources.lag, colour: RED, fill: true}], {marks: stalls.map(([at]) => at / 1000)}),
      resources.pools.map((pool) => many(`Pool ${pool.name}${pool.size ? `, of ${pool.size}` : ''}`, [
        {label: 'in use', values: pool.in_use, fill: true},
        {label: 'waiting', values: pool.waiting, colour: RED},
        pool.size ? {label: 'size', values: x.map(() => pool.size), grey: true, dash: [5, 4]} : {label: '', values: []},
      ])),
      many('Threads', [{label: 'busy', values: resources.threads_busy, fill: true}, {label: 'waiting', values: resources.threads_waiting, colour: RED}]),
      many('CPU, cores', [{label: 'cores', values: resources.cpu, fill: true}]),
      many('Memory (RSS), MB', [{label: 'MB', values: resources.rss.map((bytes) => bytes / 1e6)}]),
      many('Garbage collection, ms a second', [{label: 'ms', values: resources.gc, colour: PURPLE, fill: true}]),
    ),
    stallTable(stalls),
  ];
}

function summary(values) {
  if (!values.length) return 'unknown';
  return `${number(values.reduce((sum, value) => sum + value, 0) / values.length)} on average, ${number(Math.max(...values))} at most`;
}

function stallTable(stalls) {
  const [from, to] = windowMs();
  const list = stalls.filter(([at]) => chosen === null || (at >= from && at < to)).sort((a, b) => b[1] - a[1]);
  if (!list.length) return null;
  return [
    el('h2', {}, 'The longest stalls'),
    el('div.table', {}, el('table', {},
      el('thead', {}, el('tr', {}, [el('th.right', {scope: 'col'}, 'at'), el('th.right', {scope: 'col'}, 'ms'), el('th.right', {scope: 'col'}, 'of it gc, ms'), el('th', {scope: 'col'}, 'the line that held the loop, as far as samples tell')])),
      el('tbody', {}, list.slice(0, 20).map(([at, length, site, collecting]) => el('tr', {}, el('td.right', {}, seconds(at)), el('td.right', {}, ms(length)), el('td.right', {}, collecting ? ms(collecting) : '–'), el('td.name', {}, lineOf(site))))))),
    list.length > 20 ? el('p.soft', {}, `${list.length - 20} more.`) : null,
  ];
}
