import { describe, expect, it } from 'vitest';
import { type Figure, reached, reportJson, reportText } from './report.js';

const machine = {
  date: '2026-01-01T00:00:00.000Z',
  node: '20.11.0',
  system: 'linux 6 x64',
  cores: 2,
  cpu: 'a processor',
  memory_gb: 8,
  load_before: 0.1,
  file_system: 'ext4',
};
const figure = (value: number, goal?: Figure['goal']): Figure => ({
  benchmark: 'b',
  name: 'n',
  value,
  unit: 'MB',
  ...(goal && { goal }),
});

describe('the report', () => {
  it('compares with the goal from the right side', () => {
    expect(reached(figure(0.35, { atLeast: 0.35 }))).toBe(true);
    expect(reached(figure(0.349, { atLeast: 0.35 }))).toBe(false);
    expect(reached(figure(70, { atMost: 70 }))).toBe(true);
    expect(reached(figure(70.1, { atMost: 70 }))).toBe(false);
    expect(reached(figure(1e9))).toBe(true);
  });

  it('prints each figure against its goal, with the machine', () => {
    const text = reportText({ machine, quick: false, figures: [figure(71, { atMost: 70 }), figure(12_345)] });
    expect(text).toContain('2 cores (a processor)');
    expect(text).toMatch(/71\.0 MB {2}goal at most 70: MISSED/);
    expect(text).toContain('12,345 MB');
    expect(text).not.toContain('quick');
  });

  it('says in JSON what was reached', () => {
    const { figures } = JSON.parse(
      reportJson({ machine, quick: true, figures: [figure(60, { atMost: 70 })] }),
    );
    expect(figures).toEqual([{ ...figure(60, { atMost: 70 }), reached: true }]);
  });
});
