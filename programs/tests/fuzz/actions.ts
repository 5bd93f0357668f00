/* Everything that can be tried, right and wrong, with its weight. */

import { certificateActions } from './certificate-actions.js';
import type { Action } from './engine.js';
import { governanceActions } from './governance-actions.js';
import { oracleActions } from './oracle-actions.js';
import { registryActions } from './registry-actions.js';
import { tradingActions } from './trading-actions.js';

export const actions: readonly Action[] = [
  {
    name: 'time passes',
    weight: 22,
    attempt: ({ world }, random) => {
      world.wait(random.chance(90) ? random.between(1, 90) : random.between(90, 1_500));
      return undefined;
    },
  },
  ...registryActions,
  ...tradingActions,
  ...oracleActions,
  ...certificateActions,
  ...governanceActions,
];
