import type { LiveLevel } from '@gridtokenx/protocol';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { amount, short, shortAmount, time } from '../format.js';
import { useAsk } from '../parts/ask.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Figure, Loading, Problem, Table } from '../parts/frame.js';
import { WalletPanel } from '../parts/wallet.js';
import { signer, wallet } from '../session.js';
import { t } from '../text/index.js';
import { build, carryOut, type Step } from '../trade.js';
import type { Balances, BuiltTransaction, Market, Order, Prices, Side, Trade } from '../types.js';
import { decimal, quote, units } from '../units.js';

const LEVELS = 12;

export function MarketPage(_: { rest: readonly string[] }) {
  const markets = useAsk<{ items: Market[] }>('/api/markets');
  const market = markets.answer?.items[0];
  return (
    <>
      <h1>{t('nav.market')}</h1>
      {markets.error && <Problem error={markets.error} again={markets.again} />}
      {!markets.answer && markets.loading && <Loading />}
      {markets.answer && !market && <Empty>{t('market.none')}</Empty>}
      {market && (
        <div class="cards">
          <PriceCard market={market} />
          <BookCard market={market} />
          <TradeCard market={market} />
          <TradesCard market={market} />
          {wallet.value !== undefined && <OrdersCard wallet={wallet.value} market={market} />}
        </div>
      )}
    </>
  );
}

function PriceCard({ market }: { market: Market }) {
  const prices = useAsk<Prices>('/api/prices');
  const news = useTopic({ channel: 'prices' });
  const count = news?.value.items.length ?? 0;
  const { again } = prices;
  useEffect(again, [count, news?.value, again]);
  const guide = prices.answer?.guides.find((one) => one.market === market.address);
  const feed = prices.answer?.feeds.find(({ address }) => address === market.feed);
  return (
    <Card title={t('market.price')} note={t('market.guide.note')}>
      {prices.error && <Problem error={prices.error} again={again} />}
      <div class="figures">
        <Figure name={t('market.guide')} value={guide ? amount(guide.price) : '–'} unit="GRX/kWh" />
        <Figure
          name={t('market.feed')}
          value={feed?.price ? amount(feed.price) : '–'}
          unit={feed && !feed.counts ? t('market.feed.old') : 'GRX/kWh'}
        />
        {guide && (
          <>
            <Figure name={t('market.supply')} value={shortAmount(guide.supply_kwh)} unit="kWh" />
            <Figure name={t('market.demand')} value={shortAmount(guide.demand_kwh)} unit="kWh" />
          </>
        )}
      </div>
      {market.paused && <p class="problem">{t('market.paused')}</p>}
    </Card>
  );
}

function BookCard({ market }: { market: Market }) {
  const news = useTopic({ channel: 'book', market: market.address })?.value;
  const [asks, bids] = [news?.asks.slice(0, LEVELS) ?? [], news?.bids.slice(0, LEVELS) ?? []];
  const most = Math.max(1e-9, ...[...asks, ...bids].map((level) => Number(level.amount)));
  return (
    <Card title={t('market.book')} note={t('market.book.note')}>
      {news?.problem && <p class="problem">{news.problem}</p>}
      {!news?.ready && <Loading />}
      {news?.ready && asks.length + bids.length === 0 && <Empty>{t('market.book.empty')}</Empty>}
      <div class="book">
        <BookSide side="buy" levels={bids} most={most} />
        <BookSide side="sell" levels={asks} most={most} />
      </div>
    </Card>
  );
}

