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

// What py-spy's samples stand for, and how exact their times are.
function reach(flame) {
  if (flame.by !== 'py-spy') return null;
  const {samples, rate, stretch_s: stretch} = DATA.report.run.py_spy || {};
  const timed = !(flame.weights[1] < 0);
  const many = samples ? `${counted(samples, 'sample')} by py-spy, ${rate} a second; threads that it took for idle are left out.` : 'Sampled by py-spy.';
  const exact = timed && stretch ? ` When is known to ${number(stretch)} s: a stretch of that length counts evenly to the parts of the run that it lies in.` : '';
  return [el('p.soft', {}, many, exact), chosen && !timed ? el('p.warn', {}, 'These samples carry no time: they are of the whole run, not of the part looked at.') : null];
}
