// Flame graphs of the samples that the run has.

function flamesView() {
  const sampled = DATA.report.run.py_spy;
  return [
    el('h1', {}, 'Flame graph'),
    DATA.flames.length
      ? el('p.soft', {}, 'Width is time. Click a bar to zoom; orange bars are the app’s own code, the others installed code.')
      : el('p', {}, 'No stack was sampled: nothing held the event loop for long.'),
    DATA.flames.map((flame) => [el('h2', {}, flame.name), reach(flame), flameGraph(flame)]),
    sampled && sampled.trouble ? el('p.warn', {}, sampled.trouble) : null,
    sampled ? null : el('p.soft', {}, 'With ', el('code', {}, 'slowpath run --py-spy'), ' there is also one of every thread that was not idle.'),
  ];
}

// What samples without a time stand for.
function reach(flame) {
  const [bin] = flame.weights.slice(1, 2);
  if (bin >= 0) return null;
  const {samples, rate} = DATA.report.run.py_spy || {};
  const many = samples ? `${counted(samples, 'sample')} by py-spy, ${rate} a second; threads that it took for idle are left out.` : 'Sampled by py-spy.';
  return [el('p.soft', {}, many), chosen ? el('p.warn', {}, 'These samples carry no time: they are of the whole run, not of the part looked at.') : null];
}
