(() => {
  'use strict';
  const W = 400, H = 200, L = 46, R = 66, T = 12, B = 24, NS = 'http://www.w3.org/2000/svg';
  const el = (name, attributes, parent) => {
    const e = document.createElementNS(NS, name);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    if (parent) parent.appendChild(e);
    return e;
  };
  const shown = x => {
    const a = Math.abs(x);
    if (a === 0) return '0';
    return a >= 1e-4 && a < 1e5 ? String(Number(x.toPrecision(4))) : x.toExponential(2);
  };
  const ticks = (low, high, log, about) => {
    const out = [];
    if (log) {
      const steps = high / low > 2e3 ? [1] : [1, 2, 5];
      for (let d = Math.floor(Math.log10(low)); d <= Math.ceil(Math.log10(high)); d++)
        for (const s of steps) { const t = s * 10 ** d; if (t >= low && t <= high) out.push(t); }
      const each = Math.max(1, Math.ceil(out.length / (about + 2)));
      return out.filter((_, i) => i % each === 0);
    }
    let step = (high - low) / about;
    if (!(step > 0)) return out;
    const size = 10 ** Math.floor(Math.log10(step));
    step = [1, 2, 5, 10].map(m => m * size).find(s => s >= step * 0.999);
    for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-9 && out.length < 30; t += step) out.push(Number(t.toPrecision(10)));
    return out;
  };
  const merged = (points, most) => {
    const each = Math.max(1, Math.ceil(points.length / most)), out = [];
    for (let i = 0; i < points.length; i += each) {
      const some = points.slice(i, i + each), mean = k => some.reduce((sum, p) => sum + p[k], 0) / some.length;
      out.push([mean(0), mean(1), Math.min(...some.map(p => p[2])), Math.max(...some.map(p => p[3]))]);
    }
    return out;
  };
  const charts = [...document.querySelectorAll('figure.chart')].map(figure => {
    const svg = figure.querySelector('svg'), data = JSON.parse(figure.querySelector('script').textContent);
    const c = { figure, svg, data, x: data.x, y: data.y, axes: svg.querySelector('.axes'), lines: svg.querySelector('.lines') };
    c.cursor = el('path', { class: 'cursor', visibility: 'hidden' }, svg);
    c.range = el('rect', { class: 'range', y: T, height: H - T - B, visibility: 'hidden' }, svg);
    return c;
  });
  const px = (c, x) => L + (x - c.x[0]) / (c.x[1] - c.x[0]) * (W - L - R);
  const py = (c, y) => {
    const f = v => c.data.log ? Math.log(Math.max(v, 1e-300)) : v, [low, high] = c.y.map(f);
    return H - B - Math.max(-3, Math.min(4, (f(y) - low) / (high - low))) * (H - T - B);
  };
  const path = (c, points) => points.map((p, i) => (i ? 'L' : 'M') + px(c, p[0]).toFixed(1) + ' ' + py(c, p[1]).toFixed(1)).join('');
  const within = (c, points) => points.filter((p, i) =>
    p[0] >= c.x[0] && p[0] <= c.x[1] || (points[i + 1] && points[i + 1][0] >= c.x[0] && p[0] <= c.x[1]) || (points[i - 1] && points[i - 1][0] <= c.x[1] && p[0] >= c.x[0]));
  const draw = (c, whole) => {
    const parts = c.data.series.map(s => {
      const points = within(c, s.points), steps = s.points.length > 0 && s.points[0].length === 4, marks = !steps || s.spread;
      return { s, marks, line: steps ? merged(points, 80) : points, band: steps ? merged(points, 200) : [] };
    });
    if (whole) c.y = c.data.y;
    else {
      const ys = parts.flatMap(p => p.line.filter(q => q[0] >= c.x[0] && q[0] <= c.x[1]).flatMap(q => p.s.spread ? [q[2], q[3]] : [q[1]]));
      if (ys.length) {
        const low = Math.min(...ys), high = Math.max(...ys), room = (high - low) * 0.06 || Math.abs(high) * 0.5 || 1e-6;
        c.y = c.data.log ? [low / 1.15, high * 1.15] : [low - room, high + room];
      }
    }
    c.axes.replaceChildren();
    for (const t of ticks(c.y[0], c.y[1], c.data.log, 4)) {
      const y = py(c, t);
      el('path', { d: `M${L} ${y}H${W - R}` }, c.axes);
      el('text', { class: 'y', x: L - 7, y: y + 3.5 }, c.axes).textContent = shown(t);
    }
    for (const t of ticks(c.x[0], c.x[1], false, 5)) el('text', { class: 'x', x: px(c, t), y: H - 7 }, c.axes).textContent = shown(t);
    el('text', { class: 'e', x: W - R + 16, y: H - 7 }, c.axes).textContent = 'epoch';
    if (c.data.best !== null && c.data.best >= c.x[0] && c.data.best <= c.x[1]) el('path', { class: 'best', d: `M${px(c, c.data.best)} ${T}V${H - B}` }, c.axes);
    c.lines.replaceChildren();
    for (const p of parts) {
      if (!p.band.length) continue;
      const around = p.band.map(q => [q[0], q[3]]).concat(p.band.map(q => [q[0], q[2]]).reverse());
      el('path', { class: 'b ' + p.s.class, d: path(c, around) + 'Z' }, c.lines);
    }
    for (const p of parts) {
      el('path', { class: 'l ' + p.s.class, d: path(c, p.line) }, c.lines);
      if (p.marks && p.line.length <= 40) for (const q of p.line) el('circle', { class: p.s.class, cx: px(c, q[0]), cy: py(c, q[1]), r: 2.1 }, c.lines);
    }
  };
  const zoom = range => {
    for (const c of charts) {
      c.x = range ? [Math.max(range[0], c.data.x[0]), Math.min(range[1], c.data.x[1])] : c.data.x;
      if (c.x[1] - c.x[0] <= 0) c.x = c.data.x;
      draw(c, !range);
    }
  };
  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.hidden = true;
  const hide = () => {
    tip.hidden = true;
    for (const c of charts) c.cursor.setAttribute('visibility', 'hidden');
  };
  const point = (c, x) => {
    for (const other of charts) {
      const inside = x >= other.x[0] && x <= other.x[1];
      other.cursor.setAttribute('visibility', inside ? 'visible' : 'hidden');
      if (inside) other.cursor.setAttribute('d', `M${px(other, x)} ${T}V${H - B}`);
    }
    tip.replaceChildren();
    const add = text => { const line = document.createElement('div'); line.textContent = text; tip.appendChild(line); };
    add('epoch ' + shown(Number(x.toFixed(2))));
    for (const s of c.data.series) {
      const near = s.points.reduce((a, b) => !a || Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a, null);
      if (near) add(`${s.name}  ${shown(near[1])}`);
    }
    c.figure.appendChild(tip);
    tip.hidden = false;
    const box = c.svg.getBoundingClientRect(), left = box.left - c.figure.getBoundingClientRect().left + px(c, x) / W * box.width + 12;
    tip.style.left = (left + tip.offsetWidth > c.figure.clientWidth ? left - tip.offsetWidth - 24 : left) + 'px';
    tip.style.top = c.figure.clientHeight - box.height + 6 + 'px';
  };
  for (const c of charts) {
    let from = null;
    const at = event => {
      const box = c.svg.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * W;
      return c.x[0] + Math.max(0, Math.min(1, (x - L) / (W - L - R))) * (c.x[1] - c.x[0]);
    };
    c.svg.addEventListener('pointermove', event => {
      const x = at(event);
      point(c, x);
      if (from === null) return;
      const [a, b] = [px(c, from), px(c, x)];
      c.range.setAttribute('x', Math.min(a, b));
      c.range.setAttribute('width', Math.abs(a - b));
      c.range.setAttribute('visibility', 'visible');
    });
    c.svg.addEventListener('pointerdown', event => { from = at(event); if (event.pointerType === 'mouse') c.svg.setPointerCapture(event.pointerId); });
    c.svg.addEventListener('pointerup', event => {
      const to = at(event), start = from;
      from = null;
      c.range.setAttribute('visibility', 'hidden');
      if (start !== null && Math.abs(px(c, to) - px(c, start)) > 8) zoom([Math.min(start, to), Math.max(start, to)]);
    });
    c.svg.addEventListener('pointercancel', () => { from = null; c.range.setAttribute('visibility', 'hidden'); });
    c.svg.addEventListener('pointerleave', hide);
    c.svg.addEventListener('dblclick', () => zoom(null));
  }
  const hint = document.querySelector('.hint');
  if (hint) hint.hidden = false;
})();
