/** Four virtual meters, each on a Modbus TCP port of its own, in a process of their own. */
import { type Simulator, startSimulator } from '@gridtokenx/simulator';
import pino from 'pino';
import { serve } from './child.js';

const simulators: Simulator[] = [];

serve<{ meters: number }>(async ({ meters }) => {
  const logger = pino({ level: 'warn' }, pino.destination(2));
  for (let index = 0; index < meters; index += 1) {
    simulators.push(
      await startSimulator(
        {
          transport: { type: 'tcp', host: '127.0.0.1', port: 0 },
          seed: `bench-${index}`,
          units: [{ unit: 1 }],
        },
        { logger },
      ),
    );
  }
  process.send?.({ connections: simulators.map(({ connection }) => connection) });
});
