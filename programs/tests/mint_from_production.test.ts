import { createMintToInstruction } from '@solana/spl-token';
import { Keypair, type PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { bn, call, pda, TOKEN_2022_PROGRAM_ID, World } from './support.js';

function directMint(meter: PublicKey, destination: PublicKey, accounts: Record<string, PublicKey> = {}) {
  return call(
    'token',
    'mint_from_production',
    { meter, amount: bn(1_000n) },
    {
      mint_authority: pda.mintAuthority,
      config: pda.tokenConfig,
      mint: pda.mint,
      destination,
      token_program: TOKEN_2022_PROGRAM_ID,
      ...accounts,
    },
  );
}

describe('mint_from_production', () => {
  it("cannot be called without the registry's program-derived signature", () => {
    const world = new World();
    const meter = world.newMeter();
    const instruction = directMint(meter.address, pda.tokenAccount(meter.owner.publicKey));
    for (const key of instruction.keys) if (key.pubkey.equals(pda.mintAuthority)) key.isSigner = false;
    world.refused('MissingRequiredSignature', [instruction]);
  });

  it('refuses every other signer: admin, registrar, collector, owner, stranger', () => {
    const world = new World();
    const meter = world.newMeter();
    const destination = pda.tokenAccount(meter.owner.publicKey);
    for (const signer of [
      world.upgradeAuthority,
      world.registrar,
      world.payer,
      meter.owner,
      Keypair.generate(),
    ]) {
      const instruction = directMint(meter.address, destination, { mint_authority: signer.publicKey });
      world.refused('NotRegistry', [instruction], [signer]);
    }
  });

  it('nor can anybody mint with the token program itself', () => {
    const world = new World();
    const meter = world.newMeter();
    const destination = pda.tokenAccount(meter.owner.publicKey);
    for (const authority of [world.upgradeAuthority, world.payer]) {
      // SPL Token: 4 OwnerMismatch.
      const instruction = createMintToInstruction(
        pda.mint,
        destination,
        authority.publicKey,
        1n,
        [],
        TOKEN_2022_PROGRAM_ID,
      );
      world.refused('Custom(4)', [instruction], [authority]);
    }
    expect(world.supply()).toBe(0n);
  });
});
