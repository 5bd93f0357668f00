import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { CONFIG_BYTES, ORACLE, OracleWorld, oraclePda } from './oracle.js';
import { pda, refusesWrongAccounts, UPGRADEABLE_LOADER } from './support.js';

const bare = () => new OracleWorld({ noOracle: true });

describe('oracle initialize', () => {
  it('makes the upgrade authority the authority', () => {
    const world = bare();
    const result = world.must([world.initializeOracle()], [world.upgradeAuthority]);
    expect(world.oracleConfig()).toMatchObject({
      authority: world.upgradeAuthority.publicKey,
      pending_authority: PublicKey.default,
      guardian: world.oracleGuardian.publicKey,
      feeds: 0,
    });
    expect(world.event(result, 'OracleChanged')).toEqual({
      authority: world.upgradeAuthority.publicKey.toBase58(),
      pending_authority: PublicKey.default.toBase58(),
      guardian: world.oracleGuardian.publicKey.toBase58(),
      feeds: 0,
      timestamp: BigInt(world.now()),
    });
  });

  it('takes exactly the rent from the authority', () => {
    const world = bare();
    const before = world.lamports(world.upgradeAuthority.publicKey);
    world.must([world.initializeOracle()], [world.upgradeAuthority]);
    expect(world.dataOf(oraclePda.config)).toHaveLength(CONFIG_BYTES);
    expect(world.lamports(oraclePda.config)).toBe(world.rent(CONFIG_BYTES));
    expect(before - world.lamports(world.upgradeAuthority.publicKey)).toBe(world.rent(CONFIG_BYTES));
  });

  it('refuses whoever comes first without being the upgrade authority', () => {
    const world = bare();
    const firstComer = Keypair.generate();
    world.fund(firstComer.publicKey);
    world.refused(
      'NotUpgradeAuthority',
      [world.initializeOracle({}, { authority: firstComer.publicKey })],
      [firstComer],
    );
  });

  it("refuses another program's program data, and a program without an upgrade authority", () => {
    const world = bare();
    const firstComer = Keypair.generate();
    world.fund(firstComer.publicKey);
    const other = Keypair.generate().publicKey;
    world.deploy(other, 'oracle', firstComer.publicKey);
    world.refused(
      'WrongProgramData',
      [world.initializeOracle({}, { authority: firstComer.publicKey, program_data: pda.programData(other) })],
      [firstComer],
    );
    const data = world.dataOf(pda.programData(ORACLE));
    data[12] = 0;
    world.setAccount(pda.programData(ORACLE), UPGRADEABLE_LOADER, data);
    world.refused('NotUpgradeAuthority', [world.initializeOracle()], [world.upgradeAuthority]);
  });

  it('refuses to run twice', () => {
    const world = new OracleWorld();
    world.refused('AlreadyInitialized', [world.initializeOracle()], [world.upgradeAuthority]);
  });

  it('refuses the zero address as guardian', () => {
    const world = bare();
    world.refused(
      'AuthorityInvalid',
      [world.initializeOracle({ guardian: PublicKey.default })],
      [world.upgradeAuthority],
    );
  });

  it('initialises an address to which somebody sent lamports before', () => {
    const world = bare();
    world.fund(oraclePda.config);
    world.must([world.initializeOracle()], [world.upgradeAuthority]);
    expect(world.account(oraclePda.config)?.owner).toEqual(ORACLE);
  });

  it('refuses wrong accounts', () => {
    const world = bare();
    refusesWrongAccounts(
      world,
      'oracle',
      'initialize',
      [world.initializeOracle()],
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
