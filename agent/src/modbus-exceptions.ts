/**
 * What a Modbus exception means for a gateway, and what to do about it.
 * Source: Modbus Application Protocol V1.1b3, section 7 (table of exception codes).
 */

/**
 * `configuration`: the same question will get the same answer until somebody changes something here, so it is
 * asked rarely. `wait`: the device works on it, ask again soon. `fault`: the device has a defect, ask again as
 * after any failure. `absent`: a gateway between us and the device speaks, and the device has not answered: the
 * same as silence.
 */
export type ExceptionKind = 'configuration' | 'wait' | 'fault' | 'absent';

export interface ExceptionMeaning {
  name: string;
  kind: ExceptionKind;
  /** For a person. */
  whatToDo: string;
}

const MEANINGS: Readonly<Record<number, ExceptionMeaning>> = {
  1: {
    name: 'illegal function',
    kind: 'configuration',
    whatToDo: 'the device does not know this function code: is it the model that `profile` names?',
  },
  2: {
    name: 'illegal data address',
    kind: 'configuration',
    whatToDo: 'the device has no such registers: is it the model that `profile` names, and the right unit?',
  },
  3: {
    name: 'illegal data value',
    kind: 'configuration',
    whatToDo: 'the device refuses requests of this length: is it the model that `profile` names?',
  },
  4: {
    name: 'server device failure',
    kind: 'fault',
    whatToDo: 'the device reports a failure of its own: if it stays, switch it off and on, or replace it',
  },
  5: {
    name: 'acknowledge',
    kind: 'wait',
    whatToDo: 'the device needs longer to answer: raise `gap_ms` if this is frequent',
  },
  6: {
    name: 'server device busy',
    kind: 'wait',
    whatToDo: 'the device is busy: raise `gap_ms` or `sample_seconds`; does another program read it too?',
  },
  8: {
    name: 'memory parity error',
    kind: 'fault',
    whatToDo: 'the device finds its memory damaged: if it stays, its registers cannot be trusted: replace it',
  },
  10: {
    name: 'gateway path unavailable',
    kind: 'absent',
    whatToDo: 'the Modbus gateway has no way to the line: check its settings, and whether it is overloaded',
  },
  11: {
    name: 'gateway target device failed to respond',
    kind: 'absent',
    whatToDo:
      'the Modbus gateway got no answer: check power, wiring (A and B), unit number and serial settings',
  },
};

/** The meaning of an exception code; one that the standard does not define counts as a fault of the device. */
export function exceptionMeaning(code: number): ExceptionMeaning {
  return (
    MEANINGS[code] ?? {
      name: 'an exception that the standard does not define',
      kind: 'fault',
      whatToDo: `the device's manual says what its exception ${code} means`,
    }
  );
}

/** The codes that the standard defines. */
export const DEFINED_EXCEPTIONS: readonly number[] = Object.keys(MEANINGS).map(Number);
