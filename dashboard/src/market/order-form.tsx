import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';
import { amount, time } from '../format.js';
import { useAsk, useNews } from '../parts/ask.js';
import { useTopic } from '../parts/follow.js';
import { Card, Figure, Problem } from '../parts/frame.js';
import { WalletPanel } from '../parts/wallet.js';
import { signer, wallet } from '../session.js';
import { t } from '../text/index.js';
import type { Balances, BuiltTransaction, Market, Order, Side } from '../types.js';
import { decimal, quote, units } from '../units.js';
import { ownCrossings } from './crossing.js';
import { type Action, Outcome, useTransaction } from './transaction.js';

/** What is being written; the book puts prices into it. */
export interface Draft {
  readonly side: Side;
  readonly size: string;
  readonly price: string;
}

/** News of one's own are looked at this soon. */
const SOON_MS = 500;

/** How long an order may stand, in seconds. */
const LIFETIMES = { hour: 3_600, day: 86_400, week: 604_800, month: 2_592_000 } as const;
type Lifetime = keyof typeof LIFETIMES;

interface FormProps {
  market: Market;
  draft: Draft;
  write: (draft: Draft | ((now: Draft) => Draft)) => void;
  /** One's own orders: an offer is not to meet one of them. */
  own: readonly Order[];
}

export function TradeCard({ market, draft, write, own }: FormProps) {
  return (
    <Card title={t('market.order')}>
      <WalletPanel />
      {wallet.value !== undefined && (
        <>
          <BalancesRow wallet={wallet.value} />
          {signer.value !== undefined && <OrderForm market={market} draft={draft} write={write} own={own} />}
        </>
      )}
    </Card>
  );
}

function BalancesRow({ wallet: of }: { wallet: string }) {
  const balances = useAsk<Balances>(`/api/balances/${of}`);
  const news = useTopic({ channel: 'balances' })?.value;
  const { again } = balances;
  useNews(news?.ready ? news.items : undefined, again, SOON_MS);
  if (balances.error) return <Problem error={balances.error} again={again} />;
  return (
    <div class="figures">
      {balances.answer?.balances.map(({ mint, symbol, amount: free, escrowed }) => (
        <Figure
          key={mint}
          name={
            escrowed === '0'
              ? t('market.free.balance')
              : t('market.escrowed', { amount: `${amount(escrowed)} ${symbol}` })
          }
          value={amount(free)}
          unit={symbol}
        />
      ))}
    </div>
  );
}

/** Why an amount or a price cannot be; undefined: it can. */
function flaw(text: string, step: string, unit: string): string | undefined {
  if (text.trim() === '') return undefined;
  const [value, multiple] = [units(text), units(step) ?? 1n];
  if (value === undefined) return t('form.decimal');
  if (value === 0n) return t('form.zero');
  if (value % multiple !== 0n) {
    const below = value - (value % multiple);
    return t('form.step', {
      step: `${amount(step)} ${unit}`,
      near: below > 0n ? `${decimal(below)}, ${decimal(below + multiple)}` : decimal(multiple),
    });
  }
  return undefined;
}

