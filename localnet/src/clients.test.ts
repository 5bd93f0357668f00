// @solana/web3.js, @solana/spl-token and @coral-xyz/anchor against localnet, unchanged.
import anchor from '@coral-xyz/anchor';
import {
  createMint,
  getAccount,
  getMint,
  getOrCreateAssociatedTokenAccount,
  mintTo,
  TOKEN_PROGRAM_ID,
  transfer,
} from '@solana/spl-token';
import {
  AddressLookupTableProgram,
  ComputeBudgetProgram,
  Ed25519Program,
  Keypair,
  PublicKey,
  SendTransactionError,
  SystemProgram,
  sendAndConfirmTransaction,
  Transaction,
  TransactionExpiredBlockheightExceededError,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fund, startTestNet, type TestNet, until } from './test-support.js';

const SOL = 1_000_000_000;
const MEMO = new PublicKey('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');
let net: TestNet;
const alice = Keypair.generate();

beforeAll(async () => {
  net = await startTestNet();
  await fund(net.connection, alice, 1000);
});
afterAll(() => net.close());

const pay = (to: PublicKey, lamports: number) =>
  new Transaction().add(SystemProgram.transfer({ fromPubkey: alice.publicKey, toPubkey: to, lamports }));

describe('@solana/web3.js', () => {
  test('transfers and confirms by blockhash, with the fee taken', async () => {
    const bob = Keypair.generate().publicKey;
    const before = await net.connection.getBalance(alice.publicKey);
    const signature = await sendAndConfirmTransaction(net.connection, pay(bob, SOL), [alice]);
    expect(await net.connection.getBalance(bob)).toBe(SOL);
    expect(await net.connection.getBalance(alice.publicKey)).toBe(before - SOL - 5000);
    const found = await net.connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    expect(found?.meta?.fee).toBe(5000);
    expect(found?.blockTime).toBe(await net.connection.getBlockTime(found?.slot as number));
    const [info] = await net.connection.getSignaturesForAddress(bob);
    expect(info?.signature).toBe(signature);
  });

  test('reports finality 32 slots later, and shows final state until then', async () => {
    await net.whileClockStands(async () => {
      const bob = Keypair.generate().publicKey;
      const signature = await sendAndConfirmTransaction(net.connection, pay(bob, SOL), [alice]);
      const status = async () => (await net.connection.getSignatureStatus(signature)).value;
      expect((await status())?.confirmationStatus).toBe('confirmed');
      expect(await net.connection.getBalance(bob, 'finalized')).toBe(0);
      expect(await net.connection.getAccountInfo(bob, 'finalized')).toBeNull();
      expect(await net.connection.getTransaction(signature, { commitment: 'finalized' })).toBeNull();
      net.skipSlots(31);
      expect((await status())?.confirmationStatus).toBe('confirmed');
      net.skipSlots(1);
      expect(await status()).toMatchObject({ confirmationStatus: 'finalized', confirmations: null });
      expect(await net.connection.getBalance(bob, 'finalized')).toBe(SOL);
      expect(
        (await net.connection.getTransaction(signature, { commitment: 'finalized' }))?.meta?.err,
      ).toBeNull();
    });
  });

  test('gives up on a blockhash that is 151 slots old, and not earlier', async () => {
    await net.whileClockStands(async () => {
      const { blockhash, lastValidBlockHeight } = await net.connection.getLatestBlockhash();
      const bob = Keypair.generate().publicKey;
      const signed = (lamports: number) => {
        const transaction = pay(bob, lamports);
        transaction.recentBlockhash = blockhash;
        transaction.feePayer = alice.publicKey;
        transaction.sign(alice);
        return transaction;
      };
      net.skipSlots(150);
      expect((await net.connection.isBlockhashValid(blockhash)).value).toBe(true);
      await net.connection.sendRawTransaction(signed(SOL).serialize());
      net.skipSlots(1);
      expect(await net.connection.getBlockHeight()).toBeGreaterThan(lastValidBlockHeight);
      expect((await net.connection.isBlockhashValid(blockhash)).value).toBe(false);
      const late = signed(2 * SOL);
      await expect(net.connection.sendRawTransaction(late.serialize())).rejects.toThrow(
        'Blockhash not found',
      );
      // Without preflight a node takes it in and drops it.
      const signature = await net.connection.sendRawTransaction(late.serialize(), { skipPreflight: true });
      await expect(
        net.connection.confirmTransaction({ signature, blockhash, lastValidBlockHeight }),
      ).rejects.toBeInstanceOf(TransactionExpiredBlockheightExceededError);
      expect(await net.connection.getBalance(bob)).toBe(SOL);
    });
  });

  test('says why preflight failed, with logs', async () => {
    const transaction = pay(Keypair.generate().publicKey, 5000 * SOL);
    const error = await sendAndConfirmTransaction(net.connection, transaction, [alice]).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(SendTransactionError);
    expect((error as SendTransactionError).logs?.join('\n')).toContain('insufficient lamports');
  });

  test('keeps a failed transaction that skipped preflight, with its fee', async () => {
    const before = await net.connection.getBalance(alice.publicKey);
    const transaction = pay(Keypair.generate().publicKey, 5000 * SOL);
    const latest = await net.connection.getLatestBlockhash();
    transaction.recentBlockhash = latest.blockhash;
    transaction.feePayer = alice.publicKey;
    transaction.sign(alice);
    const signature = await net.connection.sendRawTransaction(transaction.serialize(), {
      skipPreflight: true,
    });
    const { value } = await net.connection.confirmTransaction({ signature, ...latest });
    expect(value.err).toEqual({ InstructionError: [0, { Custom: 1 }] });
    expect(await net.connection.getBalance(alice.publicKey)).toBe(before - 5000);
  });

  test('gives equal airdrops in one slot each their own transaction', async () => {
    const bob = Keypair.generate().publicKey;
    const signatures = await Promise.all([1, 2, 3].map(() => net.connection.requestAirdrop(bob, SOL)));
    expect(new Set(signatures).size).toBe(3);
    expect(await net.connection.getBalance(bob)).toBe(3 * SOL);
  });

  test('notifies of accounts, programs, logs, signatures and slots, and stops when told', async () => {
    const bob = Keypair.generate();
    await fund(net.connection, bob, 1);
    const seen: Record<string, unknown[]> = { account: [], program: [], logs: [], slot: [], signature: [] };
    const ids = [
      net.connection.onAccountChange(bob.publicKey, (info) => seen.account?.push(info.lamports)),
      net.connection.onProgramAccountChange(SystemProgram.programId, ({ accountId }) => {
        if (accountId.equals(bob.publicKey)) seen.program?.push(accountId.toBase58());
      }),
      net.connection.onLogs(bob.publicKey, (logs) => seen.logs?.push(logs.signature)),
      net.connection.onSlotChange((slot) => seen.slot?.push(slot.slot)),
    ] as const;
    const transaction = pay(bob.publicKey, SOL);
    const latest = await net.connection.getLatestBlockhash();
    transaction.recentBlockhash = latest.blockhash;
    transaction.feePayer = alice.publicKey;
    transaction.sign(alice);
    // A slot notification shows that the subscriptions before it are in place.
    await until('a slot', () => (seen.slot?.length ? true : undefined));
    const signature = await net.connection.sendRawTransaction(transaction.serialize());
    net.connection.onSignature(signature, (result) => seen.signature?.push(result.err));
    await until('all notifications', () =>
      ['account', 'program', 'logs', 'signature'].every((kind) => seen[kind]?.length) ? true : undefined,
    );
    expect(seen.account).toEqual([2 * SOL]);
    expect(seen.program).toEqual([bob.publicKey.toBase58()]);
    expect(seen.logs).toEqual([signature]);
    expect(seen.signature).toEqual([null]);
    await net.connection.removeAccountChangeListener(ids[0]);
    await net.connection.removeProgramAccountChangeListener(ids[1]);
    await net.connection.removeOnLogsListener(ids[2]);
    await net.connection.removeSlotChangeListener(ids[3]);
    await sendAndConfirmTransaction(net.connection, pay(bob.publicKey, SOL), [alice]);
    expect(seen.account).toEqual([2 * SOL]);
  });

  test('notifies at finality only those who asked for it', async () => {
    const bob = Keypair.generate().publicKey;
    const seen: number[] = [];
    const { connection } = net;
    const id = connection.onAccountChange(bob, (info) => seen.push(info.lamports), {
      commitment: 'finalized',
    });
    let slots = 0;
    const slotId = connection.onSlotChange(() => slots++);
    await until('a slot', () => (slots > 0 ? true : undefined));
    await net.whileClockStands(async () => {
      for (const lamports of [SOL, 2 * SOL]) {
        await sendAndConfirmTransaction(net.connection, pay(bob, lamports), [alice]);
      }
      expect(seen).toEqual([]);
      net.skipSlots(40);
      await until('finality', () => (seen.at(-1) === 3 * SOL ? true : undefined));
    });
    await connection.removeAccountChangeListener(id);
    await connection.removeSlotChangeListener(slotId);
  });

  test('uses lookup tables in v0 transactions from the slot after their extension', async () => {
    const recentSlot = await net.connection.getSlot();
    const [create, address] = AddressLookupTableProgram.createLookupTable({
      authority: alice.publicKey,
      payer: alice.publicKey,
      recentSlot,
    });
    const targets = Array.from({ length: 20 }, () => Keypair.generate().publicKey);
    const extend = AddressLookupTableProgram.extendLookupTable({
      payer: alice.publicKey,
      authority: alice.publicKey,
      lookupTable: address,
      addresses: targets,
    });
    await sendAndConfirmTransaction(net.connection, new Transaction().add(create, extend), [alice]);
    const table = (await net.connection.getAddressLookupTable(address)).value;
    expect(table?.state.addresses.map(String)).toEqual(targets.map(String));
    if (!table) return;
    const build = async () => {
      const latest = await net.connection.getLatestBlockhash();
      const message = new TransactionMessage({
        payerKey: alice.publicKey,
        recentBlockhash: latest.blockhash,
        instructions: targets.map((toPubkey) =>
          SystemProgram.transfer({ fromPubkey: alice.publicKey, toPubkey, lamports: SOL }),
        ),
      }).compileToV0Message([table]);
      const transaction = new VersionedTransaction(message);
      transaction.sign([alice]);
      return { transaction, latest };
    };
    net.skipSlots(1);
    const { transaction, latest } = await build();
    const signature = await net.connection.sendTransaction(transaction);
    const { value } = await net.connection.confirmTransaction({ signature, ...latest });
    expect(value.err).toBeNull();
    expect(await net.connection.getBalance(targets[19] as PublicKey)).toBe(SOL);
    const found = await net.connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    expect(found?.meta?.loadedAddresses?.writable.map(String).sort()).toEqual(targets.map(String).sort());
    expect((await net.connection.getSignaturesForAddress(targets[3] as PublicKey))[0]?.signature).toBe(
      signature,
    );
  });

  test('simulates without a trace', async () => {
    const bob = Keypair.generate().publicKey;
    const { blockhash } = await net.connection.getLatestBlockhash();
    const message = new TransactionMessage({
      payerKey: alice.publicKey,
      recentBlockhash: blockhash,
      instructions: [SystemProgram.transfer({ fromPubkey: alice.publicKey, toPubkey: bob, lamports: SOL })],
    }).compileToV0Message();
    const { value } = await net.connection.simulateTransaction(new VersionedTransaction(message), {
      accounts: { encoding: 'base64', addresses: [bob.toBase58()] },
    });
    expect(value.err).toBeNull();
    expect(value.accounts?.[0]?.lamports).toBe(SOL);
    expect(await net.connection.getBalance(bob)).toBe(0);
  });

  test('runs the Ed25519 precompile, the compute budget and memo programs', async () => {
    const ed25519 = Ed25519Program.createInstructionWithPrivateKey({
      privateKey: alice.secretKey,
      message: Buffer.from('a reading'),
    });
    const memo = new TransactionInstruction({ programId: MEMO, keys: [], data: Buffer.from('hello') });
    const transaction = new Transaction().add(
      ComputeBudgetProgram.setComputeUnitLimit({ units: 20_000 }),
      ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_000_000 }),
      ed25519,
      memo,
    );
    net.skipSlots(2); // a slot of its own: the lowest price in a slot is what counts
    const signature = await sendAndConfirmTransaction(net.connection, transaction, [alice]);
    const found = await net.connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    expect(found?.meta?.fee).toBe(2 * 5000 + 20_000);
    const [info] = await net.connection.getSignaturesForAddress(MEMO, { limit: 1 });
    expect(info?.memo).toBe('[5] hello');
    const [fee] = (
      await net.connection.getRecentPrioritizationFees({ lockedWritableAccounts: [alice.publicKey] })
    ).filter(({ prioritizationFee }) => prioritizationFee > 0);
    expect(fee?.prioritizationFee).toBe(1_000_000);
  });

  test('batches', async () => {
    const parsed = await net.connection.getParsedTransactions(
      (await net.connection.getSignaturesForAddress(alice.publicKey, { limit: 5 })).map(
        ({ signature }) => signature,
      ),
      { maxSupportedTransactionVersion: 0 },
    );
    expect(parsed).toHaveLength(5);
    expect(parsed[0]?.transaction.message.accountKeys.some(({ signer }) => signer)).toBe(true);
  });
});

