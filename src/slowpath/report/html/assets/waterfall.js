// One request in full: its ledger, who held what it waited for, and what each of its tasks did.

const ROW = 17;
const STRIP = 22;
const MOST_ARROWS = 4;

function waterfall(request) {
  const to = Math.max(1, request.wall * 1000);
  return zoomable({
    label: `Waterfall of the ${request.why.join(' and ')} request`,
    from: 0,
    to,
    draw: (width, low, high) => new Waterfall(request, width, low, high).draw(),
  });
}

class Waterfall {
  constructor(request, width, low, high) {
    Object.assign(this, {request, width, low, high});
    this.marks = [];
    this.y = 0;
    this.root = svg('svg', {class: 'drawn', width});
    this.root.append(hatches());
  }

  draw() {
    this.axis();
    this.caption('its time, charged');
    const strip = this.y;
    for (const [activity, start, length, site, text] of rows(this.request.strip, 5)) {
      this.bar(activity, start, length, this.y, STRIP, site, text);
    }
    this.y += STRIP + 4;
    // Arrows cross the words of others from below; their heads are above all.
    this.arrows = svg('g', {});
    this.heads = svg('g', {});
    this.root.append(this.arrows);
    this.request.holders.forEach((holder) => this.holder(holder, strip + STRIP));
    this.root.append(this.heads);
    this.request.lanes.forEach((lane) => this.lane(lane));
    this.root.setAttribute('height', this.y + 4);
    this.root.setAttribute('viewBox', `0 0 ${this.width} ${this.y + 4}`);
    this.marks.sort((a, b) => a.from - b.from);
    return {node: this.root, marks: this.marks};
  }

  x(us) {
    return ((us - this.low) / (this.high - this.low)) * this.width;
  }

  axis() {
    const step = niceStep((this.high - this.low) / Math.max(2, this.width / 110));
    for (let at = Math.ceil(this.low / step) * step; at <= this.high; at += step) {
      const x = this.x(at);
      this.root.append(
        svg('line', {class: 'axis-line', x1: x, x2: x, y1: 0, y2: 9999}),
        svg('text', {class: 'axis', x: x + 3, y: 11}, `${Number((at / 1000).toPrecision(6))} ms`),
      );
    }
    this.y = 16;
  }

  caption(text) {
    this.y += 13;
    const most = Math.floor(this.width / 6.7);
    this.root.append(svg('text', {class: 'axis', x: 2, y: this.y - 2}, cut(text, most)));
  }

  // Returns the bar's middle on the screen, or null if it is not there.
  bar(activity, start, length, y, height, site, text, more) {
    const left = Math.max(0, this.x(start));
    const right = Math.min(this.width, this.x(start + length));
    if (right < 0 || left > this.width || right < left) return null;
    const one = kind(activity);
    const width = Math.max(0.75, right - left);
    const node = svg('rect', {x: left, y, width, height, rx: width > 4 ? 2 : 0, fill: one.wait ? `url(#hatch-${activity})` : one.colour});
    this.root.append(node);
    const words = DATA.words[text] || '';
    if (width > 26 && height > 12) {
      const label = words ? `${one.name} ${words}` : one.name;
      const most = Math.floor((width - 6) / 6.4);
      this.root.append(
        svg('text', {class: `bar-text${isDark(one.colour) ? ' dark' : ''}`, x: left + 3, y: y + height - 5}, cut(label, most)),
      );
    }
    this.marks.push({
      node,
      from: start,
      to: start + length,
      lines: [
        `${one.name}, ${ms(length / 1000)} ms from ${ms(start / 1000)} ms: ${one.meaning}`,
        words,
        site ? `${place(site).where} ${place(site).name}` : '',
        more,
      ],
    });
    return (left + right) / 2;
  }

  holder(holder, from) {
    const who = holder.request >= 0 ? `${endpointName(holder.endpoint)} #${holder.request}` : 'background work';
    const doing = kind(holder.activity).name;
    this.y += 2;
    this.caption(`held by ${who}, ${place(holder.site).where}, ${doing}: ${ms(holder.ms)} ms`);
    const parts = [...rows(holder.parts, 3)];
    const arrows = new Set([...parts].sort((a, b) => b[1] - a[1]).slice(0, MOST_ARROWS));
    for (const part of parts) {
      const [start, length, wait] = part;
      const x = this.bar(holder.activity, start, length, this.y, 10, holder.site, 0, `in ${who}, while this request was in ${kind(wait).name}`);
      if (x !== null && arrows.has(part)) this.arrow(x, from, this.y);
    }
    this.y += 12;
  }

  arrow(x, from, to) {
    this.arrows.append(svg('path', {class: 'arrow', d: `M${x} ${from} V${to - 5}`}));
    this.heads.append(svg('path', {class: 'head', d: `M${x - 3} ${to - 6} h6 l-3 6 z`}));
  }

  lane(lane) {
    this.y += 6;
    const {where, name} = place(lane.site);
    this.caption(`${lane.is_job ? 'thread' : 'task'} ${name || '(unknown)'}  ${lane.site ? where : ''}`);
    for (const [start, length] of rows(lane.slices, 2)) {
      const left = this.x(start);
      const width = Math.max(0.75, this.x(start + length) - left);
      if (left + width < 0 || left > this.width) continue;
      const node = svg('rect', {class: 'slice', x: left, y: this.y, width, height: 5});
      this.root.append(node);
      this.marks.push({node, from: start, to: start + length, lines: [`held ${lane.is_job ? 'its thread' : 'the loop'} for ${ms(length / 1000)} ms`]});
    }
    if (lane.slices.length) this.y += 7;
    let deepest = -1;
    for (const [activity, start, length, site, text, row] of rows(lane.bars, 6)) {
      this.bar(activity, start, length, this.y + row * ROW, ROW - 2, site, text);
      deepest = Math.max(deepest, row);
    }
    this.y += (deepest + 1) * ROW;
  }
}

function hatches() {
  return svg(
    'defs',
    {},
    DATA.kinds.map((one, code) =>
      one.wait &&
      svg(
        'pattern',
        {id: `hatch-${code}`, width: 7, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)'},
        svg('rect', {width: 7, height: 7, fill: one.colour}),
        svg('rect', {width: 3, height: 7, fill: '#ffffff', opacity: 0.42}),
      ),
    ),
  );
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-3)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}
