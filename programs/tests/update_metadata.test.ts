import {
  ExtensionType,
  getExtensionData,
  getExtensionTypes,
  getMetadataPointerState,
  unpackMint,
} from '@solana/spl-token';
import { Keypair, PublicKey, SystemProgram } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts, TOKEN_2022_PROGRAM_ID, World } from './support.js';

/** spl-token-metadata-interface's TokenMetadata, in Borsh. */
function unpack(data: Buffer) {
  let at = 64;
  const count = () => {
    at += 4;
    return data.readUInt32LE(at - 4);
  };
  const text = () => {
    const length = count();
    at += length;
    return data.subarray(at - length, at).toString('utf8');
  };
  const [name, symbol, uri] = [text(), text(), text()];
  const additionalMetadata = Array.from({ length: count() }, () => [text(), text()]);
  expect(at).toBe(data.length);
  const [updateAuthority, mint] = [0, 32].map((start) => new PublicKey(data.subarray(start, start + 32)));
  return { updateAuthority, mint, name, symbol, uri, additionalMetadata };
}

/** The mint as a wallet's library reads it. */
function minted(world: World) {
  const account = world.account(pda.mint);
  if (!account) throw new Error('no mint');
  const mint = unpackMint(
    pda.mint,
    { ...account, lamports: Number(account.lamports), executable: false },
    TOKEN_2022_PROGRAM_ID,
  );
  const metadata = getExtensionData(ExtensionType.TokenMetadata, mint.tlvData);
  return { account, mint, metadata: unpack(metadata ?? Buffer.alloc(0)) };
}

const rent = (world: World, bytes: number): bigint => world.svm.minimumBalanceForRentExemption(BigInt(bytes));

describe('the GRID mint', () => {
  it('carries its own name, symbol, decimals and unit, and nothing that could hurt a holder', () => {
    const world = new World();
    const { account, mint, metadata } = minted(world);
    expect(mint).toMatchObject({ decimals: 9, supply: 0n, freezeAuthority: null, isInitialized: true });
    expect(mint.mintAuthority).toEqual(pda.tokenConfig);
    expect(getExtensionTypes(mint.tlvData)).toEqual([
      ExtensionType.MetadataPointer,
      ExtensionType.TokenMetadata,
    ]);
    // Nobody can point wallets elsewhere.
    expect(getMetadataPointerState(mint)).toEqual({ authority: null, metadataAddress: pda.mint });
    expect(metadata).toMatchObject({
      updateAuthority: pda.tokenConfig,
      mint: pda.mint,
      name: 'GRID',
      symbol: 'GRID',
      uri: '',
      additionalMetadata: [['unit', '1 kWh']],
    });
    expect(account.data).toHaveLength(343);
    expect(account.lamports).toBe(rent(world, 343));
  });

  it('takes no more than its rent from who initialises it, and uses lamports that lay there', () => {
    const world = new World({ bare: true });
    world.fund(pda.mint);
    const before = world.account(world.upgradeAuthority.publicKey)?.lamports ?? 0n;
    const there = world.account(pda.mint)?.lamports ?? 0n;
    world.must([world.initializeToken()], [world.upgradeAuthority]);
    expect(world.account(pda.mint)?.lamports).toBe(there);
    const spent = before - (world.account(world.upgradeAuthority.publicKey)?.lamports ?? 0n);
    expect(spent).toBe(rent(world, 8 + 24 + 8 + 64));
  });
});

describe('update_metadata', () => {
  const long = `https://example.org/${'x'.repeat(180)}`;
  const pay = (world: World, bytes: number) =>
    SystemProgram.transfer({
      fromPubkey: world.payer.publicKey,
      toPubkey: pda.mint,
      lamports: rent(world, bytes),
    });

  it('sets where wallets find more, and takes it back', () => {
    const world = new World();
    const uri = 'https://example.org/grid.json';
    const result = world.must([pay(world, uri.length), world.updateMetadata(uri)], [world.upgradeAuthority]);
    expect(result.events[0]).toMatchObject({
      name: 'MetadataUpdated',
      data: { uri, mint: pda.mint, authority: world.upgradeAuthority.publicKey },
    });
    expect(minted(world).metadata).toMatchObject({ name: 'GRID', symbol: 'GRID', uri });
    // Shorter needs no rent.
    world.must([world.updateMetadata('')], [world.upgradeAuthority]);
    expect(minted(world).metadata).toMatchObject({ uri: '', additionalMetadata: [['unit', '1 kWh']] });
  });

  it('goes on minting afterwards', () => {
    const world = new World();
    world.must([pay(world, long.length), world.updateMetadata(long)], [world.upgradeAuthority]);
    const meter = world.newMeter();
    world.must(world.batch([meter], { made: 1_000n, used: 0n }));
    expect(world.supply()).toBe(1_000n);
    expect(minted(world).metadata.uri).toBe(long);
  });

  it('says when the rent for it is missing', () => {
    const world = new World();
    world.refused('RentMissing', [world.updateMetadata('x')], [world.upgradeAuthority]);
    const missing = rent(world, 344) - rent(world, 343);
    const give = (lamports: bigint) =>
      SystemProgram.transfer({ fromPubkey: world.payer.publicKey, toPubkey: pda.mint, lamports });
    world.refused('RentMissing', [give(missing - 1n), world.updateMetadata('x')], [world.upgradeAuthority]);
    world.must([give(missing), world.updateMetadata('x')], [world.upgradeAuthority]);
  });

  it('refuses what is no URI', () => {
    const world = new World();
    expect(long).toHaveLength(200);
    for (const uri of [`${long}x`, 'a b', 'a\n', 'ü', '\u0000', '\u007f']) {
      world.refused(
        'UriInvalid',
        [pay(world, uri.length), world.updateMetadata(uri)],
        [world.upgradeAuthority],
      );
    }
  });

  it('is for the registry’s admin, whoever that is now', () => {
    const world = new World();
    const next = Keypair.generate();
    world.fund(next.publicKey);
    world.refused('NotAdmin', [world.updateMetadata('', next.publicKey)], [next]);
    world.refused('NotAdmin', [world.updateMetadata('', world.registrar.publicKey)], [world.registrar]);
    world.must(
      [world.admin('propose_admin', { new_admin: next.publicKey }), world.acceptAdmin(next.publicKey)],
      [world.upgradeAuthority, next],
    );
    world.must([world.updateMetadata('', next.publicKey)], [next]);
    world.refused('NotAdmin', [world.updateMetadata('')], [world.upgradeAuthority]);
  });

  it('refuses wrong accounts', () => {
    const world = new World();
    const { upgradeAuthority } = world;
    refusesWrongAccounts(world, 'token', 'update_metadata', [world.updateMetadata('')], [upgradeAuthority], {
      admin: { other: 'NotAdmin', unsigned: 'MissingRequiredSignature' },
      registry_config: {
        other: 'WrongRegistryConfig',
        copy: 'WrongRegistryConfig',
        twin: 'WrongRegistryConfig',
      },
      config: { other: 'WrongConfig', copy: 'WrongConfig', twin: 'WrongConfig' },
      mint: { other: 'WrongMint', copy: 'WrongMint', readonly: 'ConstraintMut' },
      token_program: { other: 'ConstraintExecutable' },
    });
  });
});
