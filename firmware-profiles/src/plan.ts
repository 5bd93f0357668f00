import { registerOf } from './decode.js';
import { ProfileError } from './error.js';
import { type MeterProfile, type Quantity, registerPieces } from './schema.js';

/** One Modbus read request and the quantities that its answer contains. */
export interface ReadRequest {
  functionCode: 3 | 4;
  /** 0-based protocol address. */
  start: number;
  /** Number of 16-bit registers. */
  count: number;
  quantities: readonly Quantity[];
}

/**
 * The fewest requests that read the given quantities, all registers of one quantity in one answer (so that
 * none of them is older than another): neighbours are read together across the gap between
 * them where the profile allows it and the longest request is not exceeded.
 * @throws ProfileError PROFILE_INVALID for a quantity that the profile lacks
 */
export function planReads(profile: MeterProfile, quantities: readonly Quantity[]): ReadRequest[] {
  const wanted = [...new Set(quantities)]
    .map((quantity) => {
      const register = registerOf(profile, quantity);
      const pieces = registerPieces(register);
      const first = Math.min(...pieces.map((piece) => piece.first));
      const last = Math.max(...pieces.map((piece) => piece.last));
      const functionCode = register.function_code ?? profile.modbus.function_code;
      return { quantity, functionCode, first, last };
    })
    .sort((a, b) => a.functionCode - b.functionCode || a.first - b.first);
  const requests: { functionCode: 3 | 4; first: number; last: number; quantities: Quantity[] }[] = [];
  for (const item of wanted) {
    const open = requests.at(-1);
    const joinable =
      open !== undefined &&
      open.functionCode === item.functionCode &&
      Math.max(open.last, item.last) - open.first < profile.modbus.max_registers_per_request &&
      profile.readable.some(
        (range) =>
          range.function_code === item.functionCode &&
          Number(range.first) <= open.first &&
          Math.max(open.last, item.last) <= Number(range.last),
      );
    if (joinable) {
      open.last = Math.max(open.last, item.last);
      open.quantities.push(item.quantity);
    } else {
      requests.push({
        functionCode: item.functionCode,
        first: item.first,
        last: item.last,
        quantities: [item.quantity],
      });
    }
  }
  return requests.map((request) => {
    if (profile.modbus.even_requests && (request.last - request.first) % 2 === 0) request.last += 1;
    return {
      functionCode: request.functionCode,
      start: request.first,
      count: request.last - request.first + 1,
      quantities: request.quantities,
    };
  });
}

/**
 * The words of one quantity out of a request's answer: its own registers, then those of `plus`, then those of
 * `scale_by`.
 * @throws ProfileError PROFILE_INVALID when the answer is shorter or longer than the request
 */
export function wordsOf(
  profile: MeterProfile,
  request: ReadRequest,
  quantity: Quantity,
  answer: readonly number[],
): number[] {
  if (answer.length !== request.count) {
    throw new ProfileError('PROFILE_INVALID', `asked for ${request.count} registers, got ${answer.length}`);
  }
  return registerPieces(registerOf(profile, quantity)).flatMap(({ first, last }) => {
    if (first < request.start || last >= request.start + answer.length) {
      throw new ProfileError('PROFILE_INVALID', `the request does not contain ${quantity}`);
    }
    return answer.slice(first - request.start, last - request.start + 1);
  });
}
