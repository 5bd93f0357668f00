import { Counter, Gauge, type Registry } from 'prom-client';

/** What the issuer tells of its work. */
export interface IssuerObserver {
  issued(certificates: number): void;
  adopted(): void;
  /** The chain refused a meter's certificate; `error` is the program error's name. */
  refused(error: string): void;
  outage(): void;
  /** Meters whose certificate was refused last time. */
  waiting(meters: number): void;
}

export const noIssuerMetrics: IssuerObserver = {
  issued() {},
  adopted() {},
  refused() {},
  outage() {},
  waiting() {},
};

/** The issuer's metrics in a Prometheus registry. */
export function certificatesMetrics(registry: Registry): IssuerObserver {
  const counter = (name: string, help: string) => new Counter({ name, help, registers: [registry] });
  const issued = counter(
    'gtx_collector_certificates_issued_total',
    'Certificates issued to owners who opted in',
  );
  const adopted = counter(
    'gtx_collector_certificate_books_adopted_total',
    "Books handed to their meters' new owners",
  );
  const refusals = new Counter({
    name: 'gtx_collector_certificate_refusals_total',
    help: 'Certificates that the chain refused, by error',
    labelNames: ['error'] as const,
    registers: [registry],
  });
  const outages = counter(
    'gtx_collector_certificate_outages_total',
    'Rounds of certificates that ended because the chain did not answer',
  );
  const waiting = new Gauge({
    name: 'gtx_collector_certificates_refused_meters',
    help: 'Meters whose certificate was refused last time and is tried again later',
    registers: [registry],
  });
  return {
    issued: (certificates) => issued.inc(certificates),
    adopted: () => adopted.inc(),
    refused: (error) => refusals.inc({ error }),
    outage: () => outages.inc(),
    waiting: (meters) => waiting.set(meters),
  };
}
