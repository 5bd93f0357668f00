import {
  bookAddress,
  type CertificatesBook,
  type CertificatesCertificate,
  type CertificatesRetirement,
  certificateAddress,
  type RegistryMeter,
} from '@gridtokenx/chain';
import { Keypair } from '@solana/web3.js';
import { expect, test } from 'vitest';
import { type CertificateAccounts, compareCertificates } from './certificates.js';
import { type DifferenceKind, Differences } from './differences.js';

/** A meter with 100 nkWh settled: 10 lapsed, 30 and 40 in live certificates, 15 retired, 5 left. */
function chain() {
  const meter = Keypair.generate().publicKey;
  const address = bookAddress(meter);
  const book = {
    meter,
    meterId: 'METER-1',
    nextTotal: 95n,
    certifiedTotal: 85n,
    lapsedTotal: 10n,
    liveTotal: 70n,
    retiredTotal: 15n,
    liveCertificates: 2n,
  } as CertificatesBook;
  const stretch = (serial: bigint, fromTotal: bigint, toTotal: bigint) => ({
    book: address,
    meter,
    meterId: 'METER-1',
    serial,
    fromTotal,
    toTotal,
    certificate: certificateAddress(address, serial),
  });
  const books = new Map([[address.toBase58(), book]]);
  const registered = { settled: 100n } as RegistryMeter;
  const meters = new Map([[meter.toBase58(), registered]]);
  const live = new Map<string, CertificatesCertificate>();
  const retired = new Map<string, CertificatesRetirement>();
  for (const each of [stretch(1n, 10n, 40n), stretch(2n, 55n, 95n)])
    live.set(each.certificate.toBase58(), each as unknown as CertificatesCertificate);
  const gone = stretch(3n, 40n, 55n);
  retired.set(gone.certificate.toBase58(), gone as unknown as CertificatesRetirement);
  const first = live.get(certificateAddress(address, 1n).toBase58()) as CertificatesCertificate;
  return { books, book, meters, meter: registered, live, retired, first, address };
}

function kinds(accounts: CertificateAccounts): DifferenceKind[] {
  const differences = new Differences(100);
  compareCertificates(accounts, differences);
  return [...new Set(differences.list.map(({ kind }) => kind))].sort();
}

test('books that agree with their certificates and meters are told with their figures', () => {
  const differences = new Differences(100);
  expect(compareCertificates(chain(), differences)).toEqual({
    books: 1,
    liveCertificates: 2,
    retiredCertificates: 1,
    certified: '85',
    certifiedAndRetired: '15',
  });
  expect(differences.list).toEqual([]);
});

const broken: [string, DifferenceKind[], (accounts: ReturnType<typeof chain>) => void][] = [
  [
    'more certified than settled',
    ['CERTIFIED_OVER_SETTLED'],
    ({ meter }) => Object.assign(meter, { settled: 94n }),
  ],
  ['a book of no meter', ['CERTIFIED_OVER_SETTLED'], ({ meters }) => meters.clear()],
  ['a total that is no sum', ['CERTIFICATE_SUM'], ({ book }) => Object.assign(book, { certifiedTotal: 86n })],
  ['a live total that is no sum', ['CERTIFICATE_SUM'], ({ book }) => Object.assign(book, { liveTotal: 71n })],
  [
    'a retired total that is no sum',
    ['CERTIFICATE_SUM'],
    ({ book }) => Object.assign(book, { retiredTotal: 14n }),
  ],
  ['a wrong count', ['CERTIFICATE_SUM'], ({ book }) => Object.assign(book, { liveCertificates: 3n })],
  ['a lost certificate', ['CERTIFICATE_SUM'], ({ live }) => live.delete([...live.keys()][0] ?? '')],
  ['a lost record', ['CERTIFICATE_SUM'], ({ retired }) => retired.clear()],
  [
    'energy in two certificates',
    ['CERTIFICATE_OVERLAP'],
    ({ first }) => Object.assign(first, { fromTotal: 11n, toTotal: 41n }),
  ],
  [
    'a certificate that is live and retired',
    ['CERTIFICATE_OVERLAP', 'CERTIFICATE_SUM'],
    ({ live, retired, first }) => {
      const [address = ''] = live.keys();
      retired.set(address, first as unknown as CertificatesRetirement);
      for (const key of [...retired.keys()]) if (key !== address) retired.delete(key);
    },
  ],
  [
    'certificates without a book',
    ['CERTIFICATE_UNKNOWN'],
    ({ books }) => {
      books.clear();
    },
  ],
];
test.each(broken)('%s is named', (_what, expected, breaks) => {
  const accounts = chain();
  breaks(accounts);
  expect(kinds(accounts)).toEqual(expected);
});
