import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { language, t } from '../text/index.js';
import 'uplot/dist/uPlot.min.css';

export interface Series {
  readonly name: string;
  /** A custom property of the style sheet, without its dashes. */
  readonly color: string;
  readonly values: readonly number[];
  readonly bars?: boolean;
}

const HEIGHT = 240;
/** What is drawn does not change its colors by itself. */
const DARK = globalThis.matchMedia('(prefers-color-scheme: dark)');
const DAY_SECONDS = 86_400;

/** A color as the canvas takes it: a custom property may still hold both the light and the dark one. */
function colorOf(name: string, within: HTMLElement): string {
  const probe = document.createElement('span');
  probe.style.color = `var(--${name})`;
  within.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** The same color with little of it. */
const faint = (color: string): string => color.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.3)');

/** A plot over time. What it shows is also said in words by the figures or the table beside it. */
export function Chart({
  label,
  unit,
  times,
  series,
}: {
  label: string;
  unit: string;
  times: readonly number[];
  series: readonly Series[];
}) {
  const holder = useRef<HTMLDivElement>(null);
  const key = JSON.stringify([
    unit,
    language.value,
    series.map(({ name, color, bars }) => [name, color, bars]),
  ]);
  const plot = useRef<uPlot | undefined>(undefined);
  const [dark, setDark] = useState(DARK.matches);
  useEffect(() => {
    const listen = () => setDark(DARK.matches);
    DARK.addEventListener('change', listen);
    return () => DARK.removeEventListener('change', listen);
  }, []);
  const data = [times, ...series.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const ink = colorOf('quiet', element);
    const axis = {
      stroke: ink,
      grid: { stroke: colorOf('line', element), width: 1 },
      ticks: { stroke: colorOf('line', element) },
    };
    const stamp = (seconds: number, options: Intl.DateTimeFormatOptions) =>
      new Intl.DateTimeFormat(language.value === 'th' ? 'th-TH-u-ca-gregory' : 'en-GB', options).format(
        seconds * 1000,
      );
    const made = new uPlot(
      {
        width: Math.max(element.clientWidth, 200),
        height: HEIGHT,
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_plot, min, max) => [Math.min(0, min), max > 0 ? max * 1.05 : 1] } },
        axes: [
          {
            ...axis,
            space: 80,
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
          { ...axis, size: 60, label: unit, labelSize: 20, stroke: ink },
        ],
        series: [
          {
            label: t('col.time'),
            value: (_plot: uPlot, at: number | null) =>
              at === null || at === undefined ? '–' : stamp(at, { dateStyle: 'medium', timeStyle: 'medium' }),
          },
          ...series.map(({ name, color, bars }) => ({
            label: name,
            stroke: colorOf(color, element),
            width: 2,
            points: { show: false },
            value: (_plot: uPlot, value: number | null) =>
              value === null || value === undefined ? '–' : `${value.toFixed(3)} ${unit}`,
            ...(bars && {
              fill: faint(colorOf(color, element)),
              ...(uPlot.paths.bars && { paths: uPlot.paths.bars({ size: [0.8, 60] }) }),
            }),
          })),
        ],
      },
      latest.current,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [key, dark]);
  useEffect(() => {
    plot.current?.setData(latest.current);
  }, [times, series]);

  return <div ref={holder} class="chart" role="img" aria-label={label} />;
}
