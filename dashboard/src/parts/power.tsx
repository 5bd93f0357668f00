import { count, powerParts, time } from '../format.js';
import { t } from '../text/index.js';
import { Figure, type Tone } from './frame.js';

interface Watts {
  readonly production_watts: number;
  readonly consumption_watts: number;
  readonly surplus_watts: number;
}

const SHOWN: readonly { tone: Tone; of: keyof Watts }[] = [
  { tone: 'produced', of: 'production_watts' },
  { tone: 'consumed', of: 'consumption_watts' },
  { tone: 'surplus', of: 'surplus_watts' },
];

/** Power now, to be read from across a room. `undefined`: not known, which is no zero. */
export function PowerFigures({
  power,
  meters,
  at,
}: {
  power: Watts | undefined;
  meters?: number;
  at?: string | null;
}) {
  return (
    <>
      <div class="figures big">
        {SHOWN.map(({ tone, of }) => {
          const { value, unit } = power ? powerParts(power[of]) : { value: '–', unit: undefined };
          return <Figure key={tone} name={t(`power.${tone}`)} value={value} unit={unit} tone={tone} />;
        })}
      </div>
      {power && meters !== undefined && (
        <p class="note kept">
          {t(meters === 1 ? 'power.one' : 'power.of', { count: count(meters) })}
          {at && `, ${time(at, 'clock')}`}
        </p>
      )}
    </>
  );
}
