import type { LiveLevel } from '@gridtokenx/protocol';
import { amount, shortAmount } from '../format.js';
import { useWidth } from '../parts/width.js';
import { t } from '../text/index.js';
import { sum } from '../units.js';
import { depthOf, rangeOf, type Step, ticksOf } from './depth.js';

const HEIGHT = 200;
const LEFT = 52;
const BOTTOM = 26;
const TOP = 18;
/** Room for the unit at the end of the axis. */
const UNIT = 75;

/** How much energy is wanted and offered up to each price. The tables beside it say the same in figures. */
export function DepthPlot({ bids, asks }: { bids: readonly LiveLevel[]; asks: readonly LiveLevel[] }) {
  const { holder, width } = useWidth<HTMLDivElement>();
  const [wanted, offered] = [depthOf(bids), depthOf(asks)];
  const range = rangeOf(wanted, offered);
  const words = [
    bids[0] &&
      t('market.depth.bids', {
        amount: shortAmount(sum(bids.map((level) => level.amount))),
        price: amount(bids[0].price),
      }),
    asks[0] &&
      t('market.depth.asks', {
        amount: shortAmount(sum(asks.map((level) => level.amount))),
        price: amount(asks[0].price),
      }),
  ].filter(Boolean);
  return (
    <div ref={holder} class="plot">
      {range && width > 0 && (
        <svg
          role="img"
          aria-label={`${t('market.depth')}. ${words.join(' ')}`}
          width={width}
          height={HEIGHT}
          viewBox={`0 0 ${width} ${HEIGHT}`}
        >
          <Drawing wanted={wanted} offered={offered} range={range} width={width} />
        </svg>
      )}
    </div>
  );
}

function Drawing({
  wanted,
  offered,
  range: { low, high, most },
  width,
}: {
  wanted: Step[];
  offered: Step[];
  range: NonNullable<ReturnType<typeof rangeOf>>;
  width: number;
}) {
  const [right, floor] = [width - 8, HEIGHT - BOTTOM];
  const x = (price: number) => LEFT + ((price - low) / (high - low)) * (right - LEFT);
  const y = (total: number) => floor - (total / (most * 1.05)) * (floor - TOP);
  // Bids reach from their price down to the left, asks up to the right.
  const area = (steps: Step[], end: number) => {
    if (steps.length === 0) return '';
    const points = steps.map(({ price, total }) => `H${x(price)}V${y(total)}`).join('');
    return `M${x(steps[0]?.price ?? 0)},${floor}${points}H${end}V${floor}Z`;
  };
  return (
    <>
      {ticksOf(0, most * 1.05, 4).map((tick) => (
        <g key={`y${tick}`}>
          <line class="grid" x1={LEFT} x2={right} y1={y(tick)} y2={y(tick)} />
          <text class="tick" x={LEFT - 6} y={y(tick) + 4} text-anchor="end">
            {tick}
          </text>
        </g>
      ))}
      {ticksOf(low, high, Math.max(2, Math.floor(width / 80)))
        .filter((tick) => x(tick) < right - UNIT)
        .map((tick) => (
          <text key={`x${tick}`} class="tick" x={x(tick)} y={HEIGHT - 8} text-anchor="middle">
            {tick}
          </text>
        ))}
      <path class="area buy" d={area(wanted, LEFT)} />
      <path class="area sell" d={area(offered, right)} />
      <text class="tick" x={6} y={TOP} text-anchor="start">
        GRID
      </text>
      <text class="tick" x={right} y={HEIGHT - 8} text-anchor="end">
        GRX/kWh
      </text>
    </>
  );
}
