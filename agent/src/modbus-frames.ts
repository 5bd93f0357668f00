/**
 * Modbus frames as bytes: pure, no I/O.
 *
 * Sources: Modbus Application Protocol V1.1b3 (PDU: sections 6.3 and 6.4; exceptions: section 7),
 * Modbus over Serial Line V1.02 (RTU frame: 2.5.1; CRC: 6.2.2), Modbus Messaging on TCP/IP V1.0b
 * (MBAP header: 3.1.3).
 */

export const READ_HOLDING_REGISTERS = 3;
export const READ_INPUT_REGISTERS = 4;
export type ReadFunction = typeof READ_HOLDING_REGISTERS | typeof READ_INPUT_REGISTERS;

/** The standard's limit for functions 3 and 4 (V1.1b3, 6.3). */
export const MAX_REGISTERS_PER_READ = 125;

/** What a request asks for and therefore what its answer must look like. */
export interface ReadRequest {
  unit: number;
  function: ReadFunction;
  start: number;
  count: number;
}

export type Answer =
  | { kind: 'registers'; data: Uint8Array }
  /** The device refused: V1.1b3, section 7. */
  | { kind: 'exception'; code: number };

const CRC_TABLE = (() => {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
    table[byte] = crc;
  }
  return table;
})();

/** CRC-16 of the serial line standard (6.2.2): polynomial 0xA001 reflected, initial value 0xFFFF. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0xffff;
  for (let i = from; i < to; i++) {
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number);
  }
  return crc;
}

/** The read request's PDU: function, start, count (V1.1b3, 6.3 and 6.4). */
function readPdu(request: ReadRequest): Buffer {
  const pdu = Buffer.allocUnsafe(5);
  pdu.writeUInt8(request.function, 0);
  pdu.writeUInt16BE(request.start, 1);
  pdu.writeUInt16BE(request.count, 3);
  return pdu;
}

/** A read request for the serial line: unit, PDU, CRC with its low byte first. */
export function encodeRtuRequest(request: ReadRequest): Buffer {
  const frame = Buffer.allocUnsafe(8);
  frame.writeUInt8(request.unit, 0);
  readPdu(request).copy(frame, 1);
  frame.writeUInt16LE(crc16(frame, 0, 6), 6);
  return frame;
}

/** A read request for TCP: MBAP header (transaction, protocol 0, length, unit), PDU. */
export function encodeTcpRequest(transaction: number, request: ReadRequest): Buffer {
  const frame = Buffer.allocUnsafe(12);
  frame.writeUInt16BE(transaction, 0);
  frame.writeUInt16BE(0, 2);
  frame.writeUInt16BE(6, 4);
  frame.writeUInt8(request.unit, 6);
  readPdu(request).copy(frame, 7);
  return frame;
}

/** Whether a PDU (without unit) answers the request; undefined when it is some other answer. */
function answerOf(pdu: Uint8Array, request: ReadRequest): Answer | undefined {
  if (pdu[0] === (request.function | 0x80) && pdu.length === 2) {
    return { kind: 'exception', code: pdu[1] as number };
  }
  if (pdu[0] === request.function && pdu[1] === request.count * 2 && pdu.length === 2 + request.count * 2) {
    // A copy of its own: slice of a Buffer would be a view.
    return { kind: 'registers', data: new Uint8Array(pdu.subarray(2)) };
  }
  return undefined;
}

/**
 * Looks for the answer to `request` anywhere in what the serial line has brought so far. Bytes before
 * it (noise, an echo of the request, the tail of a late frame) and answers of another unit, function or
 * length are passed over: a frame counts only where unit, function, length and CRC all fit. That makes
 * every read a resynchronisation.
 *
 * @returns the answer and how many bytes it and everything before it take, or undefined: read on.
 */
export function findRtuAnswer(
  received: Uint8Array,
  request: ReadRequest,
): { answer: Answer; consumed: number; strayBytes: number } | undefined {
  const wanted = 5 + request.count * 2;
  for (let at = 0; at + 5 <= received.length; at++) {
    if (received[at] !== request.unit) continue;
    const code = received[at + 1] as number;
    let length: number;
    if (code === request.function && received[at + 2] === request.count * 2) length = wanted;
    else if (code === (request.function | 0x80)) length = 5;
    else continue;
    if (at + length > received.length) continue;
    const crc = (received[at + length - 2] as number) | ((received[at + length - 1] as number) << 8);
    if (crc16(received, at, at + length - 2) !== crc) continue;
    const answer = answerOf(received.subarray(at + 1, at + length - 2), request);
    if (answer) return { answer, consumed: at + length, strayBytes: at };
  }
  return undefined;
}

/** Whether the line begins with the request itself, as adapters that hear themselves send back. */
export function startsWithEcho(received: Uint8Array, request: ReadRequest): boolean {
  const echo = encodeRtuRequest(request);
  return received.length >= echo.length && echo.every((byte, at) => byte === received[at]);
}

export type TcpScan =
  | { kind: 'more' }
  /** Not Modbus TCP, or out of step beyond repair: the connection must be closed. */
  | { kind: 'broken'; reason: string }
  | { kind: 'frame'; consumed: number; transaction: number; unit: number; pdu: Uint8Array };

/** Cuts the next MBAP frame from the stream (Messaging on TCP/IP V1.0b, 3.1.3). */
export function nextTcpFrame(received: Uint8Array): TcpScan {
  if (received.length < 7) return { kind: 'more' };
  const view = new DataView(received.buffer, received.byteOffset, received.byteLength);
  if (view.getUint16(2) !== 0) return { kind: 'broken', reason: 'protocol identifier is not 0' };
  const length = view.getUint16(4);
  if (length < 2 || length > 254) return { kind: 'broken', reason: `impossible length ${length}` };
  if (received.length < 6 + length) return { kind: 'more' };
  return {
    kind: 'frame',
    consumed: 6 + length,
    transaction: view.getUint16(0),
    unit: received[6] as number,
    pdu: received.subarray(7, 6 + length),
  };
}

/**
 * What a TCP frame is to the waiting request. `stale`: an answer to an earlier transaction, late, to be
 * dropped. `mismatch`: our transaction but not our question, so the device or gateway is confused.
 */
export function matchTcpFrame(
  frame: { transaction: number; unit: number; pdu: Uint8Array },
  waiting: { transaction: number; request: ReadRequest },
): { kind: 'answer'; answer: Answer } | { kind: 'stale' } | { kind: 'mismatch' } {
  if (frame.transaction !== waiting.transaction) return { kind: 'stale' };
  if (frame.unit !== waiting.request.unit) return { kind: 'mismatch' };
  const answer = answerOf(frame.pdu, waiting.request);
  return answer ? { kind: 'answer', answer } : { kind: 'mismatch' };
}
