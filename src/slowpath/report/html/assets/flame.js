// Flame graphs: stacks as nested bars, widths are time. Callers above, or below when reversed.

const FRAME = 19;

// A tree of {site, name, own, ms, before, children}; weights of `before` only in a comparison.
function flameTree(flame, reversed) {
  const parents = [];
  const sites = [];
  for (const [parent, site] of rows(flame.nodes, 2)) {
    parents.push(parent);
    sites.push(site);
  }
  const weights = new Map();
  for (const [node, bin, time, before] of rows(flame.weights, flame.compared ? 4 : 3)) {
    // Samples without a time are of the whole run, whatever part of it is looked at.
    if (!flame.compared && bin >= 0 && !inside(bin)) continue;
    const sum = weights.get(node) || [0, 0];
    weights.set(node, [sum[0] + time, sum[1] + (before || 0)]);
  }
  const root = branch(0, 'all');
  for (const [leaf, [time, before]] of weights) {
    const stack = [];
    for (let node = leaf; node >= 0; node = parents[node]) stack.push(sites[node]);
    if (!reversed) stack.reverse();
    let at = root;
    grow(at, time, before);
    for (const site of stack) {
      if (!at.children.has(site)) at.children.set(site, branch(site, place(site).name || 'unknown', at));
      at = at.children.get(site);
      grow(at, time, before);
    }
    at.own += time;
  }
  return root;
}

function branch(site, name, parent) {
  return {site, name, parent, own: 0, ms: 0, before: 0, children: new Map()};
}

function grow(node, time, before) {
  node.ms += time;
  node.before += before;
}

function weight(node) {
  return Math.max(node.ms, node.before);
}

// What the reader searched and turned, by the name of the graph: it outlives a new drawing.
const flameWishes = new Map();

