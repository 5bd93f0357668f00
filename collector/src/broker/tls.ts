import type { TlsOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { TlsMaterial, TlsSource } from './certificates.js';

/** How often a renewed certificate is looked for. */
const REFRESH_MILLIS = 3_600_000;

/** A server's options: TLS 1.2 or newer, and a client's certificate where an authority for those is named. */
export function serverOptions({ cert, key, clientCa }: TlsMaterial): TlsOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  };
}

/**
 * Looks for renewed certificates each hour and gives them to the server; connections that are open go on.
 * @returns the timer, to be cleared
 */
export function keepFresh(
  source: TlsSource,
  first: TlsMaterial,
  use: (material: TlsMaterial) => void,
  logger: Logger,
): NodeJS.Timeout {
  let current = JSON.stringify(first);
  const look = async () => {
    try {
      const material = await source.load();
      if (JSON.stringify(material) === current) return;
      use(material);
      current = JSON.stringify(material);
      logger.info('the TLS certificate has been renewed');
    } catch (error) {
      logger.error({ err: error }, 'the TLS certificate could not be read again; the old one stays');
    }
  };
  const timer = setInterval(() => void look(), REFRESH_MILLIS);
  timer.unref();
  return timer;
}
