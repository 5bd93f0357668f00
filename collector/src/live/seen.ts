import { nkwhToKwh } from '@gridtokenx/protocol';
import type { Answer } from '../ingest/ingest.js';

/** Something ingestion has decided, as it is shown to operators. */
export interface Seen {
  meterId: string;
  /** Whether it came over MQTT. */
  overMqtt: boolean;
  sequence: string;
  outcome: 'stored' | 'refused';
  /** The stored reading's status, or the refusal's code. */
  status: string;
  kwh: string;
}

/** Undefined where nothing is new: a reading that came again, or is to be sent again. */
export function seenReading({ submission, outcome }: Answer, overMqtt: boolean): Seen | undefined {
  const { meterId, reading } = submission;
  const sequence = reading.sequence.toString();
  switch (outcome.kind) {
    case 'stored': {
      if (outcome.duplicate) return undefined;
      const kwh = nkwhToKwh(outcome.amountNkwh);
      return { meterId, overMqtt, sequence, outcome: 'stored', status: outcome.status, kwh };
    }
    case 'refused':
      return { meterId, overMqtt, sequence, outcome: 'refused', status: outcome.refusal.code, kwh: '0' };
    case 'unavailable':
      return undefined;
  }
}
