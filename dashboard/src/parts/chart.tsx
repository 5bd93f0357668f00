import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Series {
  readonly name: string;
  /** A custom property of the style sheet, without its dashes. */
  readonly color: string;
  readonly values: readonly number[];
  readonly bars?: boolean;
}

const HEIGHT = 240;

const colorOf = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || 'currentColor';

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
  const key = JSON.stringify([unit, series.map(({ name, color, bars }) => [name, color, bars])]);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = [times, ...series.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const ink = colorOf('quiet');
    const axis = {
      stroke: ink,
      grid: { stroke: colorOf('line'), width: 1 },
      ticks: { stroke: colorOf('line') },
    };
    const made = new uPlot(
      {
        width: Math.max(element.clientWidth, 200),
        height: HEIGHT,
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_plot, min, max) => [Math.min(0, min), max > 0 ? max * 1.05 : 1] } },
        axes: [axis, { ...axis, size: 60, label: unit, labelSize: 20, stroke: ink }],
        series: [
          {},
          ...series.map(({ name, color, bars }) => ({
            label: name,
            stroke: colorOf(color),
            width: 2,
            points: { show: false },
            value: (_plot: uPlot, value: number | null) =>
              value === null || value === undefined ? '–' : `${value.toFixed(3)} ${unit}`,
            ...(bars && {
              fill: `${colorOf(color)}55`,
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
  }, [key]);
  useEffect(() => {
    plot.current?.setData(latest.current);
  }, [times, series]);

  return <div ref={holder} class="chart" role="img" aria-label={label} />;
}
