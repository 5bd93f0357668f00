import { createTransferInstruction } from '@solana/spl-token';
import { TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { GOVERNANCE, GovernanceWorld, govPda, hashOf } from './governance.js';
import { bn, REGISTRY, refusesWrongAccounts } from './support.js';

/** An instruction of so many accounts and bytes, for the registry. */
const sized = (world: GovernanceWorld, accounts: number, bytes: number) =>
  new TransactionInstruction({
    programId: REGISTRY,
    keys: Array.from({ length: accounts }, () => ({
      pubkey: world.key().publicKey,
      isSigner: false,
      isWritable: false,
    })),
    data: Buffer.alloc(bytes, 7),
  });

describe("governance's add_instruction", () => {
  it('keeps program, accounts with their flags, and data, in order, under one hash', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const sponsor = world.key();
    world.fund(sponsor.publicKey);
    const calls = [
      world.admin('set_limits', { max_rated_watts: 5, daily_mint_cap: bn(0n) }, govPda.signer),
      sized(world, 3, 0),
    ];
    const proposal = world.plannedProposal(proposer, calls, sponsor);
    world.must([world.createProposal(proposal)], [proposer, sponsor]);
    const before = world.lamports(sponsor.publicKey);
    let rent = 0n;
    calls.forEach((each, index) => {
      const result = world.must([world.addInstruction(proposal, index, each)], [proposer, sponsor]);
      const address = govPda.instruction(proposal.address, index);
      const stored = world.decode('governance', 'ProposalInstruction', address);
      expect(stored).toMatchObject({
        proposal: proposal.address,
        index,
        program_id: each.programId,
        accounts: each.keys.map((key) => ({
          address: key.pubkey,
          flags: (key.isSigner ? 1 : 0) + (key.isWritable ? 2 : 0),
        })),
      });
      expect(Buffer.from(stored.data)).toEqual(each.data);
      const bytes = 8 + 32 + 2 + 32 + 4 + 33 * each.keys.length + 4 + each.data.length;
      expect(world.dataOf(address)).toHaveLength(bytes);
      rent += world.rent(bytes);
      const hash = hashOf(calls.slice(0, index + 1));
      expect(world.event(result, 'InstructionAdded')).toEqual({
        proposal: proposal.address.toBase58(),
        instruction: address.toBase58(),
        program_id: each.programId.toBase58(),
        index,
        instructions_hash: [...hash],
        timestamp: BigInt(world.now()),
      });
      const state = world.proposalState(proposal);
      expect(state?.instructions).toBe(index + 1);
      expect(Buffer.from(state?.raw.instructions_hash)).toEqual(hash);
    });
    expect(before - world.lamports(sponsor.publicKey)).toBe(rent);
  });

  it('takes eight, sixteen accounts and 512 bytes, and no more', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer, []);
    const add = (index: number, instruction: TransactionInstruction) =>
      world.addInstruction(proposal, index, instruction);
    world.refused('InstructionInvalid', [add(0, sized(world, 17, 0))], [proposer]);
    world.refused('InstructionInvalid', [add(0, sized(world, 0, 513))], [proposer]);
    world.must([add(0, sized(world, 16, 0))], [proposer]);
    world.must([add(1, sized(world, 0, 512))], [proposer]);
    for (let index = 2; index < 8; index++) world.must([add(index, sized(world, 0, index))], [proposer]);
    world.refused('TooManyInstructions', [add(8, sized(world, 0, 0))], [proposer]);
  });

  it('refuses flags that mean nothing', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer, []);
    const honest = world.addInstruction(proposal, 0, sized(world, 1, 0));
    const data = Buffer.from(honest.data);
    // Discriminator, program, count, address, then the flags.
    data[8 + 32 + 4 + 32] = 4;
    const forged = new TransactionInstruction({ ...honest, data });
    world.refused('InstructionInvalid', [forged], [proposer]);
  });

  it('lets no proposal use a signature other than that of the governance address', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer, []);
    for (const stranger of [world.payer.publicKey, proposer.publicKey, govPda.config]) {
      const call = world.admin('set_limits', { max_rated_watts: 5, daily_mint_cap: bn(0n) }, stranger);
      world.refused('SignerForbidden', [world.addInstruction(proposal, 0, call)], [proposer]);
    }
  });

  it('keeps the vault out of every proposal, and the proposal out of itself', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer, []);
    const refused = (instruction: TransactionInstruction) =>
      world.refused('AccountForbidden', [world.addInstruction(proposal, 0, instruction)], [proposer]);
    const theft = createTransferInstruction(
      govPda.vault,
      world.govAccount(proposer.publicKey),
      govPda.signer,
      1n,
    );
    refused(theft);
    refused(createTransferInstruction(govPda.vault, world.govAccount(proposer.publicKey), govPda.vault, 1n));
    refused(new TransactionInstruction({ programId: govPda.vault, keys: [], data: Buffer.alloc(0) }));
    refused(
      new TransactionInstruction({
        programId: REGISTRY,
        keys: [{ pubkey: proposal.address, isSigner: false, isWritable: true }],
        data: Buffer.alloc(0),
      }),
    );
  });

  it('lets a proposal change governance in two ways alone', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer, []);
    const other = world.draft(proposer);
    for (const forbidden of [
      world.withdrawGov(govPda.signer, 1n, { vault: govPda.config }),
      world.castVote(govPda.signer, other, 1, { payer: govPda.signer }),
      world.execute(other, 0, {}, []),
      world.finalizeProposal(other),
      world.pauseGovernance(govPda.signer),
      new TransactionInstruction({ programId: GOVERNANCE, keys: [], data: Buffer.alloc(0) }),
      new TransactionInstruction({ programId: GOVERNANCE, keys: [], data: Buffer.alloc(7, 1) }),
    ])
      world.refused('SelfCallForbidden', [world.addInstruction(proposal, 0, forbidden)], [proposer]);
    world.must([world.addInstruction(proposal, 0, world.setGovSettings({}))], [proposer]);
    world.must([world.addInstruction(proposal, 1, world.setGovGuardian(proposer.publicKey))], [proposer]);
  });

  it('is for the proposer, at the cost of whoever pays for the proposal', () => {
    const world = new GovernanceWorld();
    const [proposer, other] = [world.holder(), world.holder()];
    const proposal = world.draft(proposer, []);
    const call = world.setGovSettings({});
    world.refused(
      'NotProposer',
      [world.addInstruction(proposal, 0, call, { proposer: other.publicKey })],
      [other],
    );
    world.refused(
      'WrongRentPayer',
      [world.addInstruction(proposal, 0, call, { payer: proposer.publicKey })],
      [proposer],
    );
  });

  it('comes in order, before voting, and to a proposal that is there', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const call = world.setGovSettings({});
    const proposal = world.draft(proposer, [call]);
    for (const index of [0, 2])
      world.refused('WrongInstruction', [world.addInstruction(proposal, index, call)], [proposer]);
    const other = world.draft(proposer, []);
    world.refused(
      'WrongInstruction',
      [world.addInstruction(proposal, 1, call, { instruction: govPda.instruction(other.address, 1) })],
      [proposer],
    );
    world.must([world.activateProposal(proposal)], [proposer]);
    world.refused('NotDraft', [world.addInstruction(proposal, 1, call)], [proposer]);
    const planned = world.plannedProposal(proposer);
    world.refused('ProposalClosed', [world.addInstruction(planned, 0, call)], [proposer]);
  });

  it('is not stopped by lamports at the address', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer, []);
    world.fund(govPda.instruction(proposal.address, 0));
    world.must([world.addInstruction(proposal, 0, sized(world, 1, 1))], [proposer]);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer, []);
    refusesWrongAccounts(
      world,
      'governance',
      'add_instruction',
      [world.addInstruction(proposal, 0, world.setGovSettings({}))],
      [proposer],
      {
        payer: {
          other: 'WrongRentPayer',
          unsigned: 'MissingRequiredSignature',
          readonly: 'MissingRequiredSignature',
        },
        proposer: { other: 'NotProposer', unsigned: 'MissingRequiredSignature' },
        proposal: { other: 'ProposalClosed', copy: 'ProposalClosed', readonly: 'ConstraintMut' },
        instruction: { other: 'WrongInstruction', readonly: 'ConstraintMut' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});
