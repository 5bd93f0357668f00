import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ED25519_PROGRAM_ID,
  ed25519Instruction,
  ensureTokenAccounts,
  fetchConfig,
  fetchMeter,
  GRID_TOKEN_PROGRAM_ID,
  gridMintAddress,
  gridTokenAccount,
  instructions,
  MeterStatus,
  meterAddress,
  mintAuthorityAddress,
  ownerMessageFor,
  registerMeter,
  registerUser,
  rotateMeterKey,
  sendAndConfirm,
  signMessage,
  verifyUser,
} from '@gridtokenx/chain';
import {
  type Command,
  encodeBase58,
  encodeEnvelopeMessage,
  encodeReading,
  GtxError,
  kwhToNkwh,
  type SubmitReading,
  topicFor,
} from '@gridtokenx/protocol';
import { Keypair, LAMPORTS_PER_SOL, PublicKey, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/ask.js';
import { booksOf, supplyOf, walletBalance } from '../support/books.js';
import { BrokerProcess } from '../support/broker-process.js';
import { connectTo, gatewayLogin, TestGateway } from '../support/gateway.js';
import { expectNothingLost, Home, storedOf } from '../support/home.js';
import { SigningMeter, signedReading, submit } from '../support/signing-meter.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * The table "who can do what with a stolen key": for each key, what its thief achieves on the running system, and
 * what not. Every attack is sent; nothing is only simulated.
 */

const RATED_WATTS = 5_000;

let system: RunningSystem;
let victim: SigningMeter;
let neighbour: SigningMeter;
/** Pays for attacks that need a payer of the thief's own, and owns a GRID account. */
const thief = Keypair.generate();
const keyFile = (name: string) => join(system.dataDir, 'keys', `${name}.json`);

beforeAll(async () => {
  system = await RunningSystem.start({ args: ['--interval-seconds', '1'] });
  await system.gtxJson('keygen', '--out', keyFile('alice'));
  const { wallet } = await system.gtxJson(
    ...['register-user', '--wallet-key', keyFile('alice'), '--payer-key', keyFile('registrar')],
  );
  await system.gtxJson('verify-user', '--wallet', wallet);
  const options = { ownerKey: keyFile('alice'), ratedWatts: RATED_WATTS };
  victim = await SigningMeter.register(system, 'MTR-VICTIM', options);
  neighbour = await SigningMeter.register(system, 'MTR-NEIGHBOUR', options);
  await system.gtxJson('airdrop', '--to', thief.publicKey.toBase58(), '--sol', '100');
  await ensureTokenAccounts(system.connection, thief, [thief.publicKey]);
}, 600_000);
afterAll(() => system?.destroy());

const owner = () => new PublicKey(victim.wallet);

function send(payer: Keypair, list: TransactionInstruction[], signers: Keypair[] = []): Promise<unknown> {
  return sendAndConfirm(system.connection, { payer, signers, instructions: list });
}

/** The chain must refuse it, for this reason. */
async function refused(attempt: Promise<unknown>, reason?: string): Promise<void> {
  const error = await attempt.then(
    () => new Error('the chain let it pass'),
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(GtxError);
  expect((error as GtxError).code, String(error)).toBe('CHAIN_REFUSED');
  if (reason !== undefined) expect((error as GtxError).details?.reason, String(error)).toBe(reason);
}

/** An instruction that leaves out the signatures of everybody but these. */
function unsigned(instruction: TransactionInstruction, ...except: PublicKey[]): TransactionInstruction {
  return new TransactionInstruction({
    programId: instruction.programId,
    data: instruction.data,
    keys: instruction.keys.map((meta) => ({
      ...meta,
      isSigner: meta.isSigner && except.some((one) => one.equals(meta.pubkey)),
    })),
  });
}

const submitAndMint = (meter: SigningMeter) =>
  instructions.submitAndMint({ meters: [{ meterId: meter.meterId, owner: new PublicKey(meter.wallet) }] });

const withReading = (body: SubmitReading, meter: SigningMeter) => [
  ed25519Instruction([signedReading(body)]),
  submitAndMint(meter),
];

const mintedOf = async (meterId: string) => (await fetchMeter(system.connection, meterId))?.minted ?? 0n;

/** What must hold whatever a thief without a meter's signature tries. */
async function expectNothingMinted(attacks: () => Promise<void>): Promise<void> {
  const before = [await mintedOf('MTR-VICTIM'), await mintedOf('MTR-NEIGHBOUR')];
  await attacks();
  expect([await mintedOf('MTR-VICTIM'), await mintedOf('MTR-NEIGHBOUR')]).toEqual(before);
  expect(await walletBalance(system, thief.publicKey.toBase58())).toBe(0n);
}

describe('the collector’s fee payer', () => {
  test('mints nothing that meters did not sign', async () => {
    const feePayer = system.key('fee-payer');
    await expectNothingMinted(async () => {
      // Straight at the mint, as itself and in the registry's name.
      const destination = gridTokenAccount(thief.publicKey);
      const mint = { meter: meterAddress('MTR-VICTIM'), destination, amountNkwh: kwhToNkwh('1') };
      const asItself = instructions.mintFromProduction({ ...mint, mintAuthority: feePayer.publicKey });
      await refused(send(feePayer, [asItself]), 'NotRegistry');
      const asRegistry = instructions.mintFromProduction({ ...mint, mintAuthority: mintAuthorityAddress() });
      await refused(send(feePayer, [unsigned(asRegistry)]));
      await refused(send(feePayer, [tokenMintTo(destination, feePayer.publicKey)]));
      await refused(send(feePayer, [tokenSetMintAuthority(feePayer.publicKey)]));

      // A reading that it signs itself, alone and in the meter's name.
      const reading = { ...victim.last, sequence: 1n, intervalEnd: victim.last.intervalEnd + 1 };
      const wanted = { ...reading, producedTotal: 1_000_000n, surplusTotal: 1_000_000n };
      const selfSigned = victim.body(wanted, 1_000_000n, feePayer);
      await refused(send(feePayer, withReading(selfSigned, victim)), 'KeyMismatch');
      await refused(
        send(feePayer, [
          ed25519Instruction([signedReading(selfSigned)]),
          instructions.submitMeterReading({ meterId: 'MTR-VICTIM', owner: owner() }),
        ]),
        'KeyMismatch',
      );
      const borrowed = { ...signedReading(selfSigned), publicKey: victim.key.publicKey.toBytes() };
      await refused(send(feePayer, [ed25519Instruction([borrowed]), submitAndMint(victim)]));
      expect(await submit(system, selfSigned)).toMatchObject({
        status: 403,
        body: { error: { code: 'KEY_MISMATCH' } },
      });

      // No signature at all, or one that is not right before.
      await refused(send(feePayer, [submitAndMint(victim)]), 'SignatureMissing');

      // Settling is open to all, and there is nothing to settle.
      const settle = instructions.settleAndMintTokens({ meterId: 'MTR-VICTIM', owner: owner() });
      await refused(send(feePayer, [settle]), 'NoUnsettledBalance');
    });
  });

  test('cannot bend a genuine signature: another meter’s, altered, replayed, redirected, by forged offsets', async () => {
    const feePayer = system.key('fee-payer');
    const genuine = victim.next('0.001');
    await expectNothingMinted(async () => {
      // The victim's signature for the neighbour's account.
      await refused(send(feePayer, withReading(genuine, neighbour)), 'KeyMismatch');
      // Its bytes with more energy in them: the precompile refuses.
      const entry = signedReading(genuine);
      const altered = encodeReading({ ...victim.last, surplusTotal: kwhToNkwh('50') });
      await refused(
        send(feePayer, [ed25519Instruction([{ ...entry, message: altered }]), submitAndMint(victim)]),
      );

      // Forged offsets: what the precompile checks lies in another instruction than what the program reads.
      const checked = ed25519Instruction([
        {
          publicKey: feePayer.publicKey.toBytes(),
          message: altered,
          signature: signMessage(feePayer, altered),
        },
      ]);
      const decoy = {
        publicKey: victim.key.publicKey.toBytes(),
        message: altered,
        signature: new Uint8Array(64),
      };
      for (const pointing of [
        ['signature', 'key', 'message'],
        ['signature', 'key'],
        ['key'],
        ['message'],
      ] as const) {
        const forged = pointElsewhere(ed25519Instruction([decoy]), pointing);
        await refused(send(feePayer, [checked, forged, submitAndMint(victim)]));
      }
      // All of it points to the first instruction and verifies there: only the program can see the fraud.
      const allElsewhere = pointElsewhere(ed25519Instruction([decoy]), ['signature', 'key', 'message']);
      await refused(send(feePayer, [checked, allElsewhere, submitAndMint(victim)]), 'SignatureOffsets');

      // The genuine reading, paid out to the thief.
      const redirected = submitAndMint(victim);
      const account = redirected.keys.at(-1);
      if (account === undefined) throw new Error('the instruction names no account');
      account.pubkey = gridTokenAccount(thief.publicKey);
      await refused(send(feePayer, [ed25519Instruction([entry]), redirected]), 'WrongTokenAccount');
    });

    // Unbent, it mints to the owner: that is all that the key can bring about, and once.
    const before = await walletBalance(system, victim.wallet);
    const list = withReading(genuine, victim);
    await send(feePayer, list);
    const after = await walletBalance(system, victim.wallet);
    expect(after - before).toBe(await mintedOf('MTR-VICTIM'));
    await expectNothingMinted(async () => {
      await refused(send(feePayer, list), 'SequenceNotHigher');
      await refused(send(feePayer, [...list, submitAndMint(victim)]));
    });
  });

  test('has none of the other powers, and can spend its fees', async () => {
    const feePayer = system.key('fee-payer');
    const authority = feePayer.publicKey;
    const wallet = thief.publicKey;
    await refused(
      send(feePayer, [instructions.verifyUser({ registrar: authority, wallet: owner(), verified: false })]),
      'NotRegistrar',
    );
    await refused(send(feePayer, [instructions.setPaused({ authority, paused: true })]), 'NotAuthorized');
    const suspend = { authority, meterId: 'MTR-VICTIM', status: MeterStatus.Suspended };
    await refused(send(feePayer, [instructions.setMeterStatus(suspend)]), 'NotAuthorized');
    await refused(
      send(feePayer, [instructions.releaseHeld({ authority, meterId: 'MTR-VICTIM', sequence: 1n })]),
      'NotAuthorized',
    );
    await refused(
      send(feePayer, [instructions.setRegistrar({ admin: authority, registrar: authority })]),
      'NotAdmin',
    );
    const payment = SystemProgram.transfer({ fromPubkey: authority, toPubkey: wallet, lamports: 1_000_000 });
    const before = await system.connection.getBalance(wallet, 'confirmed');
    await send(feePayer, [payment]);
    expect(await system.connection.getBalance(wallet, 'confirmed')).toBe(before + 1_000_000);
  });

  test('and the acknowledgement key are all that the collector’s process is given', () => {
    const { process: identity } = system.component('collector');
    const environ = readFileSync(`/proc/${identity?.pid}/environ`, 'utf8').split('\0');
    const files = environ
      .filter((entry) => entry.includes('/keys/'))
      .map((entry) => entry.replace(/^.*\/keys\//, ''));
    expect(files.sort()).toEqual(['collector-ack.json', 'fee-payer.json', 'operator-password']);
    const arguments_ = readFileSync(`/proc/${identity?.pid}/cmdline`, 'utf8');
    expect(arguments_).not.toContain('/keys/');
  });
});

describe('a meter’s key', () => {
  test('claims energy up to the rated power, for that meter’s owner alone, until it is rotated', async () => {
    const { wallet } = victim;
    const before = await walletBalance(system, wallet);
    const since = (await fetchMeter(system.connection, 'MTR-VICTIM'))?.lastEnd ?? 0;
    const stolen = victim.next('90', '0', 30);
    await send(thief, withReading(stolen, victim));
    const after = await fetchMeter(system.connection, 'MTR-VICTIM');
    const seconds = victim.last.intervalEnd - since;
    const allowed = (BigInt(RATED_WATTS) * BigInt(seconds) * 1_000_000_000n * 11n) / (3_600_000n * 10n);
    expect((await walletBalance(system, wallet)) - before).toBe(allowed);
    expect(after?.held).toBeGreaterThan(kwhToNkwh('89'));
    expect(await walletBalance(system, thief.publicKey.toBase58())).toBe(0n);

    // No other meter, and no more than the rated power the next time either.
    const forNeighbour = neighbour.body(
      { ...neighbour.last, sequence: 1n, intervalEnd: victim.last.intervalEnd },
      0n,
      victim.key,
    );
    await refused(send(thief, withReading(forNeighbour, neighbour)), 'KeyMismatch');
    const ahead = victim.next('1', '0', 100_000);
    await refused(send(thief, withReading(ahead, victim)), 'EndInFuture');

    // The owner and the registrar give the meter a new key.
    const fresh = Keypair.generate();
    await rotateMeterKey(system.connection, {
      payer: system.key('registrar'),
      owner: system.key('alice'),
      registrar: system.key('registrar'),
      meterId: 'MTR-VICTIM',
      publicKey: fresh.publicKey.toBytes(),
      consent: signMessage(fresh, await ownerMessageFor(system.connection, 'MTR-VICTIM', owner())),
    });
    const onChain = await fetchMeter(system.connection, 'MTR-VICTIM');
    const next = {
      ...victim.last,
      sequence: (onChain?.lastSequence ?? 0n) + 1n,
      intervalStart: onChain?.lastEnd ?? 0,
      intervalEnd: (onChain?.lastEnd ?? 0) + 1,
      producedTotal: onChain?.producedTotal ?? 0n,
      surplusTotal: onChain?.surplusTotal ?? 0n,
    };
    const withOldKey = victim.body(next, 0n);
    await refused(send(thief, withReading(withOldKey, victim)), 'KeyMismatch');
    // Until the collector has heard of the rotation it takes the old key for the meter's; such a reading mints nothing.
    await waitFor('the collector knows the new key', async () => {
      return (
        (await system.count(
          `SELECT count(*) FROM meters WHERE meter_id = 'MTR-VICTIM' AND public_key = '${fresh.publicKey.toBase58()}'`,
        )) === 1
      );
    });
    const late = await submit(system, withOldKey);
    expect([late.status, late.body.error?.code]).toEqual([403, 'KEY_MISMATCH']);
    await expect(connectTo(system, gatewayLogin(victim))).rejects.toThrow(/not authorized/i);
    // The old key is not accepted again, for this meter or another one.
    const consent = signMessage(victim.key, await ownerMessageFor(system.connection, 'MTR-AGAIN', owner()));
    await refused(
      registerMeter(system.connection, {
        payer: system.key('registrar'),
        owner: system.key('alice'),
        registrar: system.key('registrar'),
        meterId: 'MTR-AGAIN',
        publicKey: victim.key.publicKey.toBytes(),
        consent,
        ratedWatts: 1_000,
      }),
    );
    // The new one goes on where the counters stand.
    await send(thief, withReading(victim.body(next, 0n, fresh), victim));
    expect((await fetchMeter(system.connection, 'MTR-VICTIM'))?.lastSequence).toBe(next.sequence);
  });
});

describe('a gateway’s login', () => {
  test('cannot touch other meters’ topics, nor speak for the collector', async () => {
    for (const topic of [
      topicFor('MTR-NEIGHBOUR', 'reading').replace('NEIGHBOUR', 'VICTIM'),
      topicFor('MTR-VICTIM', 'status'),
      topicFor('MTR-VICTIM', 'telemetry'),
      topicFor('MTR-NEIGHBOUR', 'ack'),
      topicFor('MTR-NEIGHBOUR', 'command'),
      'gtx/v1/MTR-NEIGHBOUR/reading/more',
      '$SYS/broker',
      'other',
    ]) {
      const gateway = await waitFor('a login newer than the last', () =>
        TestGateway.login(system, neighbour),
      );
      const heard = await operatorHears(topic, async () => {
        gateway.client.publish(topic, 'forged', { qos: 1, retain: true });
        await waitFor(`it is cut off for ${topic}`, () => gateway.closed > 0);
      });
      expect(heard, topic).toEqual([]);
    }
    const gateway = await waitFor('a login newer than the last', () => TestGateway.login(system, neighbour));
    for (const filter of [
      '#',
      '+/v1/+/ack',
      'gtx/v1/+/ack',
      'gtx/v1/MTR-VICTIM/ack',
      'gtx/v1/MTR-VICTIM/command',
      'gtx/v1/MTR-NEIGHBOUR/reading',
      'gtx/v1/MTR-NEIGHBOUR/#',
      '$SYS/#',
      '$share/all/gtx/v1/+/reading',
    ]) {
      expect(await granted(gateway.client, filter), filter).toBe(false);
    }
    expect(await granted(gateway.client, 'gtx/v1/MTR-NEIGHBOUR/command')).toBe(true);
    await gateway.end();
  });

  test('needs the meter’s own fresh signature, once', async () => {
    const time = Math.floor(Date.now() / 1000);
    const login = (entries: unknown) => ({ username: 'MTR-NEIGHBOUR', password: JSON.stringify(entries) });
    for (const wrong of [
      {},
      { username: 'MTR-NEIGHBOUR' },
      { username: 'operator', password: 'password' },
      login([]),
      login('[]'),
      login([neighbour.login(time, thief)]),
      login([{ ...victim.login(time), meter_id: 'MTR-NEIGHBOUR' }]),
      login([neighbour.login(time - 3_600)]),
      login([neighbour.login(time + 3_600)]),
      { username: 'MTR-VICTIM', password: JSON.stringify([neighbour.login(time)]) },
    ]) {
      await expect(connectTo(system, wrong), JSON.stringify(wrong)).rejects.toThrow(/not authorized/i);
    }
    const used = await waitFor('a login newer than the last', async () => {
      const fresh = gatewayLogin(neighbour);
      const client = await connectTo(system, fresh);
      await client.endAsync(true);
      return fresh;
    });
    await expect(connectTo(system, used)).rejects.toThrow(/not authorized/i);
  });
});

describe('the operator’s login', () => {
  test('reads everything and publishes nothing', async () => {
    const login = operatorLogin();
    for (const topic of [
      'gtx/v1/MTR-VICTIM/reading',
      'gtx/v1/MTR-VICTIM/ack',
      'gtx/v1/MTR-DEMO-001/command',
      'other',
    ]) {
      const client = await connectTo(system, login);
      let closed = false;
      client.on('close', () => {
        closed = true;
      });
      const heard = await operatorHears(topic, async () => {
        client.publish(topic, '{}', { qos: 1, retain: true });
        await waitFor(`it is cut off for ${topic}`, () => closed);
      });
      expect(heard, topic).toEqual([]);
    }
    const kinds = new Set<string>();
    const reader = await connectTo(system, login);
    reader.on('message', (topic) => kinds.add(topic.split('/').at(-1) ?? ''));
    await reader.subscribeAsync('gtx/v1/#', { qos: 1 });
    await waitFor('it hears of all kinds', () =>
      ['reading', 'ack', 'telemetry', 'status'].every((kind) => kinds.has(kind)),
    );
    await reader.endAsync(true);
    await expect(connectTo(system, { ...login, password: `${login.password}x` })).rejects.toThrow(
      /not authorized/i,
    );

    // Over HTTP it reads too; without it there is nothing to read.
    const url = new URL('/api/status', system.url('collector', 'http'));
    expect((await ask(url)).status).toBe(401);
    const basic = Buffer.from(`${login.username}:${login.password}`).toString('base64');
    expect((await ask(url, { headers: { authorization: `Basic ${basic}` } })).status).toBe(200);
  });
});

describe('the owner’s wallet', () => {
  test('spends the owner’s tokens and makes no energy', async () => {
    const wallet = system.key('alice');
    const before = await walletBalance(system, wallet.publicKey.toBase58());
    expect(before).toBeGreaterThan(3_000n);
    await send(thief, [tokenTransfer(wallet.publicKey, thief.publicKey, 1_000n)], [wallet]);
    await send(thief, [instructions.burn({ owner: wallet.publicKey, amountNkwh: 1_000n })], [wallet]);
    const retire = { owner: wallet.publicKey, meterId: 'MTR-VICTIM', amountNkwh: 1_000n };
    await send(thief, [instructions.retire(retire)], [wallet]);
    expect(await walletBalance(system, wallet.publicKey.toBase58())).toBe(before - 3_000n);
    expect(await walletBalance(system, thief.publicKey.toBase58())).toBe(1_000n);

    const destination = gridTokenAccount(wallet.publicKey);
    await refused(send(thief, [tokenMintTo(destination, wallet.publicKey)], [wallet]));
    const mint = {
      mintAuthority: wallet.publicKey,
      meter: meterAddress('MTR-VICTIM'),
      destination,
      amountNkwh: 1n,
    };
    await refused(send(thief, [instructions.mintFromProduction(mint)], [wallet]), 'NotRegistry');
    const signedByOwner = neighbour.body(
      { ...neighbour.last, sequence: 1n, intervalEnd: neighbour.last.intervalEnd + 1 },
      0n,
      wallet,
    );
    await refused(send(thief, withReading(signedByOwner, neighbour)), 'KeyMismatch');
    // What is held of its meter it cannot release, and a meter of its own invention needs the registrar.
    const release = { authority: wallet.publicKey, meterId: 'MTR-VICTIM', sequence: 2n };
    await refused(send(thief, [instructions.releaseHeld(release)], [wallet]), 'NotAuthorized');
    const invented = Keypair.generate();
    const consent = signMessage(
      invented,
      await ownerMessageFor(system.connection, 'MTR-INVENTED', wallet.publicKey),
    );
    await refused(
      registerMeter(system.connection, {
        payer: thief,
        owner: wallet,
        registrar: thief,
        meterId: 'MTR-INVENTED',
        publicKey: invented.publicKey.toBytes(),
        consent,
        ratedWatts: 1_000,
      }),
      'NotRegistrar',
    );
  });
});

describe('the registrar’s and the guardian’s keys', () => {
  test('the registrar can invent a meter, in the open; the guardian stops it, the admin revokes it', async () => {
    const { connection } = system;
    const registrar = system.key('registrar');
    const guardian = system.key('guardian');
    const admin = system.key('upgrade-authority');
    const invented = Keypair.generate();
    await registerUser(connection, { payer: thief, wallet: thief });
    await verifyUser(connection, { payer: thief, registrar, wallet: thief.publicKey, verified: true });
    const register = async (meterId: string, more: { ratedWatts?: number; owner?: Keypair } = {}) => {
      const { ratedWatts = 10_000, owner: who = thief } = more;
      return await registerMeter(connection, {
        payer: thief,
        owner: who,
        registrar,
        meterId,
        publicKey: invented.publicKey.toBytes(),
        consent: signMessage(invented, await ownerMessageFor(connection, meterId, who.publicKey)),
        ratedWatts,
      });
    };
    const { maxRatedWatts } = (await fetchConfig(connection)) ?? { maxRatedWatts: 0 };
    await refused(register('MTR-HUGE', { ratedWatts: maxRatedWatts + 1 }), 'RatedPowerInvalid');
    await register('MTR-GHOST');
    const start = (await fetchMeter(connection, 'MTR-GHOST'))?.lastEnd ?? 0;
    const ghost = (sequence: bigint) => {
      const reading = {
        ...victim.last,
        sequence,
        intervalStart: start,
        intervalEnd: start + Number(sequence),
        producedTotal: 1_000n * sequence,
        consumedTotal: 0n,
        surplusTotal: 1_000n * sequence,
      };
      const message = encodeReading(reading);
      return [
        ed25519Instruction([
          { publicKey: invented.publicKey.toBytes(), message, signature: signMessage(invented, message) },
        ]),
        instructions.submitAndMint({ meters: [{ meterId: 'MTR-GHOST', owner: thief.publicKey }] }),
      ];
    };
    const before = await walletBalance(system, thief.publicKey.toBase58());
    await send(thief, ghost(1n));
    expect(await walletBalance(system, thief.publicKey.toBase58())).toBe(before + 1_000n);
    // Everybody sees the meter, and who has attested it.
    await waitFor('the collector has the event', async () => {
      return (
        (await system.count(
          `SELECT count(*) FROM chain_events WHERE name = 'MeterRegistered' AND data->>'meterId' = 'MTR-GHOST'
             OR name = 'MeterRegistered' AND data->>'meter_id' = 'MTR-GHOST'`,
        )) === 1
      );
    });

    // Others' consent it cannot replace.
    const forOthers = instructions.registerMeter({
      payer: thief.publicKey,
      owner: owner(),
      registrar: registrar.publicKey,
      meterId: 'MTR-FOIST',
      publicKey: invented.publicKey.toBytes(),
      ratedWatts: 1_000,
    });
    await refused(send(thief, [unsigned(forOthers, thief.publicKey, registrar.publicKey)], [registrar]));
    await refused(
      send(
        thief,
        [instructions.setRegistrar({ admin: registrar.publicKey, registrar: thief.publicKey })],
        [registrar],
      ),
      'NotAdmin',
    );

    // The guardian can stop, and cannot start again.
    const stop = { authority: guardian.publicKey, meterId: 'MTR-GHOST', status: MeterStatus.Suspended };
    await send(thief, [instructions.setMeterStatus(stop)], [guardian]);
    await refused(send(thief, ghost(2n)), 'MeterSuspended');
    await refused(
      send(thief, [instructions.setMeterStatus({ ...stop, status: MeterStatus.Active })], [guardian]),
      'NotAuthorized',
    );
    await send(thief, [instructions.setPaused({ authority: guardian.publicKey, paused: true })], [guardian]);
    await refused(send(thief, ghost(2n)), 'Paused');
    await refused(
      send(thief, [instructions.setPaused({ authority: guardian.publicKey, paused: false })], [guardian]),
    );
    const release = { authority: guardian.publicKey, meterId: 'MTR-VICTIM', sequence: 2n };
    await refused(send(thief, [instructions.releaseHeld(release)], [guardian]));
    const attest = { registrar: guardian.publicKey, wallet: thief.publicKey, verified: true };
    await refused(send(thief, [instructions.verifyUser(attest)], [guardian]), 'NotRegistrar');

    // The admin can do everything: it takes the registrar's power away and lets the others go on.
    await send(
      thief,
      [instructions.setRegistrar({ admin: admin.publicKey, registrar: guardian.publicKey })],
      [admin],
    );
    await send(thief, [instructions.setPaused({ authority: admin.publicKey, paused: false })], [admin]);
    await refused(register('MTR-GHOST-2'), 'NotRegistrar');
    await refused(
      send(
        thief,
        [
          instructions.setMeterStatus({
            ...stop,
            authority: registrar.publicKey,
            status: MeterStatus.Active,
          }),
        ],
        [registrar],
      ),
      'NotAuthorized',
    );
    await send(
      thief,
      [instructions.setRegistrar({ admin: admin.publicKey, registrar: registrar.publicKey })],
      [admin],
    );
    // Others' tokens are out of reach for all of them.
    for (const signer of [registrar, guardian, admin]) {
      await refused(send(thief, [tokenTransfer(owner(), thief.publicKey, 1n, signer.publicKey)], [signer]));
    }
  });
});

describe('the collector’s acknowledgement key', () => {
  test('delays readings and loses none', async () => {
    const broker = new BrokerProcess();
    await broker.start();
    const home = await Home.create(system, { meterId: 'MTR-DELAYED', mqttUrl: broker.url });
    const client = await mqtt.connectAsync(broker.url);
    try {
      const ackKey = system.key('collector-ack');
      const say = async (kind: 'ack' | 'command', payload: object, key = ackKey): Promise<void> => {
        const topic = topicFor('MTR-DELAYED', kind);
        const text = JSON.stringify(payload);
        const signature = encodeBase58(signMessage(key, encodeEnvelopeMessage(topic, text)));
        const envelope = { payload: text, public_key: key.publicKey.toBase58(), signature };
        await client.publishAsync(topic, JSON.stringify(envelope), { qos: 1 });
      };
      const ack = (through: number) => ({
        meter_id: 'MTR-DELAYED',
        time: Math.floor(Date.now() / 1000),
        through: String(through),
        stored: [],
        refused: [],
        held: [],
      });
      const published = new Map<string, string[]>();
      client.on('message', (_topic, payload) => {
        const body = JSON.parse(payload.toString()) as SubmitReading;
        const { sequence } = body.reading;
        published.set(sequence, [...(published.get(sequence) ?? []), body.meter_signature]);
      });
      await client.subscribeAsync(topicFor('MTR-DELAYED', 'reading'), { qos: 1 });

      let agent = await home.startAgent();
      const base = await home.base();
      await home.setPower(60_000);
      await waitFor('three readings are sent', () => published.has('3'));
      const outbox = async () => (await home.status()).meters[0].outbox;

      // A stranger's key, and more than was sent: refused, with an alert.
      await say('ack', ack(3), thief);
      await waitFor('the forgery is told', async () => (await home.alerts()).includes('ACK_INVALID'));
      await say('ack', ack(1_000_000));
      expect((await outbox()).stored, agent.log).toBe(0);
      // The stolen key: believed.
      await say('ack', ack(3));
      await waitFor('the gateway believes it', async () => (await outbox()).stored === 3);
      expect((await storedOf(system, 'MTR-DELAYED')).count).toBe(0);

      // They are still there: a command brings the same bytes again.
      const before = published.get('1')?.length ?? 0;
      const resend: Command = {
        id: 'resend-1',
        time: Math.floor(Date.now() / 1000),
        type: 'resend',
        from_sequence: '1',
      };
      await say('command', resend);
      await waitFor('the first reading comes again', () => (published.get('1')?.length ?? 0) > before);
      for (const signatures of published.values()) expect(new Set(signatures).size).toBe(1);

      // And with the true collector back, the next reading carries all the energy, resent or not.
      await say('ack', ack(3));
      await waitFor('the gateway believes it again', async () => (await outbox()).stored >= 3);
      expect(await agent.stop()).toBe(0);
      home.configure({
        mqtt: { url: system.url('collector', 'mqtt'), status_seconds: 1, telemetry_seconds: 1 },
      });
      agent = await home.startAgent();
      const total = await expectNothingLost(system, home, base);
      await waitFor(
        'all is minted',
        async () => (await booksOf(system, 'MTR-DELAYED')).chain.minted === total,
      );
    } finally {
      await client.endAsync(true);
      await home.stop();
      await broker.kill();
    }
  });
});

test('after all of it the books agree', async () => {
  const { supply, totalMinted } = await supplyOf(system);
  expect(totalMinted).toBeGreaterThanOrEqual(supply);
  expect(await system.connection.getBalance(system.key('fee-payer').publicKey)).toBeGreaterThan(
    LAMPORTS_PER_SOL / 100,
  );
  expect(system.component('collector').restarts).toBe(0);
  await system.auditPasses();
});

// --- instructions of the token program, byte by byte: what any client could send

function tokenInstruction(data: Buffer, keys: [PublicKey, 'w' | 's'][]): TransactionInstruction {
  return new TransactionInstruction({
    programId: GRID_TOKEN_PROGRAM_ID,
    data,
    keys: keys.map(([pubkey, kind]) => ({ pubkey, isSigner: kind === 's', isWritable: kind === 'w' })),
  });
}

function amount(tag: number, value: bigint): Buffer {
  const data = Buffer.alloc(9, tag);
  data.writeBigUInt64LE(value, 1);
  return data;
}

/** MintTo (7). */
const tokenMintTo = (destination: PublicKey, authority: PublicKey) =>
  tokenInstruction(amount(7, 1n), [
    [gridMintAddress(), 'w'],
    [destination, 'w'],
    [authority, 's'],
  ]);

/** SetAuthority (6) of the mint's MintTokens (0) authority. */
const tokenSetMintAuthority = (authority: PublicKey) =>
  tokenInstruction(Buffer.from([6, 0, 1, ...authority.toBytes()]), [
    [gridMintAddress(), 'w'],
    [authority, 's'],
  ]);

/** Transfer (3). */
const tokenTransfer = (from: PublicKey, to: PublicKey, value: bigint, authority = from) =>
  tokenInstruction(amount(3, value), [
    [gridTokenAccount(from), 'w'],
    [gridTokenAccount(to), 'w'],
    [authority, 's'],
  ]);

/** Where the first instruction of a list lands: the client puts the compute limit before it. */
const FIRST_INSTRUCTION = 1;

/** Lets fields of an Ed25519 instruction with one signature point into the first instruction of its list. */
function pointElsewhere(
  instruction: TransactionInstruction,
  fields: readonly ('signature' | 'key' | 'message')[],
): TransactionInstruction {
  const data = Buffer.from(instruction.data);
  // Header of 2 bytes, then u16: signature offset, instruction, key offset, instruction, message offset, size, instruction.
  const position = { signature: 4, key: 8, message: 14 };
  for (const field of fields) data.writeUInt16LE(FIRST_INSTRUCTION, position[field]);
  return new TransactionInstruction({ programId: ED25519_PROGRAM_ID, keys: [], data });
}

// --- the broker

const operatorLogin = () => ({
  username: 'operator',
  password: readFileSync(join(system.dataDir, 'keys', 'operator-password'), 'utf8').trim(),
});

/** What an operator hears on a topic while `act` runs, from its beginning (retained messages included). */
async function operatorHears(topic: string, act: () => Promise<void>): Promise<string[]> {
  const heard: string[] = [];
  const client = await connectTo(system, operatorLogin());
  client.on('message', (on, payload) => {
    const text = payload.toString();
    if (on === topic && (text === 'forged' || text === '{}')) heard.push(text);
  });
  if (topic.startsWith('gtx/')) await client.subscribeAsync(topic, { qos: 1 });
  await act();
  // A message that had passed would have been handed on before the answer to this.
  await client.subscribeAsync('gtx/v1/+/status', { qos: 1 });
  await client.endAsync(true);
  return heard;
}

async function granted(client: mqtt.MqttClient, filter: string): Promise<boolean> {
  try {
    const grants = await client.subscribeAsync(filter, { qos: 1 });
    return grants.length > 0 && grants.every(({ qos }) => qos < 128);
  } catch {
    // Some versions of the client report a refused filter as an error.
    return false;
  }
}
