/** Bits of a position below the slot, and below the index of the transaction. */
const SLOT_SHIFT = 30n;
const TRANSACTION_SHIFT = 14n;
const MAX_TRANSACTION = 1 << 16;
const MAX_EVENT = 1 << 14;

/**
 * Where an event stands in the total order of the chain, as `chain_events.position` has it: slot, index of the
 * transaction in its block, index of the event.
 * @throws RangeError for indexes that no block can have.
 */
export function positionOf(slot: number, txIndex: number, eventIndex: number): bigint {
  if (txIndex < 0 || txIndex >= MAX_TRANSACTION || eventIndex < 0 || eventIndex >= MAX_EVENT)
    throw new RangeError(`no position for transaction ${txIndex}, event ${eventIndex} of a block`);
  return (BigInt(slot) << SLOT_SHIFT) | (BigInt(txIndex) << TRANSACTION_SHIFT) | BigInt(eventIndex);
}
