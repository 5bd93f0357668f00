import { describe, expect, it } from 'vitest';
import { GOV, GovernanceWorld, govPda } from './governance.js';
import { refusesWrongAccounts } from './support.js';

/** A wallet that has taken everything back. */
function emptied(world: GovernanceWorld) {
  const wallet = world.holder(10n * GOV);
  world.must([world.withdrawGov(wallet.publicKey, 10n * GOV)], [wallet]);
  return wallet;
}

describe("governance's close_voter", () => {
  it('returns the rent, and the wallet can begin again', () => {
    const world = new GovernanceWorld();
    const wallet = world.holder(10n * GOV, 0n);
    const sponsor = world.key();
    world.fund(sponsor.publicKey);
    const before = world.lamports(sponsor.publicKey);
    const payer = { payer: sponsor.publicKey };
    world.must([world.depositGov(wallet.publicKey, GOV, payer)], [wallet, sponsor]);
    world.must([world.withdrawGov(wallet.publicKey, GOV)], [wallet]);
    const result = world.must(
      [world.closeVoter(wallet.publicKey, { rent_payer: sponsor.publicKey })],
      [wallet],
    );
    expect(world.lamports(sponsor.publicKey)).toBe(before);
    expect(world.account(govPda.voter(wallet.publicKey))).toBeUndefined();
    expect(world.event(result, 'VoterClosed')).toEqual({
      wallet: wallet.publicKey.toBase58(),
      timestamp: BigInt(world.now()),
    });
    world.refused('NotDeposited', [world.closeVoter(wallet.publicKey)], [wallet]);
    world.must([world.depositGov(wallet.publicKey, GOV)], [wallet]);
    expect(world.voter(wallet.publicKey)).toMatchObject({ deposited: GOV, rentPayer: world.payer.publicKey });
  });

  it('refuses while something is deposited', () => {
    const world = new GovernanceWorld();
    const wallet = world.holder(10n * GOV);
    world.refused('DepositLeft', [world.closeVoter(wallet.publicKey)], [wallet]);
    world.must([world.withdrawGov(wallet.publicKey, 10n * GOV - 1n)], [wallet]);
    world.refused('DepositLeft', [world.closeVoter(wallet.publicKey)], [wallet]);
  });

  it('does not let an account that is closed be filled again in the same transaction', () => {
    const world = new GovernanceWorld();
    const wallet = emptied(world);
    // Made anew, with the wallet's own deposit and nothing else.
    world.must([world.closeVoter(wallet.publicKey), world.depositGov(wallet.publicKey, 3n)], [wallet]);
    expect(world.voter(wallet.publicKey)).toMatchObject({ deposited: 3n, locks: 0 });
    expect(world.balance(govPda.vault)).toBe(3n);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const wallet = emptied(world);
    const other = emptied(world);
    world.refused(
      'WrongVoter',
      [world.closeVoter(wallet.publicKey, { voter: govPda.voter(other.publicKey) })],
      [wallet],
    );
    refusesWrongAccounts(world, 'governance', 'close_voter', [world.closeVoter(wallet.publicKey)], [wallet], {
      wallet: { other: 'WrongVoter', unsigned: 'MissingRequiredSignature' },
      voter: { other: 'NotDeposited', copy: 'NotDeposited', readonly: 'ConstraintMut' },
      rent_payer: { other: 'WrongRentPayer', readonly: 'ConstraintMut' },
    });
  });
});
