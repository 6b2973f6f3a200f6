// Flame graphs of the samples that the run has.

function flamesView() {
  if (!DATA.flames.length) {
    return [el('h1', {}, 'Flame graph'), el('p', {}, 'No stack was sampled: nothing held the event loop for long.')];
  }
  return [
    el('h1', {}, 'Flame graph'),
    DATA.flames.map((flame) => [
      el('h2', {}, flame.name),
      el('p.soft', {}, 'Width is time. Click a bar to zoom; orange bars are the app’s own code, the others installed code.'),
      flameGraph(flame),
    ]),
  ];
}
