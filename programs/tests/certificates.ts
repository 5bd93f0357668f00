/*
 * Certificates for the program tests: the world of `support.ts` with the certificates program, books and certificates.
 * Again without the project's own client.
 */
import { type Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { expect } from 'vitest';
import {
  bn,
  call,
  pda,
  program,
  REGISTRY,
  type Result,
  SystemProgram,
  type TestMeter,
  World,
  type WorldOptions,
} from './support.js';
import { plain } from './trading.js';

export { plain };
export const CERTIFICATES = program('certificates').id;
export const certificatesIdl = program('certificates').idl;

/** 1 kWh in nkWh. */
export const KWH = 1_000_000_000n;
export const SOLAR = 1;
export const WIND = 2;
/** Bytes of the accounts, discriminator included. */
export const BOOK_BYTES = 288;
export const CERTIFICATE_BYTES = 288;
export const RETIREMENT_BYTES = 488;
/** Where the registry notes a meter's last transfer: settled total, end of the last interval, count of transfers. */
const TRANSFER_NOTES = { from: 344, to: 360 };

const find = (...seeds: Uint8Array[]): PublicKey => PublicKey.findProgramAddressSync(seeds, CERTIFICATES)[0];
const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

/** Program-derived addresses of certificates. */
export const certificatesPda = {
  config: find(Buffer.from('config')),
  book: (meter: PublicKey) => find(Buffer.from('book'), meter.toBytes()),
  certificate: (book: PublicKey, serial: bigint) =>
    find(Buffer.from('certificate'), book.toBytes(), u64(serial)),
  retirement: (certificate: PublicKey) => find(Buffer.from('retirement'), certificate.toBytes()),
};

/** A text as the program keeps it. */
export function padded(text: string | Uint8Array, length: number): number[] {
  const bytes = Buffer.alloc(length);
  Buffer.from(text).copy(bytes);
  return [...bytes];
}
/** What such bytes say. */
export const textOf = (bytes: number[]): string => Buffer.from(bytes).toString('utf8').replace(/\0+$/, '');

type Keys = Record<string, PublicKey>;
type Start = { source?: number; startTotal?: bigint; periodStart?: number };

export interface BookState {
  owner: PublicKey;
  attestedBy: PublicKey;
  next: bigint;
  certified: bigint;
  lapsed: bigint;
  live: bigint;
  retired: bigint;
  serial: bigint;
  count: bigint;
  min: bigint;
  periodStart: number;
  transfers: number;
  source: number;
  auto: number;
}

export interface CertificateState {
  book: PublicKey;
  meter: PublicKey;
  producer: PublicKey;
  holder: PublicKey;
  attestedBy: PublicKey;
  rentPayer: PublicKey;
  serial: bigint;
  splitFrom: bigint;
  from: bigint;
  to: bigint;
  issuedAt: bigint;
  periodStart: number;
  periodEnd: number;
  source: number;
}

const big = (value: unknown): bigint => BigInt(String(value));

export class CertificatesWorld extends World {
  readonly certificatesGuardian: Keypair;

  constructor(options: WorldOptions & { noConfig?: boolean } = {}) {
    super(options);
    this.certificatesGuardian = this.key();
    this.deploy(CERTIFICATES, 'certificates');
    if (options.noConfig) return;
    this.must([this.initializeCertificates()], [this.upgradeAuthority]);
  }

  rent(bytes: number): bigint {
    return this.svm.minimumBalanceForRentExemption(BigInt(bytes));
  }

  lamports(key: PublicKey): bigint {
    return this.account(key)?.lamports ?? 0n;
  }

  book(meter: TestMeter): PublicKey {
    return certificatesPda.book(meter.address);
  }

  certificate(meter: TestMeter, serial: bigint): PublicKey {
    return certificatesPda.certificate(this.book(meter), serial);
  }

  bookState(meter: TestMeter): BookState {
    const raw = this.decode('certificates', 'Book', this.book(meter));
    return {
      owner: raw.owner,
      attestedBy: raw.attested_by,
      next: big(raw.next_total),
      certified: big(raw.certified_total),
      lapsed: big(raw.lapsed_total),
      live: big(raw.live_total),
      retired: big(raw.retired_total),
      serial: big(raw.next_serial),
      count: big(raw.live_certificates),
      min: big(raw.auto_issue_min_nkwh),
      periodStart: raw.period_start,
      transfers: raw.transfers,
      source: raw.source,
      auto: raw.auto_issue,
    };
  }

  /** A certificate; undefined when it is closed or never was. */
  certificateState(address: PublicKey): CertificateState | undefined {
    if (!this.account(address)?.owner.equals(CERTIFICATES)) return undefined;
    const raw = this.decode('certificates', 'Certificate', address);
    return {
      book: raw.book,
      meter: raw.meter,
      producer: raw.producer,
      holder: raw.holder,
      attestedBy: raw.attested_by,
      rentPayer: raw.rent_payer,
      serial: big(raw.serial),
      splitFrom: big(raw.split_from),
      from: big(raw.from_total),
      to: big(raw.to_total),
      issuedAt: big(raw.issued_at),
      periodStart: raw.period_start,
      periodEnd: raw.period_end,
      source: raw.source,
    };
  }

  // --- instructions

  initializeCertificates(
    guardian: PublicKey = this.certificatesGuardian.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call(
      'certificates',
      'initialize',
      { guardian },
      {
        authority: this.upgradeAuthority.publicKey,
        config: certificatesPda.config,
        program_data: pda.programData(CERTIFICATES),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  openBook(meter: TestMeter, start: Start = {}, accounts: Keys = {}): TransactionInstruction {
    const state = this.meter(meter);
    return call(
      'certificates',
      'open_book',
      {
        source: start.source ?? SOLAR,
        start_total: bn(start.startTotal ?? state.settled),
        period_start: start.periodStart ?? state.lastEnd,
      },
      {
        payer: this.payer.publicKey,
        owner: meter.owner.publicKey,
        registrar: this.registrar.publicKey,
        config: certificatesPda.config,
        registry_config: pda.config,
        meter: meter.address,
        book: this.book(meter),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  issue(meter: TestMeter, energy: bigint, accounts: Keys = {}): TransactionInstruction {
    return call(
      'certificates',
      'issue',
      { energy_nkwh: bn(energy) },
      {
        payer: this.payer.publicKey,
        owner: meter.owner.publicKey,
        config: certificatesPda.config,
        meter: meter.address,
        book: this.book(meter),
        certificate: this.certificate(meter, this.bookState(meter).serial),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  issueFor(meter: TestMeter, fromBook: boolean, accounts: Keys = {}): TransactionInstruction {
    return call(
      'certificates',
      'issue_for',
      { from_book: fromBook },
      {
        payer: this.payer.publicKey,
        config: certificatesPda.config,
        meter: meter.address,
        book: this.book(meter),
        certificate: this.certificate(meter, this.bookState(meter).serial),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  split(
    meter: TestMeter,
    certificate: PublicKey,
    energy: bigint,
    holder: PublicKey = meter.owner.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call(
      'certificates',
      'split',
      { energy_nkwh: bn(energy) },
      {
        payer: this.payer.publicKey,
        holder,
        config: certificatesPda.config,
        book: this.book(meter),
        certificate,
        part: this.certificate(meter, this.bookState(meter).serial),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  give(
    certificate: PublicKey,
    holder: PublicKey,
    newHolder: PublicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call(
      'certificates',
      'transfer',
      { new_holder: newHolder },
      { holder, config: certificatesPda.config, certificate, ...accounts },
    );
  }

  retireCertificate(
    meter: TestMeter,
    certificate: PublicKey,
    options: { holder?: PublicKey; beneficiary?: number[]; reason?: number[] } = {},
    accounts: Keys = {},
  ): TransactionInstruction {
    return call(
      'certificates',
      'retire',
      {
        beneficiary: options.beneficiary ?? padded('Household 7', 96),
        reason: options.reason ?? padded('Consumption in 2023', 128),
      },
      {
        payer: this.payer.publicKey,
        holder: options.holder ?? meter.owner.publicKey,
        config: certificatesPda.config,
        book: this.book(meter),
        certificate,
        retirement: certificatesPda.retirement(certificate),
        rent_payer: this.certificateState(certificate)?.rentPayer ?? this.payer.publicKey,
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  adoptBook(meter: TestMeter, accounts: Keys = {}): TransactionInstruction {
    return call(
      'certificates',
      'adopt_book',
      {},
      {
        config: certificatesPda.config,
        meter: meter.address,
        book: this.book(meter),
        former_owner: this.bookState(meter).owner,
        ...accounts,
      },
    );
  }

  setSource(meter: TestMeter, source: number, accounts: Keys = {}): TransactionInstruction {
    return call(
      'certificates',
      'set_source',
      { source },
      {
        registrar: this.registrar.publicKey,
        config: certificatesPda.config,
        registry_config: pda.config,
        meter: meter.address,
        book: this.book(meter),
        ...accounts,
      },
    );
  }

  setAutoIssue(meter: TestMeter, enabled: boolean, min = 0n, accounts: Keys = {}): TransactionInstruction {
    return call(
      'certificates',
      'set_auto_issue',
      { enabled, min_energy_nkwh: bn(min) },
      { owner: meter.owner.publicKey, book: this.book(meter), ...accounts },
    );
  }

  withdrawFunds(meter: TestMeter, lamports: bigint, accounts: Keys = {}): TransactionInstruction {
    return call(
      'certificates',
      'withdraw_funds',
      { lamports: bn(lamports) },
      { owner: meter.owner.publicKey, book: this.book(meter), ...accounts },
    );
  }

  pauseCertificates(
    paused: boolean,
    authority: PublicKey = this.upgradeAuthority.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call(
      'certificates',
      'set_paused',
      { paused },
      { authority, config: certificatesPda.config, ...accounts },
    );
  }

  certificatesAdmin(
    name: 'propose_admin' | 'set_guardian',
    args: Record<string, unknown>,
    admin: PublicKey = this.upgradeAuthority.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call('certificates', name, args, { admin, config: certificatesPda.config, ...accounts });
  }

  acceptCertificatesAdmin(newAdmin: PublicKey, accounts: Keys = {}): TransactionInstruction {
    return call(
      'certificates',
      'accept_admin',
      {},
      { new_admin: newAdmin, config: certificatesPda.config, ...accounts },
    );
  }

  // --- stories

  /** Settles the meter's next `energy`, without minting it. */
  produce(meter: TestMeter, energy = KWH): void {
    this.accept(meter, { made: energy, used: 0n });
    this.must([this.settle(meter)]);
  }

  /** A meter with a book, opened before anything was settled. */
  withBook(options: Parameters<World['newMeter']>[0] = {}): TestMeter {
    const meter = this.newMeter(options);
    this.must([this.openBook(meter)], [meter.owner, this.registrar]);
    return meter;
  }

  /** A meter with a book and one certificate of 1 kWh for its owner. */
  withCertificate(energy = KWH): { meter: TestMeter; certificate: PublicKey } {
    const meter = this.withBook();
    return { meter, certificate: this.certified(meter, energy) };
  }

  /** The meter's next certificate, of newly settled energy. */
  certified(meter: TestMeter, energy = KWH): PublicKey {
    this.produce(meter, energy);
    const instruction = this.issue(meter, energy);
    this.must([instruction], [meter.owner]);
    return instruction.keys[5]?.pubkey as PublicKey;
  }

  /** Lamports for rent. */
  fundBook(meter: TestMeter, lamports: bigint): void {
    this.must([
      SystemProgram.transfer({ fromPubkey: this.payer.publicKey, toPubkey: this.book(meter), lamports }),
    ]);
  }

  /**
   * Transfers a meter in the registry, which notes the transfer in the meter. Not `counted`: as a registry does that knows
   * of no such notes, and leaves those that are there as they are.
   */
  handOver(meter: TestMeter, newOwner: Keypair, counted = true): TestMeter {
    const notes = this.dataOf(meter.address).subarray(TRANSFER_NOTES.from, TRANSFER_NOTES.to);
    this.must(
      [this.consent(meter.key, meter.id, newOwner.publicKey), this.transfer(meter, newOwner.publicKey)],
      [meter.owner, this.registrar],
    );
    if (!counted) {
      const data = this.dataOf(meter.address);
      data.set(notes, TRANSFER_NOTES.from);
      this.setAccount(meter.address, REGISTRY, data);
    }
    return { ...meter, owner: newOwner };
  }

  /** The one event of a transaction, which has this name. */
  event(result: Result, name: string) {
    expect(result.events.map((event) => event.name)).toEqual([name]);
    return plain(result.events[0]?.data);
  }
}
