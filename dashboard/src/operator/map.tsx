import { useEffect, useState } from 'preact/hooks';
import { ask, type Page } from '../api.js';
import { count } from '../format.js';
import { Empty, Loading, Problem } from '../parts/frame.js';
import { useWidth } from '../parts/width.js';
import { t } from '../text/index.js';
import type { FleetItem } from '../types.js';
import { type Place, projectionOf } from './projection.js';
import { STATES, StateShape } from './state.js';

/** As many meters as are drawn: more would only cover each other. */
const MOST = 2_000;
const PAGE = 500;
const LOOK_EVERY_MS = 30_000;
const HEIGHT = 340;
const MARGIN = 24;

interface Found {
  readonly meters: readonly (FleetItem & { site: Place })[];
  readonly looked: number;
  /** There are more meters than were looked at. */
  readonly cut: boolean;
}

/** Meters with a place, page by page. */
async function placed(query: Query, signal: AbortSignal): Promise<Found> {
  const meters: (FleetItem & { site: Place })[] = [];
  let [looked, cursor] = [0, undefined as string | undefined];
  do {
    const page: Page<FleetItem> = await ask('/api/fleet', {
      query: { ...query, limit: PAGE, cursor },
      signal,
    });
    looked += page.items.length;
    for (const item of page.items) if (item.site !== null) meters.push({ ...item, site: item.site });
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && looked < MOST);
  return { meters, looked, cut: cursor !== undefined };
}

type Query = Record<string, string | undefined>;

/** Where the meters are and how they do. Drawn here: no picture of the earth is asked for from anywhere. */
export function FleetMap({ query }: { query: Query }) {
  const [found, setFound] = useState<Found>();
  const [error, setError] = useState<Error>();
  const [round, setRound] = useState(0);
  const key = JSON.stringify(query);
  useEffect(() => {
    const abort = new AbortController();
    placed(query, abort.signal).then(
      (all) => {
        setFound(all);
        setError(undefined);
      },
      (problem: Error) => {
        if (!abort.signal.aborted) setError(problem);
      },
    );
    return () => abort.abort();
  }, [key, round]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') setRound((value) => value + 1);
    }, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const { holder, width } = useWidth<HTMLDivElement>();
  return (
    <div ref={holder} class="plot map">
      {error && <Problem error={error} again={() => setRound((value) => value + 1)} />}
      {!found && !error && <Loading />}
      {found?.meters.length === 0 && <Empty>{t('map.none')}</Empty>}
      {found && found.meters.length > 0 && width > 0 && <Drawing meters={found.meters} width={width} />}
      {found?.cut && <p class="note">{t('map.cut', { count: count(found.looked) })}</p>}
    </div>
  );
}

function Drawing({ meters, width }: { meters: Found['meters']; width: number }) {
  const projection = projectionOf(
    meters.map(({ site }) => site),
    { width, height: HEIGHT, margin: MARGIN },
  );
  if (!projection) return null;
  const { at, scale } = projection;
  const size = meters.length > 500 ? 7 : meters.length > 100 ? 10 : 13;
  const counts = STATES.map((state) => ({
    state,
    meters: meters.filter((one) => one.state === state).length,
  }));
  // What needs somebody is drawn last, and so on top.
  const sorted = [...meters].sort((a, b) => weight(a) - weight(b));
  const words = counts.map((one) => `${t(`fleet.${one.state}`)} ${one.meters}`).join(', ');
  return (
    <>
      <svg
        role="img"
        aria-label={t('map.label', { count: meters.length, states: words })}
        width={width}
        height={HEIGHT}
        viewBox={`0 0 ${width} ${HEIGHT}`}
      >
        <rect class="ground" width={width} height={HEIGHT} rx={8} />
        {sorted.map((one) => {
          const { x, y } = at(one.site);
          return (
            <g key={one.meter_id} transform={`translate(${x.toFixed(1)},${y.toFixed(1)})`}>
              <title>{`${one.meter_id}: ${t(`fleet.${one.state}`)}`}</title>
              <StateShape state={one.state} size={size} />
            </g>
          );
        })}
        <g transform={`translate(${MARGIN},${HEIGHT - 14})`}>
          <path class="scale" d={`M0,-5V0H${scale.pixels}V-5`} />
          <text class="tick" x={scale.pixels + 6} y={3}>
            {scale.metres >= 1_000 ? `${scale.metres / 1_000} km` : `${scale.metres} m`}
          </text>
        </g>
        <text class="tick" x={width - MARGIN} y={22} text-anchor="middle">
          {t('map.north')} ↑
        </text>
      </svg>
      <ul class="list legend" aria-hidden="true">
        {counts.map((one) => (
          <li key={one.state}>
            <svg width="16" height="16" viewBox="-8 -8 16 16" role="presentation">
              <StateShape state={one.state} size={13} />
            </svg>
            {t(`fleet.${one.state}`)} {count(one.meters)}
          </li>
        ))}
      </ul>
    </>
  );
}

const weight = ({ state }: FleetItem): number => ({ online: 0, never: 1, offline: 2, silent: 3 })[state];
