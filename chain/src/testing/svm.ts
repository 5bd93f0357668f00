import { readFileSync } from 'node:fs';
import { address, getTransactionDecoder, lamports } from '@solana/kit';
import {
  AddressLookupTableAccount,
  AddressLookupTableProgram,
  type Keypair,
  PublicKey,
  type TransactionInstruction,
} from '@solana/web3.js';
import { Clock, FailedTransactionMetadata, LiteSVM } from 'litesvm';
import { programDataAddress } from '../addresses.js';
import { describeFailure } from '../failure.js';
import {
  CERTIFICATES_PROGRAM_ID,
  ENERGY_TOKEN_PROGRAM_ID,
  GOVERNANCE_PROGRAM_ID,
  ORACLE_PROGRAM_ID,
  REGISTRY_PROGRAM_ID,
  TRADING_PROGRAM_ID,
  UPGRADEABLE_LOADER_ID,
} from '../programs.js';
import { signedTransaction } from '../send.js';
import { buildTransaction, programIdsOf } from '../transaction.js';

const artifact = (name: string) =>
  readFileSync(new URL(`../../../programs/artifacts/${name}.so`, import.meta.url));

/** What a transaction did. */
export interface Executed {
  logs: string[];
  units: number;
  returnData: Uint8Array;
  /** Bytes of the packet. */
  size: number;
  /** The reason's name when it was refused. */
  refused?: string;
}

/** The compiled programs in LiteSVM, without an RPC in between. Tests only. */
export class Svm {
  readonly svm = new LiteSVM();

  constructor(upgradeAuthority: PublicKey, unixSeconds: number) {
    this.deploy(REGISTRY_PROGRAM_ID, artifact('registry'), upgradeAuthority);
    this.deploy(ENERGY_TOKEN_PROGRAM_ID, artifact('energy_token'), upgradeAuthority);
    this.deploy(TRADING_PROGRAM_ID, artifact('trading'), upgradeAuthority);
    this.deploy(ORACLE_PROGRAM_ID, artifact('oracle'), upgradeAuthority);
    this.deploy(CERTIFICATES_PROGRAM_ID, artifact('certificates'), upgradeAuthority);
    this.deploy(GOVERNANCE_PROGRAM_ID, artifact('governance'), upgradeAuthority);
    this.setTime(unixSeconds);
  }

  /** Sets the chain's clock. The same instructions make another transaction afterwards. */
  setTime(unixSeconds: number): void {
    this.svm.setClock(new Clock(1_000n, BigInt(unixSeconds), 0n, 1n, BigInt(unixSeconds)));
    this.svm.expireBlockhash();
  }

  private deploy(programId: PublicKey, elf: Buffer, authority: PublicKey): void {
    const data = Buffer.alloc(45 + elf.length);
    data.writeUInt32LE(3, 0);
    data.writeUInt8(1, 12);
    data.set(authority.toBytes(), 13);
    data.set(elf, 45);
    const program = Buffer.alloc(36);
    program.writeUInt32LE(2, 0);
    program.set(programDataAddress(programId).toBytes(), 4);
    this.set(programDataAddress(programId), UPGRADEABLE_LOADER_ID, data, false);
    this.set(programId, UPGRADEABLE_LOADER_ID, program, true);
  }

  private set(key: PublicKey, owner: PublicKey, data: Uint8Array, executable: boolean): void {
    this.svm.setAccount({
      address: address(key.toBase58()),
      programAddress: address(owner.toBase58()),
      data: new Uint8Array(data),
      executable,
      lamports: lamports(this.svm.minimumBalanceForRentExemption(BigInt(data.length))),
      space: BigInt(data.length),
    });
  }

  fund(...keys: PublicKey[]): void {
    for (const key of keys) this.svm.airdrop(address(key.toBase58()), lamports(100_000_000_000n));
  }

  data(key: PublicKey): Uint8Array {
    const account = this.svm.getAccount(address(key.toBase58()));
    if (!account.exists) throw new Error(`no account ${key.toBase58()}`);
    return Uint8Array.from(account.data);
  }

  /** The token amount of a token account, 0 when there is none. */
  tokens(key: PublicKey): bigint {
    const account = this.svm.getAccount(address(key.toBase58()));
    return account.exists ? Buffer.from(account.data).readBigUInt64LE(64) : 0n;
  }

  /** Puts tokens into a token account, as if they had been minted. */
  setTokens(key: PublicKey, amount: bigint): void {
    const account = this.svm.getAccount(address(key.toBase58()));
    if (!account.exists) throw new Error(`no account ${key.toBase58()}`);
    const data = Buffer.from(account.data);
    data.writeBigUInt64LE(amount, 64);
    this.set(key, new PublicKey(account.programAddress), data, false);
  }

  /** A lookup table that holds these addresses, usable at once. */
  lookupTable(addresses: PublicKey[]): AddressLookupTableAccount {
    const key = PublicKey.unique();
    const data = Buffer.alloc(56 + 32 * addresses.length);
    data.writeUInt32LE(1, 0);
    data.writeBigUInt64LE(2n ** 64n - 1n, 4);
    data.writeUInt8(1, 21);
    for (const [index, item] of addresses.entries()) data.set(item.toBytes(), 56 + 32 * index);
    this.set(key, AddressLookupTableProgram.programId, data, false);
    return new AddressLookupTableAccount({ key, state: AddressLookupTableAccount.deserialize(data) });
  }

  /** Executes a transaction; the first signer pays. */
  execute(
    instructions: TransactionInstruction[],
    signers: [Keypair, ...Keypair[]],
    options: { lookupTables?: AddressLookupTableAccount[]; computeUnitLimit?: number } = {},
  ): Executed {
    const [payer] = signers;
    const transaction = buildTransaction({
      payer: payer.publicKey,
      instructions,
      blockhash: this.svm.latestBlockhash(),
      ...options,
    });
    const { wire } = signedTransaction(transaction, signers, 0);
    const result = this.svm.sendTransaction(getTransactionDecoder().decode(wire));
    const failed = result instanceof FailedTransactionMetadata;
    const meta = failed ? result.meta() : result;
    const logs = meta.logs();
    const executed = {
      logs,
      units: Number(meta.computeUnitsConsumed()),
      returnData: Uint8Array.from(meta.returnData()?.data() ?? []),
      size: wire.length,
    };
    if (!failed) return executed;
    const { reason } = describeFailure(undefined, logs, programIdsOf(transaction));
    return { ...executed, refused: reason === 'Unknown' ? String(result.err()) : reason };
  }
}
