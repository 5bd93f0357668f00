import {
  bookAddress,
  type CertificatesBook,
  type CertificatesCertificate,
  type CertificatesRetirement,
  decodeMeter,
  fetchAllBooks,
  fetchAllCertificates,
  fetchAllRetirements,
  fetchSome,
  REGISTRY_PROGRAM_ID,
  type RegistryMeter,
} from '@gridtokenx/chain';
import type { Connection } from '@solana/web3.js';
import type { Differences } from './differences.js';

/** All of certificates that the chain holds. Addresses in base58. */
export interface CertificateAccounts {
  readonly books: ReadonlyMap<string, CertificatesBook>;
  /** By the books' meter. */
  readonly meters: ReadonlyMap<string, RegistryMeter>;
  readonly live: ReadonlyMap<string, CertificatesCertificate>;
  /** By the certificate that was retired. */
  readonly retired: ReadonlyMap<string, CertificatesRetirement>;
}

/** Energies in nkWh as decimal strings. */
export interface CertificateFigures {
  readonly books: number;
  readonly liveCertificates: number;
  readonly retiredCertificates: number;
  readonly certified: string;
  readonly certifiedAndRetired: string;
}

/** Reads every book, certificate and retirement. @throws GtxError CHAIN_UNAVAILABLE */
export async function fetchCertificateAccounts(connection: Connection): Promise<CertificateAccounts> {
  // Books last: what they count may be newer than what is listed before, never older, unless something is retired.
  const retired = await fetchAllRetirements(connection);
  const live = await fetchAllCertificates(connection);
  const books = await fetchAllBooks(connection);
  const keys = books.map(({ account }) => account.meter);
  const meters = await fetchSome(connection, REGISTRY_PROGRAM_ID, keys, decodeMeter);
  return {
    books: new Map(books.map(({ address, account }) => [address.toBase58(), account])),
    meters: new Map(
      keys.flatMap((key, index) => {
        const meter = meters[index];
        return meter ? [[key.toBase58(), meter] as const] : [];
      }),
    ),
    live: new Map(live.map(({ address, account }) => [address.toBase58(), account])),
    retired: new Map(retired.map(({ account }) => [account.certificate.toBase58(), account])),
  };
}

interface Stretch {
  readonly certificate: string;
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * Names everything that does not agree: certified energy against what is settled, every book against the certificates
 * it counts, and stretches that two certificates have.
 */
export function compareCertificates(
  accounts: CertificateAccounts,
  differences: Differences,
): CertificateFigures {
  const { books, meters, live, retired } = accounts;
  const stretches = new Map<string, Stretch[]>();
  const sums = new Map<string, { live: bigint; retired: bigint; certificates: bigint }>();
  const count = (
    kind: 'live' | 'retired',
    certificate: string,
    book: string,
    {
      fromTotal: from,
      toTotal: to,
      meterId,
    }: Pick<CertificatesRetirement, 'fromTotal' | 'toTotal' | 'meterId'>,
  ) => {
    if (!books.has(book)) {
      differences.add('CERTIFICATE_UNKNOWN', {
        meter: meterId,
        expected: `a book for certificate ${certificate}`,
        actual: 'none',
      });
      return;
    }
    const sum = sums.get(book) ?? { live: 0n, retired: 0n, certificates: 0n };
    sum[kind] += to - from;
    if (kind === 'live') sum.certificates += 1n;
    sums.set(book, sum);
    const list = stretches.get(book) ?? [];
    list.push({ certificate, from, to });
    stretches.set(book, list);
  };
  for (const [address, certificate] of live) count('live', address, certificate.book.toBase58(), certificate);
  for (const [address, record] of retired) {
    if (live.has(address)) {
      differences.add('CERTIFICATE_OVERLAP', {
        meter: record.meterId,
        expected: `certificate ${address} retired`,
        actual: 'live too',
      });
      continue;
    }
    count('retired', address, bookAddress(record.meter).toBase58(), record);
  }

  let certified = 0n;
  let certifiedAndRetired = 0n;
  for (const [address, book] of books) {
    const where = { meter: book.meterId };
    certified += book.certifiedTotal;
    certifiedAndRetired += book.retiredTotal;
    const meter = meters.get(book.meter.toBase58());
    const settled = meter?.settled ?? 0n;
    if (book.nextTotal > settled) {
      differences.add('CERTIFIED_OVER_SETTLED', {
        ...where,
        expected: `at most ${settled} settled`,
        actual: `certified up to ${book.nextTotal}`,
      });
    }
    const sum = sums.get(address) ?? { live: 0n, retired: 0n, certificates: 0n };
    const expect = (what: string, expected: bigint, actual: bigint) =>
      differences.expect('CERTIFICATE_SUM', what, expected, actual, where);
    expect('certified and lapsed up to', book.nextTotal, book.certifiedTotal + book.lapsedTotal);
    expect('certified', book.certifiedTotal, sum.live + sum.retired);
    expect('live', book.liveTotal, sum.live);
    expect('retired', book.retiredTotal, sum.retired);
    expect('live certificates', book.liveCertificates, sum.certificates);
    const sorted = (stretches.get(address) ?? []).sort((a, b) => (a.from < b.from ? -1 : 1));
    let end = 0n;
    for (const { certificate, from, to } of sorted) {
      if (from < end || to <= from || to > book.nextTotal) {
        differences.add('CERTIFICATE_OVERLAP', {
          ...where,
          expected: `certificate ${certificate} between ${end} and ${book.nextTotal}`,
          actual: `${from} to ${to}`,
        });
      }
      if (to > end) end = to;
    }
  }
  return {
    books: books.size,
    liveCertificates: live.size,
    retiredCertificates: retired.size,
    certified: certified.toString(),
    certifiedAndRetired: certifiedAndRetired.toString(),
  };
}
