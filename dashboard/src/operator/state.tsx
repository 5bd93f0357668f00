import { t } from '../text/index.js';
import type { FleetState } from '../types.js';

export const STATES = ['online', 'silent', 'offline', 'never'] as const satisfies readonly FleetState[];

/** A state's sign, told apart by its form as well as by its color. Drawn around 0,0. */
export function StateShape({ state, size }: { state: FleetState; size: number }) {
  const half = size / 2;
  const name = `state ${state}`;
  switch (state) {
    case 'online':
      return <circle class={name} r={half} />;
    case 'silent':
      return <path class={name} d={`M0,${-half}L${half},${half * 0.8}L${-half},${half * 0.8}Z`} />;
    case 'offline':
      return <rect class={name} x={-half * 0.9} y={-half * 0.9} width={size * 0.9} height={size * 0.9} />;
    case 'never':
      return <circle class={name} r={half * 0.8} />;
  }
}

/** The sign with its word. */
export function StateTag({ state }: { state: FleetState }) {
  return (
    <span class="statetag">
      <svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">
        <StateShape state={state} size={12} />
      </svg>
      {t(`fleet.${state}`)}
    </span>
  );
}
