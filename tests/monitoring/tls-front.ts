/** TLS before something that speaks none: an authority, certificates for a server and a client, and a front that wants one. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });

export interface Certificates {
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** Makes files in `folder` and gives their paths. The server is 127.0.0.1. */
export function makeCertificates(folder: string): Certificates {
  const file = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    ...['req', '-x509', ...key, '-days', '2', '-subj', '/CN=test authority'],
    ...['-keyout', file('ca.key'), '-out', file('ca.pem')],
  );
  const issue = (name: string, extensions: string) => {
    openssl(
      ...['req', ...key, '-subj', `/CN=${name}`],
      ...['-keyout', file(`${name}.key`), '-out', file(`${name}.csr`)],
    );
    writeFileSync(file(`${name}.ext`), extensions);
    openssl(
      ...['x509', '-req', '-days', '2', '-in', file(`${name}.csr`), '-extfile', file(`${name}.ext`)],
      ...['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-out', file(`${name}.pem`)],
    );
    return { cert: file(`${name}.pem`), key: file(`${name}.key`) };
  };
  return {
    ca: file('ca.pem'),
    server: issue('server', 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'),
    client: issue('client', 'extendedKeyUsage=clientAuth\n'),
  };
}

/** Takes TLS at a free port and passes what is inside on to `port`. @returns its port, and how to end it */
export async function tlsFront(
  { ca, server: own }: Certificates,
  port: number,
  { clientCertificates }: { clientCertificates: boolean },
): Promise<{ port: number; stop(): Promise<void> }> {
  const server: Server = createServer(
    {
      cert: readFileSync(own.cert),
      key: readFileSync(own.key),
      ca: readFileSync(ca),
      requestCert: clientCertificates,
      rejectUnauthorized: clientCertificates,
    },
    (inside) => {
      const onwards = connect(port, '127.0.0.1');
      // Either side's end is the other's; why it ended is for the client under test to say.
      inside.on('error', () => onwards.destroy());
      onwards.on('error', () => inside.destroy());
      inside.pipe(onwards).pipe(inside);
      open.add(inside);
      inside.on('close', () => open.delete(inside));
    },
  );
  const open = new Set<{ destroy(): unknown }>();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      for (const one of open) one.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
