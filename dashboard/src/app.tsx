import type { ComponentType } from 'preact';
import { HomePage } from './pages/home.js';
import { LivePage } from './pages/live.js';
import { MarketPage } from './pages/market.js';
import { OperatorPage } from './pages/operator.js';
import { Header } from './parts/header.js';
import { type Page, place } from './routes.js';

const VIEWS: Record<Page, ComponentType<{ rest: readonly string[] }>> = {
  live: LivePage,
  market: MarketPage,
  home: HomePage,
  operator: OperatorPage,
};

export function App() {
  const { page, rest } = place.value;
  const View = VIEWS[page];
  return (
    <>
      <Header page={page} />
      <main id="content" tabIndex={-1}>
        <View rest={rest} />
      </main>
    </>
  );
}
