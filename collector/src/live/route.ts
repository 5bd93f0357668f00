import { LIVE_PATH } from '@gridtokenx/protocol';
import { type Route, route } from '../http/route.js';

export const openLive = route({
  method: 'get',
  path: LIVE_PATH,
  tag: 'Service',
  summary: 'WebSocket',
  description:
    'News as they happen: book, trades, prices, and what belongs to a wallet. The frames are described in ' +
    '[live.md](live.md).',
  access: 'public',
  limit: 'read',
  answers: { 101: { description: 'The connection is a WebSocket from here on.' } },
  errors: ['UPGRADE_REQUIRED', 'FORBIDDEN', 'SERVICE_STOPPING'],
});

export const LIVE_ROUTES: readonly Route[] = [openLive];
