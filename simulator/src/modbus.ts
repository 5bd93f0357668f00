/**
 * Modbus application protocol, server side, as far as these meters go: reading holding (03) and input
 * registers (04). Source: MODBUS Application Protocol Specification V1.1b3, sections 6.3, 6.4 and 7.
 */
import type { RegisterMap } from './register-map.js';

/** Exception codes, V1.1b3 section 7. */
export const ModbusException = {
  IllegalFunction: 0x01,
  IllegalDataAddress: 0x02,
  IllegalDataValue: 0x03,
  ServerDeviceFailure: 0x04,
  ServerDeviceBusy: 0x06,
  GatewayTargetFailedToRespond: 0x0b,
} as const;

/** Quantity limit of a read, V1.1b3 sections 6.3 and 6.4. */
const MAX_QUANTITY = 0x7d;

export function exceptionPdu(functionCode: number, code: number): Buffer {
  return Buffer.from([(functionCode | 0x80) & 0xff, code]);
}

/**
 * Answers a request PDU from a meter's registers, with the checks in the order of V1.1b3 figures 13 and 14:
 * function, quantity, address.
 * @param registers words of one function code; addresses inside a readable range without a word are zero
 */
export function answerPdu(
  request: Buffer,
  map: RegisterMap,
  registers: (functionCode: number) => Map<number, number>,
): Buffer {
  const functionCode = request[0] ?? 0;
  const ranges = map.ranges.filter((range) => range.functionCode === functionCode);
  if (ranges.length === 0) return exceptionPdu(functionCode, ModbusException.IllegalFunction);
  if (request.length !== 5) return exceptionPdu(functionCode, ModbusException.IllegalDataValue);
  const start = request.readUInt16BE(1);
  const quantity = request.readUInt16BE(3);
  if (quantity < 1 || quantity > MAX_QUANTITY) {
    return exceptionPdu(functionCode, ModbusException.IllegalDataValue);
  }
  const last = start + quantity - 1;
  const inside = ranges.some((range) => range.first <= start && last <= range.last);
  const { modbus } = map.profile;
  // Meters that give two-register values only whole want even starts and counts, but for a lone 16-bit register.
  const whole =
    !modbus.even_requests ||
    (start % 2 === 0 && quantity % 2 === 0) ||
    (quantity === 1 && map.isSingle(functionCode, start));
  if (!inside || quantity > modbus.max_registers_per_request || !whole) {
    return exceptionPdu(functionCode, ModbusException.IllegalDataAddress);
  }
  const words = registers(functionCode);
  const answer = Buffer.alloc(2 + 2 * quantity);
  answer[0] = functionCode;
  answer[1] = 2 * quantity;
  for (let index = 0; index < quantity; index++) {
    answer.writeUInt16BE(words.get(start + index) ?? 0, 2 + 2 * index);
  }
  return answer;
}