function flameGraph(flame) {
  if (!flameWishes.has(flame.name)) flameWishes.set(flame.name, {reversed: false, search: ''});
  const wish = flameWishes.get(flame.name);
  const state = {root: null, focus: null, at: null};
  const box = el('div', {tabindex: '0', role: 'group', 'aria-label': `${flame.name}. Arrow keys walk, Enter zooms, Escape shows all.`, 'data-key': `flame-${flame.name}`});
  const told = el('p', {'aria-live': 'polite'});
  const found = el('span.soft', {'aria-live': 'polite'});
  const search = el('input', {type: 'search', value: wish.search, placeholder: 'Search functions and files', 'aria-label': 'Search functions and files', 'data-key': `search-${flame.name}`, oninput: () => { wish.search = search.value; render(); }});
  const reverse = el('button', {'aria-pressed': String(wish.reversed), 'data-key': `reverse-${flame.name}`, onclick: () => { wish.reversed = !wish.reversed; reverse.setAttribute('aria-pressed', String(wish.reversed)); build(); }}, 'Reversed');
  const tools = el('div.tools', {}, search, reverse, el('button', {onclick: () => focus(state.root)}, 'Show all'), found);

  function build() {
    state.root = state.focus = state.at = flameTree(flame, wish.reversed);
    render();
  }

  function focus(node) {
    state.focus = state.at = node;
    render();
  }

  function matches(node) {
    const wanted = wish.search.trim().toLowerCase();
    if (!wanted || !node.site) return false;
    const {path, name} = place(node.site);
    return name.toLowerCase().includes(wanted) || path.toLowerCase().includes(wanted);
  }

  // The time of the outermost matches: nested ones are within them.
  function matched(node) {
    if (matches(node)) return node.ms;
    return [...node.children.values()].reduce((sum, child) => sum + matched(child), 0);
  }

  function render() {
    const width = widthOf(box);
    if (!state.root || !width) return;
    const drawing = svg('svg', {class: 'drawn', width});
    const above = [];
    for (let node = state.focus.parent; node; node = node.parent) above.unshift(node);
    let deepest = above.length;
    above.forEach((node, level) => draw(node, 0, width, level, true));
    const walk = (node, left, right, level) => {
      if (right - left < 1) return;
      deepest = Math.max(deepest, level);
      draw(node, left, right, level, false);
      let from = left;
      const scale = (right - left) / (weight(node) || 1);
      const children = [...node.children.values()].sort((a, b) => weight(b) - weight(a));
      for (const child of children) {
        walk(child, from, from + weight(child) * scale, level + 1);
        from += weight(child) * scale;
      }
    };
    function draw(node, left, right, level, context) {
      const {installed} = place(node.site);
      const shade = flame.compared ? '' : node.site ? (installed ? 'installed' : 'own') : 'installed';
      const bar = svg('rect', {
        class: ['frame', shade, context && 'dimmed', matches(node) && 'matching', node === state.at && 'chosen'].filter(Boolean).join(' '),
        x: left, y: level * FRAME, width: Math.max(0.5, right - left), height: FRAME - 1,
        fill: flame.compared ? shadeOf(node) : null,
        onclick: () => { focus(node); tell(); },
        onpointermove: (event) => tip.show(describe(node), event.clientX, event.clientY),
        onpointerleave: tip.hide,
      });
      drawing.append(bar);
      if (right - left > 30) {
        const most = Math.floor((right - left - 6) / 6.6);
        drawing.append(svg('text', {class: 'bar-text', x: left + 3, y: level * FRAME + 13}, cut(label(node), most)));
      }
    }
    walk(state.focus, 0, width, above.length);
    drawing.setAttribute('height', (deepest + 1) * FRAME);
    drawing.setAttribute('viewBox', `0 0 ${width} ${(deepest + 1) * FRAME}`);
    replace(box, drawing);
    const searched = wish.search.trim() !== '';
    const time = searched ? matched(state.root) : 0;
    replace(found, searched ? `${ms(time)} ms match, ${percent(time / (state.root.ms || 1))}` : '');
  }

  function label(node) {
    if (!node.site) return `all, ${ms(node.ms)} ms`;
    const sign = flame.compared && node.ms !== node.before ? (node.ms > node.before ? '+ ' : '− ') : '';
    return `${sign}${node.name}`;
  }

  function describe(node) {
    const {where} = place(node.site);
    const lines = [node.name, node.site ? where : ''];
    if (flame.compared) lines.push(`${ms(node.before)} ms before, ${ms(node.ms)} ms after`);
    else lines.push(`${ms(node.ms)} ms, ${percent(node.ms / (state.root.ms || 1))}; ${ms(node.own)} ms of it itself`);
    return lines;
  }

  function tell() {
    replace(told, describe(state.at).filter(Boolean).join(' · '));
  }

  box.addEventListener('keydown', (event) => {
    const node = state.at;
    const siblings = node.parent ? [...node.parent.children.values()].sort((a, b) => weight(b) - weight(a)) : [node];
    const beside = (by) => siblings[siblings.indexOf(node) + by];
    const down = [...node.children.values()].sort((a, b) => weight(b) - weight(a))[0];
    const walk = {ArrowDown: down, ArrowUp: node.parent, ArrowLeft: beside(-1), ArrowRight: beside(1)};
    if (event.key in walk) {
      const next = walk[event.key];
      if (next) state.at = next;
      render();
    } else if (event.key === 'Enter') focus(node);
    else if (event.key === 'Escape') focus(state.root);
    else return;
    event.preventDefault();
    tell();
  });
  whenShown(box, () => (state.root ? render() : build()));
  return el('div', {}, tools, box, told);
}

// Blue for less, vermilion for more, grey for the same; the sign stands in the label too.
function shadeOf(node) {
  const most = Math.max(node.ms, node.before) || 1;
  const share = (node.ms - node.before) / most;
  if (Math.abs(share) < 0.02) return '#b9bec5';
  const [from, to] = share > 0 ? [[250, 226, 208], [213, 94, 0]] : [[214, 232, 246], [42, 134, 196]];
  const mixed = from.map((low, i) => Math.round(low + (to[i] - low) * Math.min(1, Math.abs(share))));
  return `rgb(${mixed.join(' ')})`;
}
