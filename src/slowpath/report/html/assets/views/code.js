// What only the scan saw: places in the code that this run gave no price.

const codeState = {column: 0, down: false, filter: ''};

function codeView() {
  const body = el('div', {});
  const told = el('span.soft', {role: 'status'});
  const input = el('input', {
    type: 'search', value: codeState.filter, placeholder: 'Filter by cause, file, function or words', 'aria-label': 'Filter places', 'data-key': 'filter-code',
    oninput: () => { codeState.filter = input.value; draw(); },
  });
  const sure = ['possible', 'likely', 'certain'];
  const where = (one) => `${shortPath(one.path)}:${one.line}`;
  const columns = [
    {title: 'cause', value: (one) => one.cause, cell: (one) => el('td', {}, el('a.slug', {href: `#/code/${one.number}`}, one.cause))},
    {title: 'place', value: (one) => `${shortPath(one.path)}:${String(one.line).padStart(7)}`, cell: (one) => el('td.name', {}, el('code', {}, where(one)), ' ', el('span.soft', {}, one.function))},
    {title: 'what', value: (one) => one.message || one.title, cell: (one) => el('td.name', {}, one.message || one.title)},
    {title: 'reached from', value: (one) => (one.entry ? one.entry.function : ''), cell: (one) => el('td.name', {}, one.entry ? `${one.entry.kind} ${one.entry.function}` : '–')},
    {title: 'confidence', value: (one) => sure.indexOf(one.confidence), cell: (one) => el('td', {}, one.confidence), right: true},
  ];

  function draw() {
    const wanted = codeState.filter.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const list = DATA.in_code.filter((one) => {
      const text = `${one.cause} ${where(one)} ${one.function} ${one.message}`.toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    replace(body, sortable(columns, list, codeState, redraw));
    const every = counted(DATA.in_code_count, 'place');
    replace(told, list.length === DATA.in_code_count ? every : `${list.length} of ${every}`);
  }

  function redraw() {
    const key = document.activeElement?.dataset.key;
    draw();
    if (key) body.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }

  draw();
  return [
    el('h1', {}, 'In the code'),
    el('p.soft', {}, 'Seen by the scan of the code; this run did not show what it costs.',
      DATA.in_code_count > DATA.in_code.length ? ` The surest ${DATA.in_code.length} are here; slowpath scan lists all.` : ''),
    el('div.tools', {}, input, told),
    body,
  ];
}

// Its first places on the overview.
function inCode() {
  const list = DATA.in_code;
  if (!list.length) return null;
  return [
    el('h2', {}, 'Also in the code'),
    el('p.soft', {}, 'Seen by the scan; this run did not show what it costs.'),
    el('ul', {}, list.slice(0, 10).map((one) => el('li', {}, findingLink(one), ` ${one.message || one.title}`))),
    list.length > 10 ? el('p', {}, el('a', {href: '#/code'}, `All ${counted(DATA.in_code_count, 'place')}`)) : null,
  ];
}
