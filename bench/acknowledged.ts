import { type Ack, GtxError, parseU64 } from '@gridtokenx/protocol';

/** What a gateway was told about one meter's readings. */
class MeterAcks {
  /** Stored above `through`, because one before is missing. */
  readonly above = new Set<bigint>();

  constructor(public through: bigint) {}
}

/**
 * Counts readings as the gateway's side does: one counts when an acknowledgement covers it for the first time,
 * by `through` or by name. Repeated and overtaken acknowledgements add nothing.
 */
export class AcknowledgedReadings {
  private readonly meters = new Map<string, MeterAcks>();
  private sum = 0;

  /** Readings up to `sequence` were sent and counted before. */
  begin(meterId: string, sequence: bigint): void {
    this.meters.set(meterId, new MeterAcks(sequence));
  }

  /** Readings covered so far, of all meters. */
  get count(): number {
    return this.sum;
  }

  /** Highest sequence up to which all of a meter's readings are covered. */
  through(meterId: string): bigint {
    return this.meter(meterId).through;
  }

  /**
   * @returns how many readings this acknowledgement is the first to cover
   * @throws GtxError ACK_INVALID when the collector refused a reading: then there is no throughput to speak of
   */
  add(ack: Pick<Ack, 'meter_id' | 'through' | 'stored' | 'refused'>): number {
    const refused = ack.refused[0];
    if (refused !== undefined) {
      throw new GtxError(
        'ACK_INVALID',
        `the collector refused reading ${refused.sequence} of ${ack.meter_id}: ${refused.code}`,
      );
    }
    const meter = this.meter(ack.meter_id);
    const { above } = meter;
    let covered = 0;
    for (const text of ack.stored) {
      const sequence = parseU64(text);
      if (sequence <= meter.through || above.has(sequence)) continue;
      above.add(sequence);
      covered += 1;
    }
    const through = parseU64(ack.through);
    if (through > meter.through) {
      covered += Number(through - meter.through);
      for (const sequence of above) {
        if (sequence > through) continue;
        above.delete(sequence);
        covered -= 1;
      }
      meter.through = through;
    }
    this.sum += covered;
    return covered;
  }

  private meter(meterId: string): MeterAcks {
    const meter = this.meters.get(meterId);
    if (meter === undefined)
      throw new GtxError('ACK_INVALID', `an acknowledgement for ${meterId}, which is not ours`);
    return meter;
  }
}
