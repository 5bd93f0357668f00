import { encodeOwnerMessage, encodeReading } from '@gridtokenx/protocol';
import { Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeMeter } from './accounts.js';
import {
  bookAddress,
  certificateAddress,
  certificatesConfigAddress,
  meterAddress,
  retirementAddress,
} from './addresses.js';
import {
  BOOK_BYTES,
  CERTIFICATE_BYTES,
  decodeBook,
  decodeCertificate,
  decodeCertificatesConfig,
  decodeRetirement,
  EnergySource,
  energySourceName,
  RETIREMENT_BYTES,
} from './certificates.js';
import { ed25519Instruction } from './ed25519.js';
import { decodeEvents } from './events.js';
import { certificatesIdl } from './idl/certificates.js';
import * as build from './instructions.js';
import { signMessage } from './sign.js';
import { type Executed, Svm } from './testing/svm.js';

/* Every builder of certificates against the compiled program, run by the SVM itself. */

const START = 1_700_000_000;
const KWH = 1_000_000_000n;
const network = new Uint8Array(32).fill(7);
const meterId = 'METER-1';
const meter = meterAddress(meterId);
const book = bookAddress(meter);

let admin: Keypair;
let owner: Keypair;
let registrar: Keypair;
let meterKey: Keypair;
let svm: Svm;

function run(instructions: TransactionInstruction[], ...signers: [Keypair, ...Keypair[]]): Executed {
  const executed = svm.execute(instructions, signers);
  expect(executed.refused, executed.logs.join('\n')).toBeUndefined();
  return executed;
}

const events = (executed: Executed) => decodeEvents(executed.logs).events;
const decodedBook = () => decodeBook(svm.data(book));
const decodedCertificate = (serial: bigint) => decodeCertificate(svm.data(certificateAddress(book, serial)));
const signed = (message: Uint8Array) =>
  ed25519Instruction([
    { publicKey: meterKey.publicKey.toBytes(), message, signature: signMessage(meterKey, message) },
  ]);

/** Settles the meter's next kWh. */
function settle(sequence: bigint): void {
  const end = START + Number(sequence) * 900;
  svm.setTime(end);
  const total = sequence * KWH;
  const message = encodeReading({
    flags: 0,
    sequence,
    intervalStart: end - 900,
    intervalEnd: end,
    producedTotal: total,
    consumedTotal: 0n,
    surplusTotal: total,
  });
  run(
    [
      signed(message),
      build.submitMeterReading({ meterId, owner: owner.publicKey }),
      build.settleMeterBalance({ meterId }),
    ],
    admin,
  );
}

beforeEach(() => {
  [admin, owner, registrar, meterKey] = [0, 1, 2, 3].map(() => Keypair.generate()) as [
    Keypair,
    Keypair,
    Keypair,
    Keypair,
  ];
  svm = new Svm(admin.publicKey, START);
  svm.fund(admin.publicKey, owner.publicKey);
  run(
    [
      build.initializeRegistry({
        authority: admin.publicKey,
        network,
        policy: build.Policy.IntervalSurplus,
        registrar: registrar.publicKey,
        guardian: owner.publicKey,
        maxRatedWatts: 50_000,
      }),
      build.registerUser({ payer: admin.publicKey, wallet: owner.publicKey }),
      build.verifyUser({ registrar: registrar.publicKey, wallet: owner.publicKey, verified: true }),
    ],
    admin,
    owner,
    registrar,
  );
  run(
    [
      signed(encodeOwnerMessage({ network, meterId, owner: owner.publicKey.toBase58() })),
      build.registerMeter({
        payer: admin.publicKey,
        owner: owner.publicKey,
        registrar: registrar.publicKey,
        meterId,
        publicKey: meterKey.publicKey,
        ratedWatts: 5_000,
      }),
    ],
    admin,
    owner,
    registrar,
  );
  run([build.initializeCertificates({ authority: admin.publicKey, guardian: owner.publicKey })], admin);
  const { settled, lastEnd } = decodeMeter(svm.data(meter));
  const opened = run(
    [
      build.openBook({
        payer: admin.publicKey,
        owner: owner.publicKey,
        registrar: registrar.publicKey,
        meter,
        source: EnergySource.Solar,
        startTotal: settled,
        periodStart: lastEnd,
      }),
    ],
    admin,
    owner,
    registrar,
  );
  expect(events(opened)).toMatchObject([
    { name: 'BookOpened', data: { meter, meterId, owner: owner.publicKey, source: EnergySource.Solar } },
  ]);
});

