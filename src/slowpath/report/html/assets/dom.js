// Elements are made by these alone: text from the app becomes text nodes, never markup.

const SVG = 'http://www.w3.org/2000/svg';
// Control characters, marks without width, and marks that turn the direction of writing.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

function visible(text) {
  return String(text).replace(UNSEEN, (char) => {
    const code = char.charCodeAt(0);
    return code <= 0xff
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

// el('td.right', {title: '…'}, 'text', el(…)): classes after dots, listeners as `onclick`.
function el(what, attributes, ...children) {
  const [tag, ...classes] = what.split('.');
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(' ');
  fill(node, attributes || {});
  append(node, children);
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  fill(node, attributes || {});
  append(node, children);
  return node;
}

function fill(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : visible(value));
  }
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === '') continue;
    node.append(child instanceof Node ? child : visible(child));
  }
}

// Prose of slowpath's own, in which code stands between backticks.
function prose(text) {
  return String(text).split('`').map((part, i) => (i % 2 ? el('code', {}, part) : part));
}

// The policy forbids style attributes; the object model may set them.
function styled(node, styles) {
  for (const [name, value] of Object.entries(styles)) node.style.setProperty(name, value);
  return node;
}

function replace(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

function say(text) {
  document.getElementById('said').textContent = text;
}

const tip = {
  show(lines, x, y) {
    const node = document.getElementById('tip');
    replace(node, lines.filter(Boolean).map((line) => el('div', {}, line)));
    node.hidden = false;
    const box = node.getBoundingClientRect();
    const left = Math.max(4, Math.min(x + 12, innerWidth - box.width - 8));
    const top = y + 16 + box.height > innerHeight ? y - box.height - 10 : y + 16;
    styled(node, {left: `${left}px`, top: `${Math.max(4, top)}px`});
  },
  hide() {
    document.getElementById('tip').hidden = true;
  },
};

// A table whose columns sort by a click: columns are {title, value(row), cell(row), right}. On a
// narrow screen its rows are cards.
function sortable(columns, list, state, redraw) {
  const by = columns[state.column] || columns[0];
  const order = [...list].sort((a, b) => {
    const [x, y] = [by.value(a), by.value(b)];
    const sign = typeof x === 'string' ? x.localeCompare(y) : (x ?? -1) - (y ?? -1);
    return state.down ? -sign : sign;
  });
  const heads = columns.map((column, i) =>
    el(
      column.right ? 'th.right' : 'th',
      {scope: 'col', 'aria-sort': i === state.column && (state.down ? 'descending' : 'ascending')},
      el(
        'button',
        {
          'data-key': `sort-${column.title}`,
          onclick: () => {
            // Numbers are of interest from the top, names from A.
            state.down = state.column === i ? !state.down : Boolean(column.right);
            state.column = i;
            redraw();
          },
        },
        column.title,
        i === state.column ? (state.down ? ' ↓' : ' ↑') : '',
      ),
    ),
  );
  return el(
    'div.table',
    {},
    el(
      'table.cards',
      {},
      el('thead', {}, el('tr', {}, heads)),
      el('tbody', {}, order.map((row) => el('tr', {}, columns.map((column) => {
        const cell = column.cell(row);
        cell.dataset.title = column.title;
        return cell;
      })))),
    ),
  );
}
