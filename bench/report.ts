import type { Machine } from './machine.js';

/** One measured figure. */
export interface Figure {
  benchmark: string;
  name: string;
  value: number;
  unit: string;
  /** What we want: at least, or at most, this. */
  goal?: { atLeast: number } | { atMost: number };
}

export interface Report {
  machine: Machine;
  quick: boolean;
  figures: Figure[];
}

/** Whether a figure reaches its goal; one without a goal always does. */
export function reached({ value, goal }: Figure): boolean {
  if (goal === undefined) return true;
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;
}

function number(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The report for people. */
export function reportText({ machine, quick, figures }: Report): string {
  const lines = [
    `${machine.date}, Node ${machine.node}, ${machine.system}, ${machine.cores} cores (${machine.cpu}), ` +
      `${machine.memory_gb} GB, data on ${machine.file_system}, load before ${machine.load_before}` +
      (quick ? ', quick run: too short to quote' : ''),
  ];
  const width = Math.max(...figures.map(({ name }) => name.length));
  let benchmark = '';
  for (const figure of figures) {
    if (figure.benchmark !== benchmark) {
      benchmark = figure.benchmark;
      lines.push('', benchmark);
    }
    const { goal } = figure;
    const wanted =
      goal === undefined
        ? ''
        : `  goal ${'atLeast' in goal ? `at least ${goal.atLeast}` : `at most ${goal.atMost}`}: ${reached(figure) ? 'reached' : 'MISSED'}`;
    lines.push(`  ${figure.name.padEnd(width)}  ${number(figure.value).padStart(8)} ${figure.unit}${wanted}`);
  }
  return lines.join('\n');
}

/** The report for programs: one line. */
export function reportJson(report: Report): string {
  const figures = report.figures.map((figure) => ({
    ...figure,
    ...(figure.goal === undefined ? {} : { reached: reached(figure) }),
  }));
  return JSON.stringify({ ...report, figures });
}