describe('certificates', () => {
  it('are issued, divided, transferred and retired, and their accounts and events decoded', () => {
    settle(1n);
    const issued = run(
      [
        build.issueCertificate({
          payer: admin.publicKey,
          owner: owner.publicKey,
          book: decodedBook(),
          energyNkwh: KWH,
        }),
      ],
      admin,
      owner,
    );
    expect(events(issued)).toMatchObject([
      { name: 'CertificateIssued', data: { meterId, serial: 1n, toTotal: KWH, automatic: false } },
    ]);
    const split = run(
      [
        build.splitCertificate({
          payer: admin.publicKey,
          book: decodedBook(),
          certificate: decodedCertificate(1n),
          energyNkwh: KWH / 4n,
        }),
      ],
      admin,
      owner,
    );
    expect(events(split)).toMatchObject([
      { name: 'CertificateSplit', data: { partSerial: 2n, splitTotal: (KWH * 3n) / 4n } },
    ]);
    const buyer = Keypair.generate();
    const given = run(
      [build.transferCertificate({ certificate: decodedCertificate(2n), newHolder: buyer.publicKey })],
      admin,
      owner,
    );
    expect(events(given)).toMatchObject([
      { name: 'CertificateTransferred', data: { newHolder: buyer.publicKey } },
    ]);
    const texts = { beneficiary: 'Büro Zürich', reason: '' };
    const retired = run(
      [
        build.retireCertificate({
          payer: admin.publicKey,
          certificate: decodedCertificate(2n),
          ...texts,
        }),
      ],
      admin,
      buyer,
    );
    expect(events(retired)).toMatchObject([
      { name: 'CertificateRetired', data: { ...texts, retiredBy: buyer.publicKey, retiredTotal: KWH / 4n } },
    ]);
    const certificate = certificateAddress(book, 2n);
    const record = svm.data(retirementAddress(certificate));
    expect(decodeRetirement(record)).toMatchObject({
      ...texts,
      certificate,
      meterId,
      retiredBy: buyer.publicKey,
      fromTotal: (KWH * 3n) / 4n,
      toTotal: KWH,
    });
    expect(decodedBook()).toMatchObject({
      certifiedTotal: KWH,
      liveTotal: (KWH * 3n) / 4n,
      retiredTotal: KWH / 4n,
      autoIssue: false,
    });
    expect([record.length, svm.data(book).length, svm.data(certificateAddress(book, 1n)).length]).toEqual([
      RETIREMENT_BYTES,
      BOOK_BYTES,
      CERTIFICATE_BYTES,
    ]);
  });

  it('are issued by anybody where the owner opted in, and lamports go in and out of the book', () => {
    const stranger = Keypair.generate();
    svm.fund(stranger.publicKey);
    run(
      [
        build.setAutoIssue({ owner: owner.publicKey, meter, enabled: true, minEnergyNkwh: KWH }),
        build.fundBook({ payer: owner.publicKey, meter, lamports: 4_000_000n }),
      ],
      owner,
    );
    settle(1n);
    const issue = (fromBook: boolean) =>
      build.issueCertificateFor({ payer: stranger.publicKey, book: decodedBook(), fromBook });
    const issued = run([issue(true)], stranger);
    expect(events(issued)).toMatchObject([{ name: 'CertificateIssued', data: { automatic: true } }]);
    settle(2n);
    run([issue(false)], stranger);
    expect(decodedCertificate(2n)).toMatchObject({ holder: owner.publicKey, rentPayer: stranger.publicKey });
    expect(svm.execute([issue(false)], [stranger]).refused).toBe('NothingToCertify');
    const taken = run([build.withdrawBookFunds({ owner: owner.publicKey, meter, lamports: 1n })], owner);
    expect(events(taken)).toMatchObject([{ name: 'FundsWithdrawn', data: { lamports: 1n } }]);
  });

  it('refuse texts that do not fit', () => {
    settle(1n);
    const issue = build.issueCertificate({
      payer: admin.publicKey,
      owner: owner.publicKey,
      book: decodedBook(),
      energyNkwh: KWH,
    });
    run([issue], admin, owner);
    const certificate = decodedCertificate(1n);
    const retire = (beneficiary: string, reason: string) =>
      build.retireCertificate({ payer: admin.publicKey, certificate, beneficiary, reason });
    expect(() => retire('é'.repeat(49), '')).toThrow(/at most 96 bytes/);
    expect(() => retire('a', 'x'.repeat(129))).toThrow(/at most 128 bytes/);
    expect(svm.execute([retire('a\nb', '')], [admin, owner]).refused).toBe('BeneficiaryInvalid');
    run([retire('é'.repeat(48), 'x'.repeat(128))], admin, owner);
  });
});

describe('books and roles', () => {
  it('change by whom they may be changed', () => {
    const set = run(
      [build.setEnergySource({ registrar: registrar.publicKey, meter, source: EnergySource.Wind })],
      admin,
      registrar,
    );
    expect(events(set)).toMatchObject([{ name: 'SourceAttested', data: { source: EnergySource.Wind } }]);
    expect(svm.execute([build.adoptBook({ book: decodedBook() })], [admin]).refused).toBe('NothingToAdopt');
    const next = Keypair.generate();
    run(
      [
        build.setCertificatesGuardian({ admin: admin.publicKey, guardian: registrar.publicKey }),
        build.proposeCertificatesAdmin({ admin: admin.publicKey, newAdmin: next.publicKey }),
        build.acceptCertificatesAdmin({ newAdmin: next.publicKey }),
        build.setCertificatesPaused({ authority: registrar.publicKey, paused: true }),
      ],
      admin,
      next,
      registrar,
    );
    expect(decodeCertificatesConfig(svm.data(certificatesConfigAddress()))).toMatchObject({
      admin: next.publicKey,
      pendingAdmin: PublicKey.default,
      guardian: registrar.publicKey,
      paused: true,
    });
  });

  it('have no builder missing, and sources have names', () => {
    expect(certificatesIdl.instructions).toHaveLength(15);
    expect([EnergySource.Solar, EnergySource.Other, 99].map(energySourceName)).toEqual([
      'solar',
      'other',
      'source 99',
    ]);
  });
});
