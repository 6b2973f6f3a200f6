// Who blocked whom: the lines that others waited for, by the endpoints that waited.

const blameState = {all: false};
const FEW_VICTIMS = 8;

function blameView() {
  const culprits = culpritsInWindow();
  if (!culprits.length) {
    return [el('h1', {}, 'Who blocked whom'), el('p', {}, DATA.culprits.lines.length ? 'Nobody waited for anybody in this part of the run.' : 'No request of this run waited for another.')];
  }
  const counts = new Map(endpointsInWindow().map((endpoint) => [endpoint.index, endpoint.count]));
  const totals = new Map();
  for (const culprit of culprits) {
    for (const [victim, time] of culprit.victims) totals.set(victim, (totals.get(victim) || 0) + time);
  }
  const victims = [...totals].sort((a, b) => b[1] - a[1]).map(([victim]) => victim);
  const shown = blameState.all ? victims : victims.slice(0, FEW_VICTIMS);
  const each = (culprit, victim) => (culprit.victims.get(victim) || 0) / Math.max(1, counts.get(victim) || 0);
  const most = Math.max(...culprits.flatMap((culprit) => shown.map((victim) => each(culprit, victim))), 1e-9);
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0) || 1;
  const top = culprits[0];
  return [
    el('h1', {}, 'Who blocked whom'),
    el('p', {}, `Rows are lines of code, columns the endpoints whose requests waited for them; ms of a victim’s mean request. Most is held by ${place(top.site).where}: ${ms(top.total / all)} ms of every request.`),
    victims.length > FEW_VICTIMS
      ? el('div.tools', {}, el('button', {'aria-pressed': String(blameState.all), 'data-key': 'all-victims', onclick: () => { blameState.all = !blameState.all; show(); }}, `All ${victims.length} endpoints`)) : null,
    el('div.table.matrix', {}, el('table', {},
      el('thead', {}, el('tr', {},
        el('th', {scope: 'col'}, 'the line that held'),
        el('th.right', {scope: 'col', title: 'ms of the mean request of the whole run'}, 'every request'),
        shown.map((victim) => el('th.victim', {scope: 'col', title: endpointName(victim)}, endpointName(victim))))),
      el('tbody', {}, culprits.map((culprit) => el('tr', {},
        el('th', {scope: 'row'}, lineOf(culprit.site), el('div.soft', {}, `${kind(culprit.activity).name}, in ${endpointName(culprit.endpoint)}`)),
        el('td.right', {}, ms(culprit.total / all)),
        shown.map((victim) => shaded(each(culprit, victim), most, `${place(culprit.site).where} cost ${endpointName(victim)}`)))))),
    ),
  ];
}

function shaded(time, most, words) {
  if (time < 0.005) return el('td.right.cell', {}, el('span.soft', {'aria-label': 'nothing'}, '·'));
  const node = el('td.right.cell', {title: `${words} ${ms(time)} ms a request`}, ms(time));
  return styled(node, {'background-color': `rgb(213 94 0 / ${Math.round((0.06 + 0.6 * Math.sqrt(time / most)) * 100)}%)`});
}
