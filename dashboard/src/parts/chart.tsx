import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { dates } from '../format.js';
import { language, t } from '../text/index.js';
import { colorOf, useDark } from './color.js';
import 'uplot/dist/uPlot.min.css';

export interface Series {
  readonly name: string;
  /** A custom property of the style sheet, without its dashes. */
  readonly color: string;
  /** `null`: unknown then, a gap. */
  readonly values: readonly (number | null)[];
  /** `steps`: the value holds from its time to the next one. */
  readonly shape?: 'line' | 'steps';
  readonly filled?: boolean;
}

const HEIGHT = 240;
const DAY_SECONDS = 86_400;

/** The same color with little of it. */
const faint = (color: string): string => color.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.22)');

/** A plot over time. What it shows is also said in words by the figures or the table beside it. */
export function Chart({
  label,
  unit,
  times,
  series,
  from,
  to,
  height = HEIGHT,
  digits = 3,
}: {
  label: string;
  unit: string;
  times: readonly number[];
  series: readonly Series[];
  /** Unix seconds that the time axis begins and ends with; as far as there are values unless given. */
  from?: number;
  to?: number;
  /** Pixels where text has its usual size, without the legend; on a wall it grows with the text. */
  height?: number;
  /** Behind the point, in the legend. */
  digits?: number;
}) {
  const holder = useRef<HTMLDivElement>(null);
  const key = JSON.stringify([
    unit,
    language.value,
    series.map(({ name, color, shape, filled }) => [name, color, shape, filled]),
    height,
  ]);
  const plot = useRef<uPlot | undefined>(undefined);
  const dark = useDark();
  const data = [times, ...series.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const latest = useRef({ data, from, to });
  latest.current = { data, from, to };

  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const ink = colorOf('quiet', element);
    const scale = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const font = `${Math.round(12 * scale)}px system-ui, "Noto Sans Thai", sans-serif`;
    const tall = Math.round(height * scale);
    const axis = {
      stroke: ink,
      font,
      labelFont: font,
      grid: { stroke: colorOf('line', element), width: 1 },
      ticks: { stroke: colorOf('line', element) },
    };
    const stamp = (seconds: number, options: Intl.DateTimeFormatOptions) =>
      dates(options).format(seconds * 1000);
    const made = new uPlot(
      {
        width: Math.max(element.clientWidth, 200),
        height: tall,
        cursor: { drag: { x: false, y: false } },
        scales: {
          x: {
            range: (_plot, min, max) => [latest.current.from ?? min, latest.current.to ?? max],
          },
          y: { range: (_plot, min, max) => [Math.min(0, min), max > 0 ? max * 1.05 : 1] },
        },
        axes: [
          {
            ...axis,
            space: 80 * scale,
            values: (_plot, splits, _axis, _space, step) =>
              splits.map((at) =>
                stamp(
                  at,
                  step >= DAY_SECONDS
                    ? { day: 'numeric', month: 'short' }
                    : {
                        hour: '2-digit',
                        minute: '2-digit',
                        ...(step < 60 && { second: '2-digit' }),
                      },
                ),
              ),
          },
          { ...axis, size: 60 * scale, label: unit, labelSize: 20 * scale },
        ],
        series: [
          {
            label: t('col.time'),
            value: (_plot: uPlot, at: number | null) =>
              at === null || at === undefined ? '–' : stamp(at, { dateStyle: 'medium', timeStyle: 'medium' }),
          },
          ...series.map(({ name, color, shape, filled }) => ({
            label: name,
            stroke: colorOf(color, element),
            width: 2,
            points: { show: false },
            value: (_plot: uPlot, value: number | null) =>
              value === null || value === undefined ? '–' : `${value.toFixed(digits)} ${unit}`,
            ...(filled && { fill: faint(colorOf(color, element)) }),
            ...(shape === 'steps' && uPlot.paths.stepped && { paths: uPlot.paths.stepped({ align: 1 }) }),
          })),
        ],
      },
      latest.current.data,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height: tall });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [key, dark]);
  useEffect(() => {
    plot.current?.setData(latest.current.data);
  }, [from, to, times, ...series.map(({ values }) => values)]);

  return <div ref={holder} class="chart" role="img" aria-label={label} />;
}