function OrderForm({ market, draft, write, own }: FormProps) {
  const { side, size, price } = draft;
  const [lifetime, setLifetime] = useState<Lifetime>('week');
  const action = useTransaction();
  // What was checked belongs to what was written then: as soon as that is changed there is nothing to sign, also when the answer
  // to an earlier check comes only now.
  const written = JSON.stringify([side, size, price, lifetime]);
  const latest = useRef(written);
  latest.current = written;
  const [checked, setChecked] = useState<{ of: string; built: BuiltTransaction }>();
  const built = checked?.of === written ? checked.built : undefined;
  useEffect(() => {
    if (size !== '') action.forget();
  }, [written]);
  const flaws = {
    size: flaw(size, market.lot_size, 'GRID'),
    price: flaw(price, market.tick_size, 'GRX'),
  };
  const total = useMemo(() => {
    const [grid, grx] = [units(size), units(price)];
    return grid === undefined || grx === undefined ? undefined : decimal(quote(grid, grx));
  }, [size, price]);
  const ready = total !== undefined && !flaws.size && !flaws.price;
  const crossings = ownCrossings(own, side, price);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setChecked(undefined);
        void action.prepare(
          {
            kind: 'create',
            market: market.address,
            side,
            amount: size.trim(),
            price: price.trim(),
            expires_at: String(Math.floor(Date.now() / 1000) + LIFETIMES[lifetime]),
          },
          (answer) => {
            if (latest.current === written) setChecked({ of: written, built: answer });
            else action.forget();
          },
        );
      }}
    >
      <fieldset>
        <legend>{t('market.side')}</legend>
        {(['sell', 'buy'] as const).map((value) => (
          <label key={value} class="choice">
            <input
              type="radio"
              name="side"
              checked={side === value}
              onChange={() => write({ ...draft, side: value })}
            />
            {t(`market.${value}`)}
          </label>
        ))}
      </fieldset>
      <NumberField
        label={t('market.amount')}
        unit="GRID"
        value={size}
        set={(text) => write({ ...draft, size: text })}
        flaw={flaws.size}
      />
      <NumberField
        label={t('market.limit')}
        unit="GRX/kWh"
        value={price}
        set={(text) => write({ ...draft, price: text })}
        flaw={flaws.price}
      />
      <LifetimeField value={lifetime} set={setLifetime} />
      {total !== undefined && (
        <p>{t(side === 'sell' ? 'market.gets' : 'market.costs', { amount: `${amount(total)} GRX` })}</p>
      )}
      {crossings.length > 0 && (
        <p class="problem mild" role="status">
          {t('market.own', { ids: crossings.map(({ order_id }) => order_id).join(', ') })}
        </p>
      )}
      <button type="submit" class="main" disabled={!ready || action.busy}>
        {t('market.check')}
      </button>
      {built && (
        <Confirm
          built={built}
          side={side}
          size={size.trim()}
          action={action}
          done={() => {
            setChecked((now) => (now?.built === built ? undefined : now));
            // What was written meanwhile is another order.
            write((now) =>
              now.side === side && now.size === size && now.price === price ? { ...now, size: '' } : now,
            );
          }}
        />
      )}
      <Outcome action={action} />
    </form>
  );
}

function LifetimeField({ value, set }: { value: Lifetime; set: (value: Lifetime) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{t('market.lifetime')}</label>
      <select id={id} value={value} onChange={(event) => set(event.currentTarget.value as Lifetime)}>
        {(Object.keys(LIFETIMES) as Lifetime[]).map((name) => (
          <option key={name} value={name}>
            {t(`lifetime.${name}`)}
          </option>
        ))}
      </select>
    </div>
  );
}

function NumberField({
  label,
  unit,
  value,
  set,
  flaw: problem,
}: {
  label: string;
  unit: string;
  value: string;
  set: (value: string) => void;
  flaw: string | undefined;
}) {
  const id = `field-${unit.replace(/\W/g, '')}`;
  return (
    <div class="field">
      <label for={id}>
        {label} ({unit})
      </label>
      <input
        id={id}
        inputMode="decimal"
        autoComplete="off"
        value={value}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-flaw`}
        onInput={(event) => set(event.currentTarget.value)}
      />
      <span id={`${id}-flaw`} class="flaw" role="status">
        {problem}
      </span>
    </div>
  );
}

/** What the wallet is about to sign, in words, before it is asked. */
function Confirm({
  built,
  side,
  size,
  action,
  done,
}: {
  built: BuiltTransaction;
  side: Side;
  size: string;
  action: Action;
  done: () => void;
}) {
  return (
    <fieldset class="confirm">
      <legend>{t('market.confirm')}</legend>
      <p>
        {t(side === 'sell' ? 'market.says.sell' : 'market.says.buy', {
          amount: amount(size),
          price: amount(built.price ?? ''),
          quote: amount(built.quote ?? ''),
        })}
      </p>
      <ul>
        {built.pays.token !== 'none' && (
          <li>{t('market.leaves', { amount: `${amount(built.pays.amount)} ${built.pays.token}` })}</li>
        )}
        <li>{t('market.fee', { amount: `${amount(built.trading_fee)} GRX` })}</li>
        <li>
          {t('market.network', {
            amount: `${amount(built.network_fee)} SOL`,
            rent: `${amount(built.rent)} SOL`,
          })}
        </li>
        <li>{t('market.ends', { time: time(built.order.expires_at) })}</li>
      </ul>
      <button type="button" class="main" disabled={action.busy} onClick={() => action.carryOut(built, done)}>
        {t('market.sign')}
      </button>
    </fieldset>
  );
}
