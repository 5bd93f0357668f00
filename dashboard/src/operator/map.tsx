import { useEffect, useMemo, useRef } from 'preact/hooks';
import { count } from '../format.js';
import { useAsk, useRegularly, useShown } from '../parts/ask.js';
import { colorOf, useDark } from '../parts/color.js';
import { Empty, Loading, Problem } from '../parts/frame.js';
import { useWidth } from '../parts/width.js';
import { t } from '../text/index.js';
import type { FleetPlaces, FleetState } from '../types.js';
import { type Projection, projectionOf } from './projection.js';
import { outlineOf, STATES, StateShape } from './state.js';

const LOOK_EVERY_MS = 30_000;
const HEIGHT = 340;
const MARGIN = 24;
const FONT = '12px system-ui, "Noto Sans Thai", sans-serif';
const COLORS = ['brand', 'silent', 'bad', 'card', 'quiet', 'ground'] as const;
type Color = (typeof COLORS)[number];
/** As the style sheet has it for the signs elsewhere, with a rim that keeps one from another. */
const PAINT: Record<FleetState, { fill: Color; stroke: Color; width: number }> = {
  online: { fill: 'brand', stroke: 'ground', width: 1 },
  silent: { fill: 'silent', stroke: 'ground', width: 1 },
  offline: { fill: 'bad', stroke: 'ground', width: 1 },
  never: { fill: 'card', stroke: 'quiet', width: 2 },
};

type Query = Record<string, string | undefined>;
type Meters = FleetPlaces['items'];

/** Where the meters are and how they do. Drawn here: no picture of the earth is asked for from anywhere. */
export function FleetMap({ query }: { query: Query }) {
  const asked = useAsk<FleetPlaces>('/api/fleet/places', query);
  useRegularly(asked.again, true, LOOK_EVERY_MS);
  const places = useShown(asked);
  const { holder, width } = useWidth<HTMLDivElement>();
  return (
    <div ref={holder} class="plot map">
      {asked.error && <Problem error={asked.error} again={asked.again} />}
      {!places && asked.loading && <Loading />}
      {places?.items.length === 0 && <Empty>{t('map.none')}</Empty>}
      {places && places.items.length > 0 && width > 0 && <Drawing meters={places.items} width={width} />}
      {places?.more && <p class="note">{t('map.cut', { count: count(places.meters) })}</p>}
    </div>
  );
}

/** In this order: what needs somebody is drawn last, and so on top. */
const ORDER = ['online', 'never', 'offline', 'silent'] as const satisfies readonly FleetState[];
/** A pointer so near, in pixels, is at a sign. */
const NEAR = 9;

/** On a canvas: thousands of signs as elements would have to be styled, laid out and painted with everything around them. */
function Drawing({ meters, width }: { meters: Meters; width: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dark = useDark();
  const drawn = useMemo(() => {
    const size = { width, height: HEIGHT, margin: MARGIN };
    const projection = projectionOf(meters, size);
    return (
      projection && {
        scale: projection.scale,
        signs: meters.map((one) => ({ one, ...projection.at(one) })),
      }
    );
  }, [meters, width]);
  const north = t('map.north');
  useEffect(() => {
    if (canvas.current && drawn) draw(canvas.current, drawn, { width, north });
  }, [drawn, dark, north]);
  if (!drawn) return null;
  const counts = STATES.map((state) => ({
    state,
    meters: meters.filter((one) => one.state === state).length,
  }));
  const words = counts.map((one) => `${t(`fleet.${one.state}`)} ${one.meters}`).join(', ');
  const tell = (event: PointerEvent) => {
    const { offsetX, offsetY } = event;
    const away = ({ x, y }: { x: number; y: number }) => Math.hypot(x - offsetX, y - offsetY);
    const near = drawn.signs.reduce((best, sign) => (away(sign) < away(best) ? sign : best));
    (event.currentTarget as HTMLCanvasElement).title =
      away(near) <= NEAR ? `${near.one.meter_id}: ${t(`fleet.${near.one.state}`)}` : '';
  };
  return (
    <>
      <canvas
        ref={canvas}
        role="img"
        aria-label={t('map.label', { count: meters.length, states: words })}
        onPointerMove={tell}
      />
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

interface Drawn {
  readonly scale: Projection['scale'];
  readonly signs: readonly { one: Meters[number]; x: number; y: number }[];
}

function draw(
  canvas: HTMLCanvasElement,
  { scale, signs }: Drawn,
  { width, north }: { width: number; north: string },
): void {
  const ratio = globalThis.devicePixelRatio;
  const size = signs.length > 500 ? 7 : signs.length > 100 ? 10 : 13;
  const within = canvas.parentElement ?? document.body;
  const colors = Object.fromEntries(COLORS.map((name) => [name, colorOf(name, within)])) as Record<
    Color,
    string
  >;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  const context = canvas.getContext('2d');
  if (!context) return;
  context.scale(ratio, ratio);
  for (const state of ORDER) {
    const sign = signOf(state, size, colors, ratio);
    for (const { one, x, y } of signs) {
      if (one.state === state) context.drawImage(sign, x - size, y - size, 2 * size, 2 * size);
    }
  }
  context.strokeStyle = colors.quiet;
  context.fillStyle = colors.quiet;
  context.lineWidth = 2;
  context.font = FONT;
  context.stroke(new Path2D(`M${MARGIN},${HEIGHT - 19}v5h${scale.pixels}v-5`));
  const long = scale.metres >= 1_000 ? `${scale.metres / 1_000} km` : `${scale.metres} m`;
  context.fillText(long, MARGIN + scale.pixels + 6, HEIGHT - 11);
  context.textAlign = 'center';
  context.fillText(`${north} ↑`, width - MARGIN, 22);
}

/** A state's sign, to be put in many places: twice as wide and high as it is large. */
function signOf(
  state: FleetState,
  size: number,
  colors: Record<Color, string>,
  ratio: number,
): HTMLCanvasElement {
  const sign = document.createElement('canvas');
  sign.width = Math.ceil(2 * size * ratio);
  sign.height = sign.width;
  const context = sign.getContext('2d');
  if (!context) return sign;
  const { fill, stroke, width } = PAINT[state];
  context.scale(sign.width / (2 * size), sign.height / (2 * size));
  context.translate(size, size);
  const path = new Path2D(outlineOf(state, size));
  context.fillStyle = colors[fill];
  context.strokeStyle = colors[stroke];
  context.lineWidth = width;
  context.fill(path);
  context.stroke(path);
  return sign;
}
