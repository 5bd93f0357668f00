/**
 * What the collector says, and whether it is the collector that says it. A gateway counts nothing as
 * delivered and obeys nothing but what is signed by the key that was pinned at installation.
 */
import {
  Ack,
  Command,
  decodeBase58,
  encodeEnvelopeMessage,
  GtxError,
  parseJsonWith,
  SignedEnvelope,
} from '@gridtokenx/protocol';
import type { Decision } from './outbox.js';
import { verifyStrict } from './sign.js';

/** More than this is no acknowledgement. */
export const MAX_ENVELOPE_BYTES = 128 * 1024;

/**
 * Opens a signed envelope.
 * @param topic the topic that it arrived on, which the signature covers
 * @param collectorKey pinned key, base58
 * @returns the payload's JSON text
 * @throws GtxError with `code` when malformed, of another key, or the signature does not verify
 */
export function openEnvelope(
  topic: string,
  bytes: Uint8Array,
  collectorKey: string,
  code: 'ACK_INVALID' | 'COMMAND_INVALID',
): string {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw new GtxError(code, `the message has ${bytes.length} bytes`);
  const envelope = parseJsonWith(SignedEnvelope, bytes, code);
  if (envelope.public_key !== collectorKey) {
    throw new GtxError(code, `signed by ${envelope.public_key}, which is not the pinned collector key`);
  }
  const message = encodeEnvelopeMessage(topic, envelope.payload);
  if (!verifyStrict(decodeBase58(envelope.signature, 64), message, decodeBase58(collectorKey, 32))) {
    throw new GtxError(code, 'the signature does not verify');
  }
  return envelope.payload;
}

/**
 * Reads an acknowledgement out of an opened envelope.
 * @param highestSent highest sequence that may ever have been published for the meter
 * @throws GtxError ACK_INVALID when malformed, for another meter, or about readings never sent
 */
export function readAck(
  payload: string,
  meterId: string,
  highestSent: number,
): { decision: Decision; timeSeconds: number } {
  const ack = parseJsonWith(Ack, payload, 'ACK_INVALID');
  if (ack.meter_id !== meterId) throw new GtxError('ACK_INVALID', `it is about meter ${ack.meter_id}`);
  const sequence = (text: string): number => {
    // Exact: what is above highestSent, which is a safe integer, is refused.
    const value = BigInt(text);
    if (value > BigInt(highestSent)) {
      throw new GtxError(
        'ACK_INVALID',
        `it is about reading ${text}, but the last one sent is ${highestSent}`,
      );
    }
    return Number(value);
  };
  return {
    timeSeconds: ack.time,
    decision: {
      through: sequence(ack.through),
      stored: ack.stored.map(sequence),
      held: ack.held.map((one) => sequence(one.sequence)),
      refused: ack.refused.map((one) => ({ ...one, sequence: sequence(one.sequence) })),
    },
  };
}

/** Reads a command out of an opened envelope. @throws GtxError COMMAND_INVALID */
export function readCommand(payload: string): Command {
  return parseJsonWith(Command, payload, 'COMMAND_INVALID');
}

/** The newest commands obeyed, so that a recording of one is not obeyed again. */
export interface CommandMark {
  time: number;
  /** Commands of that second. */
  ids: string[];
}

/** How old a command may be when it arrives, while the clock is trusted. */
const COMMAND_FRESH_SECONDS = 300;

/**
 * Whether a command is new.
 * @param nowSeconds wall clock, or undefined while it is not trusted
 * @returns the mark to keep when it has been obeyed
 * @throws GtxError COMMAND_INVALID for one that was obeyed already, or is older than one that was, or stale
 */
export function checkCommand(
  command: Command,
  mark: CommandMark | undefined,
  nowSeconds: number | undefined,
): CommandMark {
  if (nowSeconds !== undefined && Math.abs(nowSeconds - command.time) > COMMAND_FRESH_SECONDS) {
    throw new GtxError('COMMAND_INVALID', `command ${command.id} is ${nowSeconds - command.time} s old`);
  }
  if (mark === undefined || command.time > mark.time) return { time: command.time, ids: [command.id] };
  if (command.time === mark.time && !mark.ids.includes(command.id) && mark.ids.length < 16) {
    return { time: mark.time, ids: [...mark.ids, command.id] };
  }
  throw new GtxError(
    'COMMAND_INVALID',
    `command ${command.id} has been obeyed already or is older than the last`,
  );
}