function BookSide({ side, levels, most }: { side: Side; levels: readonly LiveLevel[]; most: number }) {
  if (levels.length === 0) return null;
  return (
    <table class={`levels ${side}`}>
      <caption>{t(side === 'buy' ? 'market.bids' : 'market.asks')}</caption>
      <thead>
        <tr>
          <th scope="col" class="number">
            GRX/kWh
          </th>
          <th scope="col" class="number">
            GRID
          </th>
        </tr>
      </thead>
      <tbody>
        {levels.map((level) => (
          <tr key={level.price}>
            <td class="number">{amount(level.price)}</td>
            <td class="number">
              <meter class={side} min={0} max={most} value={Number(level.amount)} aria-hidden="true" />
              {shortAmount(level.amount)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function TradesCard({ market }: { market: Market }) {
  const news = useTopic({ channel: 'trades', market: market.address })?.value;
  const trades = (news?.items ?? []) as unknown as Trade[];
  return (
    <Card title={t('market.trades')} wide>
      {news?.problem && <p class="problem">{news.problem}</p>}
      {!news?.ready ? (
        <Loading />
      ) : trades.length === 0 ? (
        <Empty />
      ) : (
        <Table
          label={t('market.trades')}
          rows={trades.slice(0, 50)}
          rowKey={(trade) => `${trade.signature}/${trade.event_index}`}
          columns={[
            { name: t('col.time'), cell: (trade) => time(trade.executed_at) },
            { name: 'GRX/kWh', number: true, cell: (trade) => amount(trade.price) },
            { name: 'GRID', number: true, cell: (trade) => shortAmount(trade.amount) },
            {
              name: t('col.seller'),
              cell: (trade) => <code title={trade.seller}>{short(trade.seller)}</code>,
            },
            { name: t('col.buyer'), cell: (trade) => <code title={trade.buyer}>{short(trade.buyer)}</code> },
          ]}
        />
      )}
    </Card>
  );
}

function TradeCard({ market }: { market: Market }) {
  return (
    <Card title={t('market.order')}>
      <WalletPanel />
      {wallet.value !== undefined && (
        <>
          <BalancesRow wallet={wallet.value} />
          {signer.value !== undefined && <OrderForm market={market} />}
        </>
      )}
    </Card>
  );
}

function BalancesRow({ wallet: of }: { wallet: string }) {
  const balances = useAsk<Balances>(`/api/balances/${of}`);
  const news = useTopic({ channel: 'balances' })?.value;
  const { again } = balances;
  useEffect(again, [news?.items, again]);
  if (balances.error) return <Problem error={balances.error} again={again} />;
  return (
    <div class="figures">
      {balances.answer?.balances.map(({ mint, symbol, amount: free, escrowed }) => (
        <Figure
          key={mint}
          name={escrowed === '0' ? symbol : t('market.escrowed', { amount: `${amount(escrowed)} ${symbol}` })}
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

function OrderForm({ market }: { market: Market }) {
  const [side, setSide] = useState<Side>('sell');
  const [size, setSize] = useState('');
  const [price, setPrice] = useState('');
  const [built, setBuilt] = useState<BuiltTransaction>();
  const flaws = {
    size: flaw(size, market.lot_size, 'GRID'),
    price: flaw(price, market.tick_size, 'GRX'),
  };
  const total = useMemo(() => {
    const [grid, grx] = [units(size), units(price)];
    return grid === undefined || grx === undefined ? undefined : decimal(quote(grid, grx));
  }, [size, price]);
  const ready = total !== undefined && size !== '' && price !== '' && !flaws.size && !flaws.price;
  const action = useTransaction();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void action.prepare(
          { kind: 'create', market: market.address, side, amount: size.trim(), price: price.trim() },
          setBuilt,
        );
      }}
    >
      <fieldset>
        <legend>{t('market.side')}</legend>
        {(['sell', 'buy'] as const).map((value) => (
          <label key={value} class="choice">
            <input type="radio" name="side" checked={side === value} onChange={() => setSide(value)} />
            {t(`market.${value}`)}
          </label>
        ))}
      </fieldset>
      <NumberField label={t('market.amount')} unit="GRID" value={size} set={setSize} flaw={flaws.size} />
      <NumberField label={t('market.limit')} unit="GRX/kWh" value={price} set={setPrice} flaw={flaws.price} />
      {total !== undefined && (
        <p>{t(side === 'sell' ? 'market.gets' : 'market.costs', { amount: `${amount(total)} GRX` })}</p>
      )}
      <button type="submit" class="main" disabled={!ready || action.busy}>
        {t('market.check')}
      </button>
      {built && (
        <Confirm
          built={built}
          action={action}
          done={() => {
            setBuilt(undefined);
            setSize('');
          }}
        />
      )}
      <Outcome action={action} />
    </form>
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
function Confirm({ built, action, done }: { built: BuiltTransaction; action: Action; done: () => void }) {
  return (
    <fieldset class="confirm">
      <legend>{t('market.confirm')}</legend>
      <p>{built.message}</p>
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
      </ul>
      <button type="button" class="main" disabled={action.busy} onClick={() => action.carryOut(built, done)}>
        {t('market.sign')}
      </button>
    </fieldset>
  );
}

interface Action {
  readonly busy: boolean;
  readonly step: Step | undefined;
  readonly signature: string | undefined;
  readonly error: Error | undefined;
  prepare(body: Record<string, unknown>, then: (built: BuiltTransaction) => void): Promise<void>;
  carryOut(built: BuiltTransaction, done: () => void): Promise<void>;
}

function useTransaction(): Action {
  const [busy, setBusy] = useState(false);
  const [step, setStep] = useState<Step>();
  const [signature, setSignature] = useState<string>();
  const [error, setError] = useState<Error>();
  const guarded = async (work: () => Promise<void>) => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
    } catch (problem) {
      setStep(undefined);
      const failure = problem instanceof Error ? problem : new Error(String(problem));
      setError(failure.message === 'expired' ? new Error(t('market.expired')) : failure);
    } finally {
      setBusy(false);
    }
  };
  return {
    busy,
    step,
    signature,
    error,
    prepare: (body, then) =>
      guarded(async () => {
        setSignature(undefined);
        setStep(undefined);
        then(await build(body));
        setStep('built');
      }),
    carryOut: (built, done) =>
      guarded(async () => {
        if (!signer.value) throw new Error(t('wallet.sign'));
        await carryOut(built, signer.value, (next, sent) => {
          setStep(next);
          if (sent !== undefined) setSignature(sent);
        });
        done();
      }),
  };
}

function Outcome({ action: { step, signature, error } }: { action: Action }) {
  return (
    <>
      {error && <Problem error={error} />}
      <p role="status" class="outcome">
        {step !== undefined && t(`step.${step}`)}
        {signature !== undefined && <code title={signature}> {short(signature)}</code>}
      </p>
    </>
  );
}

function OrdersCard({ wallet: owner, market }: { wallet: string; market: Market }) {
  const orders = useAsk<{ items: Order[] }>('/api/orders', { owner, market: market.address, limit: 50 });
  const news = useTopic({ channel: 'orders' })?.value;
  const { again } = orders;
  useEffect(again, [news?.items, again]);
  const action = useTransaction();
  const cancel = (order: Order) =>
    action.prepare({ kind: 'cancel', order: order.address }, (built) => void action.carryOut(built, again));
  return (
    <Card title={t('market.mine')} wide>
      {orders.error && <Problem error={orders.error} again={again} />}
      {orders.answer?.items.length === 0 && <Empty />}
      {orders.answer && orders.answer.items.length > 0 && (
        <Table
          label={t('market.mine')}
          rows={orders.answer.items}
          rowKey={({ address }) => address}
          columns={[
            { name: t('col.number'), number: true, cell: (order) => order.order_id },
            { name: t('col.side'), cell: (order) => t(`market.${order.side}`) },
            { name: 'GRX/kWh', number: true, cell: (order) => amount(order.price) },
            { name: 'GRID', number: true, cell: (order) => amount(order.amount) },
            { name: t('col.left'), number: true, cell: (order) => amount(order.remaining) },
            { name: t('col.state'), cell: (order) => t(`order.${order.status}`) },
            { name: t('col.until'), cell: (order) => time(order.expires_at) },
            {
              name: t('col.action'),
              cell: (order) =>
                order.status === 'open' &&
                signer.value !== undefined && (
                  <button type="button" disabled={action.busy} onClick={() => cancel(order)}>
                    {t('market.cancel', { id: order.order_id })}
                  </button>
                ),
            },
          ]}
        />
      )}
      <Outcome action={action} />
    </Card>
  );
}
