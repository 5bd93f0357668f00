import { amount, dates, shortAmount, time } from '../format.js';
import { useWidth } from '../parts/width.js';
import { t } from '../text/index.js';
import type { Trade } from '../types.js';
import { sum } from '../units.js';
import { ticksOf } from './depth.js';
import { bucketsOf } from './volume.js';

const HEIGHT = 220;
const LEFT = 52;
const RIGHT = 8;
/** Prices above, amounts below. */
const PRICES = { top: 18, bottom: 122 };
const AMOUNTS = { top: 146, bottom: 196 };
const BARS = 24;

/** At which prices, and how much, over time. The table beside it says the same in figures. @param trades newest first */
export function TradesPlot({ trades }: { trades: readonly Trade[] }) {
  const { holder, width } = useWidth<HTMLDivElement>();
  return (
    <div ref={holder} class="plot">
      {width > 0 && trades.length > 0 && <Drawing trades={[...trades].reverse()} width={width} />}
    </div>
  );
}

function Drawing({ trades, width }: { trades: readonly Trade[]; width: number }) {
  const points = trades.map((trade) => ({
    at: Date.parse(trade.executed_at) / 1000,
    price: Number(trade.price),
    amount: Number(trade.amount),
  }));
  const [first, last] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 0];
  // One trade, or several of one second, stand in the middle of a minute.
  const [from, to] = last > first ? [first, last] : [first - 30, first + 30];
  const prices = points.map(({ price }) => price);
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const room = high > low ? (high - low) * 0.15 : Math.max(high * 0.1, 1e-9);
  const [cheap, dear] = [Math.max(0, low - room), high + room];
  const right = width - RIGHT;
  const x = (at: number) => LEFT + 6 + ((at - from) / (to - from)) * (right - LEFT - 12);
  const y = (price: number) =>
    PRICES.bottom - ((price - cheap) / (dear - cheap)) * (PRICES.bottom - PRICES.top);
  const buckets = bucketsOf(points, from, to, BARS);
  const most = Math.max(...buckets.map(({ total }) => total));
  const tall = (total: number) => (total / most) * (AMOUNTS.bottom - AMOUNTS.top);
  const clock = dates({
    ...(to - from > 86_400 && { day: 'numeric', month: 'short' }),
    hour: '2-digit',
    minute: '2-digit',
    ...(to - from < 600 && { second: '2-digit' }),
  });
  const newest = trades.at(-1);
  return (
    <svg
      role="img"
      aria-label={t('market.trades.plot', {
        count: trades.length,
        amount: shortAmount(sum(trades.map((trade) => trade.amount))),
        low: amount(String(low)),
        high: amount(String(high)),
        last: newest ? `${amount(newest.price)} GRX/kWh, ${time(newest.executed_at)}` : '',
      })}
      width={width}
      height={HEIGHT}
      viewBox={`0 0 ${width} ${HEIGHT}`}
    >
      {ticksOf(cheap, dear, 4).map((tick) => (
        <g key={`y${tick}`}>
          <line class="grid" x1={LEFT} x2={right} y1={y(tick)} y2={y(tick)} />
          <text class="tick" x={LEFT - 6} y={y(tick) + 4} text-anchor="end">
            {tick}
          </text>
        </g>
      ))}
      <text class="tick" x={6} y={12}>
        GRX/kWh
      </text>
      <polyline class="line" points={points.map(({ at, price }) => `${x(at)},${y(price)}`).join(' ')} />
      {points.map(({ at, price }, index) => (
        <circle key={index} class="point" cx={x(at)} cy={y(price)} r={points.length > 60 ? 2 : 3.5} />
      ))}
      <text class="tick" x={6} y={AMOUNTS.top - 6}>
        GRID
      </text>
      <text class="tick" x={LEFT - 6} y={AMOUNTS.top + 8} text-anchor="end">
        {shortAmount(most.toFixed(3), 1)}
      </text>
      <line class="grid" x1={LEFT} x2={right} y1={AMOUNTS.bottom} y2={AMOUNTS.bottom} />
      {buckets.map(({ middle, total }) => (
        <rect
          key={middle}
          class="column"
          x={x(middle) - Math.max(2, (right - LEFT) / BARS - 3) / 2}
          width={Math.max(2, (right - LEFT) / BARS - 3)}
          y={AMOUNTS.bottom - tall(total)}
          height={tall(total)}
        />
      ))}
      <text class="tick" x={LEFT} y={HEIGHT - 6}>
        {clock.format(from * 1000)}
      </text>
      <text class="tick" x={right} y={HEIGHT - 6} text-anchor="end">
        {clock.format(to * 1000)}
      </text>
    </svg>
  );
}