describe('@solana/spl-token', () => {
  test('creates a mint, mints and transfers, and shows accounts parsed', async () => {
    const bob = Keypair.generate();
    const mint = await createMint(net.connection, alice, alice.publicKey, null, 9);
    const from = await getOrCreateAssociatedTokenAccount(net.connection, alice, mint, alice.publicKey);
    const to = await getOrCreateAssociatedTokenAccount(net.connection, alice, mint, bob.publicKey);
    await mintTo(net.connection, alice, mint, from.address, alice, 15_300_000_000n);
    const signature = await transfer(net.connection, alice, from.address, to.address, alice, 300_000_000n);
    expect((await getAccount(net.connection, to.address)).amount).toBe(300_000_000n);
    expect((await getMint(net.connection, mint)).supply).toBe(15_300_000_000n);
    expect((await net.connection.getTokenSupply(mint)).value.uiAmountString).toBe('15.3');
    expect((await net.connection.getTokenAccountBalance(from.address)).value.amount).toBe('15000000000');
    const { value } = await net.connection.getParsedTokenAccountsByOwner(bob.publicKey, { mint });
    expect(value[0]?.account.data.parsed.info.tokenAmount.uiAmountString).toBe('0.3');
    const held = await net.connection.getProgramAccounts(TOKEN_PROGRAM_ID, {
      filters: [{ dataSize: 165 }, { memcmp: { offset: 0, bytes: mint.toBase58() } }],
      dataSlice: { offset: 64, length: 8 },
    });
    expect(held.map(({ account }) => account.data.readBigUInt64LE(0)).sort()).toEqual([
      15_000_000_000n,
      300_000_000n,
    ]);
    const found = await net.connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    expect(found?.meta?.postTokenBalances?.map(({ uiTokenAmount }) => uiTokenAmount.amount).sort()).toEqual([
      '15000000000',
      '300000000',
    ]);
  });
});

describe('@coral-xyz/anchor', () => {
  test('its provider sends, confirms, simulates and sends many', async () => {
    const provider = new anchor.AnchorProvider(net.connection, new anchor.Wallet(alice), {
      commitment: 'confirmed',
    });
    const bob = Keypair.generate().publicKey;
    await provider.sendAndConfirm(pay(bob, SOL));
    await provider.sendAll([{ tx: pay(bob, 2 * SOL) }, { tx: pay(bob, 3 * SOL) }]);
    expect(await provider.connection.getBalance(bob)).toBe(6 * SOL);
    const simulated = await provider.simulate(pay(bob, SOL));
    expect(simulated.logs?.at(-1)).toContain('success');
    await expect(provider.sendAndConfirm(pay(bob, 5000 * SOL))).rejects.toThrow(/0x1/);
  });
});
