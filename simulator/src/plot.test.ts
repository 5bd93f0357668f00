import { describe, expect, it } from 'vitest';
import { SimulatorConfig } from './config.js';
import { type Day, dayEnergy, plotDay, simulateDay, THEMES } from './plot.js';

const NOW = Date.UTC(2026, 5, 21, 12);

/** Elements of a well-formed document; throws at the first fault (XML 1.0, as far as SVG of ours goes). */
function elements(xml: string): { name: string; attributes: Record<string, string>; text: string }[] {
  const found: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: { name: string; text: string }[] = [];
  let rest = xml.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\s*/, '');
  if (rest === xml) throw new Error('no XML declaration');
  while (rest.length > 0) {
    const text = /^[^<]+/.exec(rest)?.[0];
    if (text !== undefined) {
      if (/&(?!(amp|lt|gt|quot|apos|#\d+);)/.test(text)) throw new Error(`bare & in ${text}`);
      const parent = open.at(-1);
      if (parent === undefined && text.trim() !== '') throw new Error(`text outside: ${text}`);
      if (parent !== undefined) parent.text += text;
      rest = rest.slice(text.length);
      continue;
    }
    const tag = /^<(\/?)([a-z]+)((?:\s+[a-zA-Z0-9:-]+="[^"<]*")*)\s*(\/?)>/.exec(rest);
    if (tag === null) throw new Error(`no tag: ${rest.slice(0, 60)}`);
    rest = rest.slice(tag[0].length);
    const [, closing, name, attributes, empty] = tag as unknown as string[];
    if (closing === '/') {
      const last = open.pop();
      if (last?.name !== name) throw new Error(`</${name}> closes <${last?.name}>`);
      continue;
    }
    if (found.length > 0 && open.length === 0) throw new Error('a second root');
    const pairs = [...(attributes as string).matchAll(/([a-zA-Z0-9:-]+)="([^"]*)"/g)];
    if (new Set(pairs.map(([, key]) => key)).size !== pairs.length) throw new Error('an attribute twice');
    const element = {
      name: name as string,
      attributes: Object.fromEntries(pairs.map(([, key, value]) => [key, value])),
      text: '',
    };
    found.push(element);
    if (empty !== '/') open.push(element);
  }
  if (open.length > 0) throw new Error(`<${open.at(-1)?.name}> stays open`);
  return found;
}

const config = (input: object) => SimulatorConfig.parse({ date: '2026-06-21', ...input });
const home = config({
  sites: {
    'A & B <home>': {
      weather: { cloud_cover: 0 },
      parts: [{ type: 'solar' }, { type: 'residential' }, { type: 'battery', capacity_kwh: 4 }],
    },
  },
});

describe('a day', () => {
  it('has the powers of its parts, from midnight to midnight', () => {
    const constant = config({
      sites: {
        x: {
          parts: [
            { type: 'constant', kind: 'production', name: 'a', watts: 3000 },
            { type: 'constant', watts: 1000 },
          ],
        },
      },
    });
    const day = simulateDay(constant, '.', { nowMs: NOW });
    expect(day).toMatchObject({ site: 'x', date: '2026-06-21', hours: 24 });
    expect(day.points).toHaveLength(288);
    expect(dayEnergy(day)).toEqual({
      production: expect.closeTo(72, 9),
      consumption: expect.closeTo(24, 9),
      surplus: expect.closeTo(48, 9),
    });
  });

  it('of changed clocks is an hour shorter or longer', () => {
    const hours = (date: string) => simulateDay(home, '.', { date, nowMs: NOW }).hours;
    expect([hours('2026-03-29'), hours('2026-10-25'), hours('2026-07-01')]).toEqual([23, 25, 24]);
  });

  it('has its sun at noon and is the same each time', () => {
    const day = simulateDay(home, '.', { nowMs: NOW });
    expect(simulateDay(home, '.', { nowMs: NOW + 1e9 })).toEqual(day);
    expect(day.points[0]?.productionWatts).toBeLessThan(1000);
    const noon = day.points.filter(({ hours }) => hours >= 12 && hours < 14);
    expect(Math.max(...noon.map(({ productionWatts }) => productionWatts))).toBeGreaterThan(3000);
  });

  it('can be that of a simple home, and of no other than there are', () => {
    const simple = config({
      units: [{ unit: 4, scenario: { shape: 'flat', solar_watts: 100, household_watts: 50 } }],
    });
    expect(dayEnergy(simulateDay(simple, '.', { site: 'unit-4', nowMs: NOW })).surplus).toBeCloseTo(1.2, 9);
    expect(() => simulateDay(simple, '.', { site: 'y', nowMs: NOW })).toThrowError(/there are: unit-4/);
  });
});

describe('a battery', () => {
  it('takes from the surplus, neither from production nor from consumption', () => {
    const parts = [
      { type: 'constant', kind: 'production', name: 'a', watts: 3000 },
      { type: 'constant', watts: 1000 },
    ];
    const battery = { type: 'battery', capacity_kwh: 4, charged: 0, efficiency: 1 };
    const energy = (more: object[]) =>
      dayEnergy(simulateDay(config({ sites: { x: { parts: [...parts, ...more] } } }), '.', { nowMs: NOW }));
    expect(energy([battery]).production).toBe(energy([]).production);
    expect(energy([battery]).consumption).toBe(energy([]).consumption);
    expect(energy([]).surplus - energy([battery]).surplus).toBeCloseTo(4, 6);
  });
});

describe('its picture', () => {
  const day: Day = {
    site: 'A & B <home>',
    date: '2026-06-21',
    hours: 24,
    points: Array.from({ length: 288 }, (_, index) => ({
      hours: index / 12,
      productionWatts: index < 144 ? 0 : 6000,
      consumptionWatts: 1500,
      surplusWatts: index < 144 ? 0 : 4500,
    })),
  };

  it.each(THEMES)('is well-formed in theme %s, with names, units and sums', (theme) => {
    const found = elements(plotDay(day, theme));
    const texts = found.map(({ text }) => text.trim());
    expect(texts).toContain('A &amp; B &lt;home&gt;, 2026-06-21');
    for (const text of [
      'kW',
      'local time in hours',
      'production 72.0 kWh',
      'consumption 36.0 kWh',
      'surplus 54.0 kWh',
    ]) {
      expect(texts).toContain(text);
    }
    const css = found.find(({ name }) => name === 'style')?.text as string;
    expect(css.includes('@media (prefers-color-scheme: dark)')).toBe(theme === 'auto');
    expect(css.includes('#14181d')).toBe(theme !== 'light');
    expect(css.includes('#ffffff')).toBe(theme !== 'dark');
  });

  it('has its curves where the axes say', () => {
    const found = elements(plotDay(day));
    const grid = (axis: 'x' | 'y') => {
      // Lines with their labels: the scale as a reader sees it.
      const lines = found.filter(({ attributes }) => attributes.class === 'grid');
      const own = lines.filter(({ attributes }) => attributes[`${axis}1`] === attributes[`${axis}2`]);
      return own.map(({ attributes }) => Number(attributes[`${axis}1`]));
    };
    const [zero, top] = [Math.max(...grid('y')), Math.min(...grid('y'))];
    const labels = found
      .filter(({ attributes }) => attributes['text-anchor'] === 'end')
      .map(({ text }) => Number(text));
    const most = Math.max(...labels.filter((value) => !Number.isNaN(value)));
    const watts = (y: number) => ((zero - y) / (zero - top)) * most * 1000;
    const hours = (x: number) =>
      ((x - Math.min(...grid('x'))) / (Math.max(...grid('x')) - Math.min(...grid('x')))) * 24;
    const points = (tag: string, kind: string) =>
      String(
        found.find(({ name, attributes }) => name === tag && attributes.class === kind)?.attributes.points,
      )
        .split(' ')
        .map((pair) => pair.split(',').map(Number) as [number, number])
        .map(([x, y]) => [hours(x), watts(y)] as const);
    for (const [hour, power] of points('polyline', 'production')) {
      if (Math.abs(hour - 12) > 0.1) expect(Math.abs(power - (hour < 12 ? 0 : 6000))).toBeLessThan(1);
    }
    for (const [, power] of points('polyline', 'consumption')) expect(Math.abs(power - 1500)).toBeLessThan(1);
    expect(points('polyline', 'production').at(-1)?.[0]).toBeCloseTo(24, 5);
    // The area of the surplus, by the shoelace formula, is its energy.
    const polygon = points('polygon', 'surplus');
    const area = polygon.reduce((sum, [x, y], index) => {
      const [nextX, nextY] = polygon[(index + 1) % polygon.length] as readonly [number, number];
      return sum + (x * nextY - nextX * y) / 2;
    }, 0);
    expect(Math.abs(area) / 1000).toBeCloseTo(54, 1);
  });

  it('of a real day and of nothing at all is well-formed too', () => {
    elements(plotDay(simulateDay(home, '.', { nowMs: NOW })));
    elements(
      plotDay({ ...day, points: [{ hours: 0, productionWatts: 0, consumptionWatts: 0, surplusWatts: 0 }] }),
    );
  });

  it('is checked by a reader that finds faults', () => {
    for (const broken of [
      '<a>',
      '<?xml version="1.0" encoding="UTF-8"?><a><b></a></b>',
      '<?xml version="1.0" encoding="UTF-8"?><a>&b</a>',
    ]) {
      expect(() => elements(broken)).toThrow();
    }
  });
});
