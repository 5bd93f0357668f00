import { useEffect, useRef } from 'preact/hooks';
import type { Page } from '../api.js';
import { amount, short, shortAmount, time } from '../format.js';
import { History } from '../home/history.js';
import { useAsk, useNews, useRegularly } from '../parts/ask.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Figure, Loading, Problem, Table, useColumns } from '../parts/frame.js';
import { Gateway, GatewayTag } from '../parts/gateway.js';
import { PowerFigures } from '../parts/power.js';
import { WalletPanel } from '../parts/wallet.js';
import { hrefOf } from '../routes.js';
import { wallet } from '../session.js';
import { t } from '../text/index.js';
import type { Balances, Certificate, Meter, MeterLive, Power, Settlement } from '../types.js';

/** A meter's gateway is looked at this often: the one that is told in full, and those of which only the state is. */
const SHOWN_EVERY_MS = 5_000;
const OTHERS_EVERY_MS = 60_000;

export function HomePage({ rest }: { rest: readonly string[] }) {
  const owner = wallet.value;
  return (
    <>
      <h1>{t('nav.home')}</h1>
      {owner === undefined ? <Stranger /> : <Home key={owner} owner={owner} asked={rest[0]} />}
    </>
  );
}

/** Not logged in: what there would be to see, and how to get there. */
function Stranger() {
  return (
    <div class="cards two">
      <Card title={t('home.login')} note={t('home.login.note')}>
        <WalletPanel />
      </Card>
      <Card title={t('home.what')}>
        <ul>
          <li>{t('home.what.power')}</li>
          <li>{t('home.what.energy')}</li>
          <li>{t('home.what.tokens')}</li>
          <li>{t('home.what.gateway')}</li>
        </ul>
        <p class="quiet">{t('home.what.private')}</p>
      </Card>
    </div>
  );
}

function Home({ owner, asked }: { owner: string; asked: string | undefined }) {
  const meters = useAsk<Page<Meter>>('/api/meters', { limit: 100 });
  const news = useTopic({ channel: 'readings' })?.value;
  useNews(news?.items, meters.again);
  const items = meters.answer?.items ?? [];
  const meter = items.find(({ meter_id }) => meter_id === asked) ?? items[0];
  return (
    <>
      {meters.error && <Problem error={meters.error} again={meters.again} />}
      {!meters.answer && meters.loading && <Loading />}
      <div class="cards two home">
        {meters.answer && items.length === 0 && <NoMeterCard owner={owner} />}
        {meter && <PowerCard owner={owner} meters={items.length} />}
        {meter && <MetersCard meters={items} shown={meter} />}
        <div class="column">
          <BalanceCard owner={owner} />
          <Card title={t('home.wallet')}>
            <WalletPanel />
          </Card>
        </div>
        {meter && (
          <>
            <History key={meter.meter_id} meter={meter} />
            <SettlementsCard owner={owner} />
            <CertificatesCard owner={owner} />
          </>
        )}
      </div>
    </>
  );
}

/** Logged in, and nothing there yet: what to do next. */
function NoMeterCard({ owner }: { owner: string }) {
  return (
    <Card title={t('home.none.title')} wide>
      <p>{t('home.none')}</p>
      <ol class="next">
        <li>{t('home.none.gateway')}</li>
        <li>
          {t('home.none.wallet')} <code class="long">{owner}</code>
        </li>
        <li>{t('home.none.register')}</li>
        <li>{t('home.none.wait')}</li>
      </ol>
    </Card>
  );
}

function PowerCard({ owner, meters }: { owner: string; meters: number }) {
  const power = useAsk<Power>('/api/power', { wallet: owner });
  const news = useTopic({ channel: 'power' })?.value;
  useRegularly(power.again);
  useNews(news?.items, power.again, 1_000);
  const { answer } = power;
  const heard = answer !== undefined && answer.meters > 0;
  return (
    <Card title={t('home.power')} wide>
      {power.error && <Problem error={power.error} again={power.again} />}
      <PowerFigures power={heard ? answer : undefined} {...(heard && { at: answer.at })} />
      {heard && answer.at !== null && (
        <p class="note">{t('home.power.at', { time: time(answer.at, 'clock') })}</p>
      )}
      {answer && !heard && <Empty>{t('home.power.none')}</Empty>}
      {heard && answer.silent > 0 && (
        <p class="note">{t('home.power.silent', { silent: answer.silent, all: meters })}</p>
      )}
    </Card>
  );
}

function BalanceCard({ owner }: { owner: string }) {
  const balances = useAsk<Balances>(`/api/balances/${owner}`);
  const news = useTopic({ channel: 'balances' })?.value;
  useNews(news?.items, balances.again);
  return (
    <Card title={t('home.balances')}>
      {balances.error && <Problem error={balances.error} again={balances.again} />}
      {!balances.answer && balances.loading && <Loading />}
      {balances.answer?.balances.length === 0 && <Empty>{t('home.balances.none')}</Empty>}
      <div class="figures">
        {balances.answer?.balances.map(({ mint, symbol, total, escrowed }) => (
          <Figure
            key={mint}
            name={escrowed === '0' ? symbol : t('home.escrowed', { amount: `${amount(escrowed)} ${symbol}` })}
            value={amount(total)}
            unit={symbol}
          />
        ))}
      </div>
    </Card>
  );
}

