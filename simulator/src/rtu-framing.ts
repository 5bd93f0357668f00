/**
 * Modbus RTU framing, server side. Source: MODBUS over Serial Line Specification and Implementation Guide
 * V1.02, section 2.5.1 (RTU framing) and 6.2.2 (CRC).
 */

/** Longest RTU frame, V1.02 section 2.5.1.1. */
const MAX_FRAME = 256;

const TABLE = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});

/** CRC-16/MODBUS: polynomial 0xA001 reflected, initial value 0xFFFF; goes over the wire low byte first. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] as number);
  return crc;
}

/** Unit, PDU and CRC as one RTU frame. */
export function rtuFrame(unit: number, pdu: Uint8Array): Buffer {
  const frame = Buffer.alloc(pdu.length + 3);
  frame[0] = unit;
  frame.set(pdu, 1);
  frame.writeUInt16LE(crc16(frame.subarray(0, -2)), frame.length - 2);
  return frame;
}

/** A request as it was framed. */
export interface RtuRequest {
  unit: number;
  pdu: Buffer;
}

/**
 * Finds requests in a stream of bytes. On a real line 3.5 characters of silence end a frame; on a
 * pseudo-terminal silence says nothing exact, so the length comes from the function code where the
 * specification fixes it, the CRC confirms it, and bytes that are no frame are skipped one by one. `idle()` is
 * called after silence: it takes a request of an unknown function as a whole and drops the rest.
 */
export class RtuRequestParser {
  #buffer: Buffer = Buffer.alloc(0);
  /** Bytes have been skipped since the last silence: what is left then is no frame by itself. */
  #skipped = false;

  /** True while bytes wait for the rest of their frame. */
  get pending(): boolean {
    return this.#buffer.length > 0;
  }

  push(bytes: Uint8Array): RtuRequest[] {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    const requests: RtuRequest[] = [];
    for (;;) {
      const length = requestLength(this.#buffer);
      if (length === 'unknown' ? !this.#skipped : length > this.#buffer.length) break;
      const frame = length === 'unknown' ? undefined : this.#buffer.subarray(0, length);
      if (frame !== undefined && hasValidCrc(frame)) {
        requests.push(toRequest(frame));
        this.#buffer = this.#buffer.subarray(frame.length);
        this.#skipped = false;
      } else {
        this.#buffer = this.#buffer.subarray(1);
        this.#skipped = true;
      }
    }
    if (this.#buffer.length > MAX_FRAME) {
      this.#buffer = this.#buffer.subarray(-MAX_FRAME);
      this.#skipped = true;
    }
    return requests;
  }

  idle(): RtuRequest | undefined {
    const frame = this.#buffer;
    const whole = !this.#skipped;
    this.#buffer = Buffer.alloc(0);
    this.#skipped = false;
    return whole && frame.length >= 4 && hasValidCrc(frame) ? toRequest(frame) : undefined;
  }
}

/** Length of the request at the start of the buffer, by its function code; Infinity when not yet known. */
function requestLength(buffer: Buffer): number | 'unknown' {
  if (buffer.length < 2) return Number.POSITIVE_INFINITY;
  const functionCode = buffer[1] as number;
  if (functionCode >= 1 && functionCode <= 6) return 8;
  if (functionCode === 15 || functionCode === 16) {
    return buffer.length < 7 ? Number.POSITIVE_INFINITY : 9 + (buffer[6] as number);
  }
  return 'unknown';
}

function hasValidCrc(frame: Buffer): boolean {
  return crc16(frame.subarray(0, -2)) === frame.readUInt16LE(frame.length - 2);
}

function toRequest(frame: Buffer): RtuRequest {
  return { unit: frame[0] as number, pdu: Buffer.from(frame.subarray(1, -2)) };
}
