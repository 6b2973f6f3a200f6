// A drawing over time that can be zoomed: drag, buttons, or + - and the arrow keys.
//
// draw(width, from, to) returns {node, marks}: an SVG and what can be chosen in it, in order, as
// {node, lines, from, to}.
function zoomable({label, from, to, draw}) {
  let view = [from, to];
  let marks = [];
  let at = -1;
  const box = el('div', {tabindex: '0', role: 'group', 'aria-label': `${label}. Arrow keys choose a part, plus and minus zoom, 0 shows all.`, 'data-key': label});
  const told = el('p.soft', {'aria-live': 'polite'});
  const tools = el(
    'div.tools',
    {},
    el('button', {onclick: () => zoom(0.5)}, 'Zoom in'),
    el('button', {onclick: () => zoom(2)}, 'Zoom out'),
    el('button', {onclick: () => move(-0.3), 'aria-label': 'Earlier'}, '←'),
    el('button', {onclick: () => move(0.3), 'aria-label': 'Later'}, '→'),
    el('button', {onclick: () => show(from, to)}, 'All'),
    el('span.soft', {}, 'or drag over a part'),
  );

  function show(low, high) {
    const least = (to - from) / 1e5;
    const length = Math.min(to - from, Math.max(least, high - low));
    const start = Math.max(from, Math.min(low, to - length));
    view = [start, start + length];
    render();
  }

  function zoom(factor, around) {
    const middle = around ?? (view[0] + view[1]) / 2;
    const half = ((view[1] - view[0]) * factor) / 2;
    show(middle - half, middle + half);
  }

  function move(share) {
    const by = (view[1] - view[0]) * share;
    show(view[0] + by, view[1] + by);
  }

  function render() {
    const width = Math.max(280, Math.floor(widthOf(box)));
    const drawn = draw(width, ...view);
    marks = drawn.marks;
    at = -1;
    replace(box, drawn.node);
    brush(drawn.node, width);
    for (const mark of marks) {
      mark.node.addEventListener('pointermove', (event) => tip.show(mark.lines, event.clientX, event.clientY));
      mark.node.addEventListener('pointerleave', tip.hide);
    }
  }

  function brush(node, width) {
    let start = null;
    let veil = null;
    const x = (event) => Math.max(0, Math.min(width, event.clientX - node.getBoundingClientRect().left));
    node.addEventListener('pointerdown', (event) => {
      if (event.button) return;
      start = x(event);
    });
    node.addEventListener('pointermove', (event) => {
      if (start === null || Math.abs(x(event) - start) < 4) return;
      if (!veil) {
        veil = svg('rect', {class: 'brush', y: 0, height: node.getAttribute('height')});
        node.append(veil);
        node.setPointerCapture(event.pointerId);
      }
      veil.setAttribute('x', Math.min(start, x(event)));
      veil.setAttribute('width', Math.abs(x(event) - start));
    });
    const done = (event) => {
      const end = x(event);
      const began = start;
      start = null;
      if (veil && event.type === 'pointerup') {
        const time = (px) => view[0] + ((view[1] - view[0]) * px) / width;
        show(time(Math.min(began, end)), time(Math.max(began, end)));
      }
    };
    node.addEventListener('pointerup', done);
    node.addEventListener('pointercancel', done);
  }

  function step(by) {
    if (!marks.length) return;
    if (at >= 0) marks[at].node.classList.remove('chosen');
    at = Math.max(0, Math.min(marks.length - 1, at + by));
    marks[at].node.classList.add('chosen');
    replace(told, marks[at].lines.filter(Boolean).join(' · '));
  }

  box.addEventListener('keydown', (event) => {
    const keys = {
      ArrowRight: () => step(1),
      ArrowLeft: () => step(-1),
      '+': () => zoom(0.5),
      '=': () => zoom(0.5),
      '-': () => zoom(2),
      0: () => show(from, to),
      Escape: () => show(from, to),
      Enter: () => at >= 0 && show(marks[at].from - (marks[at].to - marks[at].from) * 0.2, marks[at].to + (marks[at].to - marks[at].from) * 0.2),
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  whenShown(box, render);
  return el('div', {}, tools, box, told);
}

// Drawings in the document, to be made anew for paper.
const drawings = new Set();

// Calls back once a node has a width, and again whenever that changes.
function whenShown(node, render) {
  let width = 0;
  drawings.add({node, render});
  new ResizeObserver(() => {
    if (node.clientWidth && node.clientWidth !== width) {
      width = node.clientWidth;
      render();
    }
  }).observe(node);
}

function drawAgain() {
  for (const drawing of drawings) {
    if (drawing.node.isConnected) drawing.render();
    else drawings.delete(drawing);
  }
}

// Paper has no width that a script could ask for before it is printed on: this one fits, and the
// style makes it fill the page.
const PAPER = 700;
let printing = false;

function widthOf(node) {
  return printing ? PAPER : node.clientWidth;
}