function MetersCard({ meters, shown }: { meters: readonly Meter[]; shown: Meter }) {
  return (
    <Card title={t('home.meters')}>
      <ul class="list meters">
        {meters.map((meter) => (
          <MeterLine key={meter.meter_id} meter={meter} shown={meter.meter_id === shown.meter_id} />
        ))}
      </ul>
    </Card>
  );
}

/** A meter with its gateway. Of many meters only the shown one's gateway is told in full. */
function MeterLine({ meter, shown }: { meter: Meter; shown: boolean }) {
  const live = useAsk<MeterLive>(`/api/meters/${encodeURIComponent(meter.meter_id)}/live`);
  useRegularly(live.again, true, shown ? SHOWN_EVERY_MS : OTHERS_EVERY_MS);
  const heard = useRef(meter.last_sequence);
  useEffect(() => {
    if (heard.current === meter.last_sequence) return;
    heard.current = meter.last_sequence;
    live.again();
  }, [meter.last_sequence, live.again]);
  return (
    <li class="meter">
      <a href={hrefOf('home', meter.meter_id)} aria-current={shown ? 'true' : undefined}>
        {meter.meter_id}
      </a>{' '}
      {live.answer && <GatewayTag state={live.answer.state} />}
      {meter.status !== 'active' && <span class="tag warn">{t(`meter.${meter.status}`)}</span>}
      {meter.holds > 0 && <span class="tag warn">{t('meter.held', { count: meter.holds })}</span>}
      {!meter.user_verified && <span class="tag warn">{t('meter.unverified')}</span>}
      <div class="figures">
        <Figure name={t('meter.surplus')} value={shortAmount(meter.surplus_kwh)} unit="kWh" />
        <Figure name={t('meter.minted')} value={shortAmount(meter.minted_grid)} unit="GRID" />
        <Figure
          name={t('meter.last')}
          value={meter.last_reading_at === null ? '–' : time(meter.last_reading_at)}
          words
        />
      </div>
      {shown && live.error && <Problem error={live.error} again={live.again} />}
      {shown && live.answer && <Gateway live={live.answer} />}
    </li>
  );
}

function SettlementsCard({ owner }: { owner: string }) {
  const settlements = useAsk<Page<Settlement>>('/api/settlements', { wallet: owner, limit: 25 });
  const news = useTopic({ channel: 'settlements' })?.value;
  useNews(news?.items, settlements.again);
  const columns = useColumns<Settlement>(() => [
    { name: t('col.time'), cell: (one) => time(one.confirmed_at ?? one.created_at) },
    { name: t('col.meter'), cell: (one) => one.meter_id },
    { name: 'GRID', number: true, cell: (one) => (one.minted === null ? '–' : amount(one.minted)) },
    { name: t('col.state'), cell: (one) => t(`settlement.${one.state}`) },
    {
      name: t('col.mint'),
      cell: (one) => (
        <a href={hrefOf('live', one.signature)}>
          <code>{short(one.signature)}</code>
        </a>
      ),
    },
  ]);
  return (
    <Card title={t('home.settlements')} note={t('home.settlements.note')} wide>
      {settlements.error && <Problem error={settlements.error} again={settlements.again} />}
      {settlements.answer?.items.length === 0 && <Empty>{t('home.settlements.none')}</Empty>}
      {settlements.answer && settlements.answer.items.length > 0 && (
        <Table
          label={t('home.settlements')}
          rows={settlements.answer.items}
          rowKey={({ id, meter_id }) => `${id}/${meter_id}`}
          columns={columns}
        />
      )}
    </Card>
  );
}

function CertificatesCard({ owner }: { owner: string }) {
  const certificates = useAsk<Page<Certificate>>('/api/certificates', { holder: owner, limit: 25 });
  useRegularly(certificates.again);
  const columns = useColumns<Certificate>(() => [
    { name: t('col.meter'), cell: (one) => one.meter_id },
    { name: t('col.number'), number: true, cell: (one) => one.serial },
    { name: 'kWh', number: true, cell: (one) => amount(one.energy) },
    { name: t('col.state'), cell: (one) => t(`certificate.${one.status}`) },
    { name: t('col.until'), cell: (one) => time(one.period_end) },
  ]);
  return (
    <Card title={t('home.certificates')} note={t('home.certificates.note')} wide>
      {certificates.error && <Problem error={certificates.error} again={certificates.again} />}
      {certificates.answer?.items.length === 0 && <Empty>{t('home.certificates.none')}</Empty>}
      {certificates.answer && certificates.answer.items.length > 0 && (
        <Table
          label={t('home.certificates')}
          rows={certificates.answer.items}
          rowKey={({ address }) => address}
          columns={columns}
        />
      )}
    </Card>
  );
}
