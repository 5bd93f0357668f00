import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { pda, REGISTRY, refusesWrongAccounts, TOKEN, World } from './support.js';

/** Before anything: energy-token and registry deployed, nobody has initialised them. */
const bare = () => new World({ bare: true });

describe('registry initialize', () => {
  it('sets up the roles and limits, with the upgrade authority as admin', () => {
    const world = bare();
    const result = world.must(
      [world.initializeRegistry({ policy: 1, maxRatedWatts: 22_000 })],
      [world.upgradeAuthority],
    );
    const config = world.config();
    expect(config.admin).toEqual(world.upgradeAuthority.publicKey);
    expect(config.pending_admin).toEqual(PublicKey.default);
    expect(config.registrar).toEqual(world.registrar.publicKey);
    expect(config.guardian).toEqual(world.guardian.publicKey);
    expect(Uint8Array.from(config.network)).toEqual(world.network);
    expect([config.policy, config.paused, config.max_rated_watts]).toEqual([1, 0, 22_000]);
    expect(result.events.map(({ name }) => name)).toEqual(['ConfigChanged']);
    expect(result.events[0]?.data).toMatchObject({ policy: 1, paused: false, max_rated_watts: 22_000 });
  });

  it('refuses whoever comes first without being the upgrade authority', () => {
    const world = bare();
    const firstComer = Keypair.generate();
    world.fund(firstComer.publicKey);
    world.refused(
      'NotUpgradeAuthority',
      [world.initializeRegistry({}, { authority: firstComer.publicKey })],
      [firstComer],
    );
  });

  it("refuses another program's program data, where the first-comer is the authority", () => {
    const world = bare();
    const firstComer = Keypair.generate();
    world.fund(firstComer.publicKey);
    const other = Keypair.generate().publicKey;
    world.deploy(other, 'energy_token', firstComer.publicKey);
    world.refused(
      'WrongProgramData',
      [
        world.initializeRegistry(
          {},
          { authority: firstComer.publicKey, program_data: pda.programData(other) },
        ),
      ],
      [firstComer],
    );
  });

  it('refuses a program without an upgrade authority', () => {
    const world = bare();
    const data = world.dataOf(pda.programData(REGISTRY));
    data[12] = 0;
    world.setAccount(
      pda.programData(REGISTRY),
      world.account(pda.programData(REGISTRY))?.owner as PublicKey,
      data,
    );
    world.refused('NotUpgradeAuthority', [world.initializeRegistry()], [world.upgradeAuthority]);
  });

  it('refuses to run twice', () => {
    const world = new World();
    world.refused('AlreadyInitialized', [world.initializeRegistry({ policy: 1 })], [world.upgradeAuthority]);
  });

  it('initialises an address to which somebody sent lamports before', () => {
    const world = bare();
    world.fund(pda.config);
    world.must([world.initializeRegistry()], [world.upgradeAuthority]);
    expect(world.config().admin).toEqual(world.upgradeAuthority.publicKey);
  });

  it('refuses an unknown policy, a limit of zero and zero authorities', () => {
    const world = bare();
    const refused = (error: string, options: Parameters<World['initializeRegistry']>[0]) =>
      world.refused(error, [world.initializeRegistry(options)], [world.upgradeAuthority]);
    refused('PolicyInvalid', { policy: 2 });
    refused('LimitInvalid', { maxRatedWatts: 0 });
    refused('AuthorityInvalid', { registrar: PublicKey.default });
    refused('AuthorityInvalid', { guardian: PublicKey.default });
  });

  it('refuses wrong accounts', () => {
    const world = bare();
    refusesWrongAccounts(
      world,
      'registry',
      'initialize',
      [world.initializeRegistry()],
      [world.upgradeAuthority],
      {
        authority: {
          other: 'NotUpgradeAuthority',
          unsigned: 'MissingRequiredSignature',
          readonly: 'MissingRequiredSignature',
        },
        config: { other: 'WrongConfig', readonly: 'ConstraintMut' },
        program_data: { other: 'WrongProgramData', copy: 'WrongProgramData' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});

describe('energy-token initialize', () => {
  it('makes a mint of nine decimals whose authority is a program-derived address and which nobody can freeze', () => {
    const world = bare();
    world.must([world.initializeToken()], [world.upgradeAuthority]);
    const mint = world.mint();
    expect(mint.decimals).toBe(9);
    expect(mint.supply).toBe(0n);
    expect(mint.mintAuthority).toEqual(pda.tokenConfig);
    expect([mint.mintAuthorityOption, mint.freezeAuthorityOption]).toEqual([1, 0]);
    const config = world.tokenConfig();
    expect(config).toEqual({ minted: 0n, burned: 0n, retired: 0n });
  });

  it('refuses whoever comes first without being the upgrade authority', () => {
    const world = bare();
    const firstComer = Keypair.generate();
    world.fund(firstComer.publicKey);
    world.refused(
      'NotUpgradeAuthority',
      [world.initializeToken({ authority: firstComer.publicKey })],
      [firstComer],
    );
    world.refused(
      'WrongProgramData',
      [world.initializeToken({ authority: firstComer.publicKey, program_data: pda.programData(REGISTRY) })],
      [firstComer],
    );
  });

  it('refuses to run twice', () => {
    const world = new World();
    world.refused('AlreadyInitialized', [world.initializeToken()], [world.upgradeAuthority]);
  });

  it('initialises addresses to which somebody sent lamports before', () => {
    const world = bare();
    world.fund(pda.tokenConfig);
    world.fund(pda.mint);
    world.must([world.initializeToken()], [world.upgradeAuthority]);
    expect(world.mint().mintAuthority).toEqual(pda.tokenConfig);
  });

  it('refuses wrong accounts', () => {
    const world = bare();
    refusesWrongAccounts(world, 'token', 'initialize', [world.initializeToken()], [world.upgradeAuthority], {
      authority: {
        other: 'NotUpgradeAuthority',
        unsigned: 'MissingRequiredSignature',
        readonly: 'MissingRequiredSignature',
      },
      config: { other: 'WrongConfig', readonly: 'ConstraintMut' },
      mint: { other: 'WrongMint', readonly: 'ConstraintMut' },
      program_data: { other: 'WrongProgramData', copy: 'WrongProgramData' },
      token_program: { other: 'ConstraintExecutable' },
      system_program: { other: 'ConstraintExecutable' },
    });
    expect(world.account(pda.programData(TOKEN))).toBeDefined();
  });
});
