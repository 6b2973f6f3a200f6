// All endpoints in a table that sorts and filters.

const endpointsState = {column: 9, down: true, filter: ''};

function endpointsView() {
  const body = el('div', {});
  const input = el('input', {
    type: 'search', value: endpointsState.filter, placeholder: 'Filter by method, route or kind', 'aria-label': 'Filter endpoints', 'data-key': 'filter-endpoints',
    oninput: () => { endpointsState.filter = input.value; draw(); },
  });
  const told = el('span.soft', {role: 'status'});

  function draw() {
    const every = endpointsInWindow();
    const wanted = endpointsState.filter.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const list = every.filter((endpoint) => wanted.every((word) => haystack(endpoint).includes(word)));
    const total = every.reduce((sum, endpoint) => sum + endpoint.count * mean(endpoint), 0) || 1;
    const figure = (title, value, write) => ({
      title, value, right: true, cell: (row) => el('td.right', {}, value(row) === null || value(row) === undefined ? '–' : write(value(row))),
    });
    const columns = [
      {title: 'endpoint', value: (row) => `${row.route} ${row.method}`, cell: (row) => el('td.name', {}, el('a.code', {href: `#/endpoint/${row.index}`}, el('span.clip', {}, `${row.method} ${row.route}`)))},
      figure('count', (row) => row.count, (value) => value.toLocaleString('en-US')),
      figure('a second', (row) => row.rate, number),
      figure('p50', (row) => row.p50_ms, ms),
      figure('p95', (row) => row.p95_ms, ms),
      figure('p99', (row) => row.p99_ms, ms),
      figure('client p95', (row) => (row.client ? row.client.p95_ms : null), ms),
      figure('failed', (row) => row.errors, percent),
      figure('size', (row) => row.bytes, size),
      figure('of all time', (row) => (row.count * mean(row)) / total, percent),
      {title: 'the mean request', value: mean, cell: (row) => el('td.wide', {}, segmentBar(row.segments)), right: true},
      figure('explained', (row) => row.explained, percent),
    ].filter((column) => column.title !== 'client p95' || every.some((row) => row.client));
    endpointsState.column = Math.min(endpointsState.column, columns.length - 1);
    replace(body, sortable(columns, list, endpointsState, redraw));
    replace(told, list.length === every.length ? counted(every.length, 'endpoint') : `${list.length} of ${counted(every.length, 'endpoint')}`);
    append(body, [legend(list.flatMap((row) => row.segments.filter(([, time]) => time >= 0.01 * mean(row)).map(([code]) => code)))]);
  }

  // Sorting makes the heads anew: the one that was pressed keeps the focus.
  function redraw() {
    const key = document.activeElement?.dataset.key;
    draw();
    if (key) body.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }

  draw();
  return [
    el('h1', {}, 'Endpoints'),
    el('p.soft', {}, 'Times in ms, as the server saw them.', chosen ? ' Percentiles of a part of the run are right to about 2%.' : ''),
    el('div.tools', {}, input, told),
    body,
  ];
}

function haystack(endpoint) {
  const kinds = endpoint.segments.filter(([, time]) => time >= 0.05 * mean(endpoint)).map(([code]) => kind(code).name);
  return `${endpoint.method} ${endpoint.route} ${kinds.join(' ')}`.toLowerCase();
}
