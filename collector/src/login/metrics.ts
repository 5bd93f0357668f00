import { Counter, type Registry } from 'prom-client';

export interface LoginMetrics {
  logins: Counter<'outcome'>;
  refreshes: Counter<'outcome'>;
}

export function loginMetrics(registry: Registry): LoginMetrics {
  return {
    logins: new Counter({
      name: 'gtx_collector_wallet_logins_total',
      help: 'Logins by wallet, by outcome (granted, refused)',
      labelNames: ['outcome'],
      registers: [registry],
    }),
    refreshes: new Counter({
      name: 'gtx_collector_login_refreshes_total',
      help: 'Refreshed logins by outcome (granted, unknown, reused)',
      labelNames: ['outcome'],
      registers: [registry],
    }),
  };
}
